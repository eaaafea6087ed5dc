package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/kindred-rec/kindred/server/auth"
)

// listen opens the ports and serves on them.
func (s *Service) listen(ctx context.Context) error {
	g, err := s.open(ctx, s.config.GRPC)
	if err != nil {
		return fmt.Errorf("gRPC port: %w", err)
	}
	s.grpcAddr = g.Addr()
	g = calmer{s.config.RefusalPause}.listener(g)
	if s.certs != nil {
		g = tls.NewListener(g, s.certs.listener())
	}
	s.serve(func() error { return s.grpc.Serve(g) })
	if err := s.listenCalls(ctx); err != nil {
		return fmt.Errorf("HTTP port: %w", err)
	}
	if err := s.listenOps(ctx); err != nil {
		return fmt.Errorf("ops port: %w", err)
	}
	if err := s.listenPprof(ctx); err != nil {
		return fmt.Errorf("pprof port: %w", err)
	}
	return nil
}

// listenCalls serves gRPC-Web and JSON.
func (s *Service) listenCalls(ctx context.Context) error {
	if s.config.HTTP == "" {
		return nil
	}
	local, err := auth.Loopback(s.config.HTTP)
	if err != nil {
		return err
	}
	for _, origin := range s.config.Origins {
		if why := auth.CheckOrigin(origin); why != "" {
			return fmt.Errorf("origin of pages: %s", why)
		}
	}
	metrics := local && s.config.Ops == ""
	if !metrics && s.config.Ops == "" {
		s.config.Log.Warn("metrics are not served: the HTTP port is open to others; give an address for operators (--ops)")
	}
	routes, err := s.routes(metrics)
	if err != nil {
		return err
	}
	s.httpAddr, err = s.listenHTTP(ctx, s.config.HTTP, routes, s.certs)
	return err
}

// listenOps serves metrics, and profiles where others cannot reach them.
func (s *Service) listenOps(ctx context.Context) error {
	if s.config.Ops == "" {
		return nil
	}
	local, err := auth.Loopback(s.config.Ops)
	if err != nil {
		return err
	}
	s.opsAddr, err = s.listenHTTP(ctx, s.config.Ops, s.opsRoutes(local), nil)
	return err
}

// listenPprof serves profiles, which tell too much to leave loopback.
func (s *Service) listenPprof(ctx context.Context) error {
	if s.config.Pprof == "" {
		return nil
	}
	local, err := auth.Loopback(s.config.Pprof)
	if err != nil {
		return err
	}
	if !local {
		return fmt.Errorf("%s can be reached by others; use 127.0.0.1", s.config.Pprof)
	}
	mux := http.NewServeMux()
	addProfiles(mux)
	_, err = s.listenHTTP(ctx, s.config.Pprof, mux, nil)
	return err
}

// maxHeader bounds the headers of a request, in bytes.
const maxHeader = 64 << 10

// open listens on an address, within the bounds of connections.
func (s *Service) open(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return s.limit(l), nil
}

// listenHTTP serves a handler on an address, encrypted where there are certificates.
func (s *Service) listenHTTP(ctx context.Context, addr string, handler http.Handler, certs *certificates) (net.Addr, error) {
	l, err := s.open(ctx, addr)
	if err != nil {
		return nil, err
	}
	bound := l.Addr()
	if certs != nil {
		l = tls.NewListener(l, certs.listener())
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader,
		Protocols: new(http.Protocols), HTTP2: &http.HTTP2Config{MaxConcurrentStreams: int(s.config.MaxStreams)},
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true)
	server.Protocols.SetUnencryptedHTTP2(true) // for streams both ways
	s.http = append(s.http, server)
	s.serve(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return bound, nil
}

// drainHTTP lets the calls under way on the HTTP ports end. gRPC cannot: it would cut them
// off.
func (s *Service) drainHTTP() {
	for _, h := range s.http {
		if err := h.Shutdown(context.Background()); err != nil {
			s.config.Log.Warn("HTTP port not closed in order", "error", err)
		}
	}
}

// cutHTTP ends them at once.
func (s *Service) cutHTTP() {
	for _, h := range s.http {
		h.Close() // close returns its error again
	}
}
