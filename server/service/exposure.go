package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/kindred-rec/kindred/server/auth"
)

var (
	// ErrNoKeys: an address is open to others and there is no API key.
	ErrNoKeys = errors.New("refusing to listen beyond loopback without API keys")
	// ErrPlaintext: an address is open to others and there is no TLS.
	ErrPlaintext = errors.New("refusing to listen beyond loopback without TLS")
)

// mayListen refuses to open an unprotected service to others. The port for operators may be
// open: it tells figures, and changes nothing.
func (s *Service) mayListen() error {
	if err := s.config.TLS.check(); err != nil {
		return err
	}
	for _, addr := range []string{s.config.GRPC, s.config.HTTP} {
		if addr == "" {
			continue
		}
		local, err := auth.Loopback(addr)
		if err != nil {
			return err
		}
		if local {
			continue
		}
		if s.keys.Active() == 0 {
			return fmt.Errorf("%w: %s can be reached by others; make a key first with `keys create --data %s --role admin`, or listen on 127.0.0.1",
				ErrNoKeys, addr, s.config.Data)
		}
		if !s.config.TLS.On() && !s.config.Plaintext {
			return fmt.Errorf("%w: %s can be reached by others, who would read keys on the way; give --tls-cert and --tls-key, or --plaintext if something before the service encrypts",
				ErrPlaintext, addr)
		}
	}
	if !s.config.TLS.On() {
		return nil
	}
	var err error
	s.certs, err = openCertificates(s.config.TLS, s.config.Log)
	return err
}

// listenInside returns where children of this process reach the gRPC server. With TLS that is
// a socket that this user alone can open: they need no certificate, and none need name this
// machine.
func (s *Service) listenInside() (string, error) {
	if s.certs == nil {
		return s.Addr(), nil
	}
	dir, err := os.MkdirTemp("", "kindred-") // sockets have short paths; only this user may enter
	if err != nil {
		return "", err
	}
	s.inside = dir
	path := filepath.Join(dir, "grpc")
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return "", err
	}
	s.serve(func() error { return s.grpc.Serve(l) })
	return "unix:" + path, nil
}
