package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/kindred-rec/kindred/embed/batch"
	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/embed/remote/histories"
	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/telemetry"
)

// Worker is a running worker.
type Worker struct {
	config  Config
	metrics *telemetry.Metrics
	ready   atomic.Bool

	model   *Model
	batcher *batch.Batcher
	server  *remote.Server
	health  *health.Server
	grpc    *grpc.Server
	http    *http.Server

	grpcAddr, httpAddr net.Addr
	ended              chan error // one value a serving goroutine
	serving            int
}

// Start returns a worker that serves. Errors name what could not be opened; what was opened
// before is closed.
func Start(ctx context.Context, config Config) (*Worker, error) {
	w := &Worker{config: config.withDefaults(), metrics: telemetry.New(), ended: make(chan error, 2)}
	if err := w.start(ctx); err != nil {
		return nil, errors.Join(err, w.close(ctx))
	}
	return w, nil
}

func (w *Worker) start(ctx context.Context) error {
	if err := w.config.mayListen(); err != nil {
		return err
	}
	if err := w.listenHTTP(ctx); err != nil {
		return fmt.Errorf("HTTP port: %w", err)
	}
	if err := w.openModel(ctx); err != nil {
		return err
	}
	if err := w.buildGRPC(); err != nil {
		return err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", w.config.Listen)
	if err != nil {
		return fmt.Errorf("gRPC port: %w", err)
	}
	w.grpcAddr = l.Addr()
	limited := netutil.LimitListener(l, w.config.MaxConnections)
	w.serve(func() error {
		if err := w.grpc.Serve(limited); !errors.Is(err, grpc.ErrServerStopped) { // stopped before it began
			return err
		}
		return nil
	})
	w.ready.Store(true)
	return nil
}

func (w *Worker) openModel(ctx context.Context) error {
	var err error
	if w.model, err = Load(ctx, w.config.Model); err != nil {
		return err
	}
	w.config.forModel(w.model)
	if w.batcher, err = batch.New(w.model.Encoder, w.config.Batch); err != nil {
		return err
	}
	w.metrics.Registry.MustRegister(&batchMetrics{w.batcher, w.model.Compiled})
	info := w.batcher.Info()
	log := w.config.Log.With("model", info.Model, "backend", w.model.Backend)
	log.InfoContext(ctx, "warming up")
	begin := time.Now()
	err = w.batcher.Warm(ctx, func(done, all int, next batch.Shape) {
		log.InfoContext(ctx, "compiling", "done", done, "of", all, "texts", next.Rows, "tokens", next.Length)
	})
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "warm", "took", time.Since(begin).Round(time.Millisecond), "shapes", w.batcher.Stats().Shapes+w.model.Compiled())
	return nil
}

func (w *Worker) buildGRPC() error {
	if w.config.Histories.Dir != "" {
		part, err := histories.NewServer(w.config.Histories)
		if err != nil {
			return err
		}
		w.config.Server.Histories = part
	}
	var err error
	if w.server, err = remote.NewServer(w.batcher, w.config.Server); err != nil {
		return err
	}
	guard, gate := api.Recovery{Log: w.config.Log, Of: "worker"}, gate{w.config.Keys}
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(api.Codec{}), grpc.MaxRecvMsgSize(w.server.MaxMessage()), grpc.MaxConcurrentStreams(w.config.MaxCalls),
		grpc.ConnectionTimeout(10 * time.Second),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(w.metrics.Unary, guard.Unary, gate.unary, api.RefuseMalformed),
		grpc.ChainStreamInterceptor(w.metrics.Stream, guard.Stream, gate.stream, api.RefuseMalformedStream),
	}
	encrypted, err := w.config.tls()
	if err != nil {
		return err
	}
	if encrypted == nil && w.config.Keys != nil && !w.config.local() {
		w.config.Log.Warn("keys and texts cross the network in plain text: give a certificate, unless the network is trusted")
	}
	if encrypted != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(encrypted)))
	}
	w.grpc = grpc.NewServer(options...)
	w.server.Register(w.grpc)
	w.health = health.NewServer()
	healthpb.RegisterHealthServer(w.grpc, w.health)
	reflection.Register(w.grpc)
	w.metrics.Prepare(w.grpc.GetServiceInfo())
	return nil
}

func (w *Worker) listenHTTP(ctx context.Context) error {
	if w.config.HTTP == "" {
		return nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", w.config.HTTP)
	if err != nil {
		return err
	}
	w.httpAddr = l.Addr()
	w.http = &http.Server{Handler: routes(w.metrics.Registry, &w.ready), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	w.serve(func() error {
		if err := w.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return nil
}

func (w *Worker) serve(run func() error) {
	w.serving++
	go func() { w.ended <- run() }()
}

// Addr is where gRPC is served.
func (w *Worker) Addr() string { return w.grpcAddr.String() }

// HTTPAddr is where health and metrics are served; "" if they are not.
func (w *Worker) HTTPAddr() string {
	if w.httpAddr == nil {
		return ""
	}
	return w.httpAddr.String()
}

// Model is the name of what is served, Backend what computes it.
func (w *Worker) Model() string { return w.server.Model() }

// Backend is what computes, such as "xla:cuda".
func (w *Worker) Backend() string { return w.model.Backend }

// Stats are those of the batcher.
func (w *Worker) Stats() batch.Stats { return w.batcher.Stats() }

// Wait returns when ctx ends (nil) or a port fails (its error). Call Stop then.
func (w *Worker) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-w.ended:
		w.serving--
		return err
	}
}

// Stop drains and closes all. It returns the first fault; work that was cut off after
// Config.Drain is none.
func (w *Worker) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), w.config.Drain)
	defer cancel()
	w.ready.Store(false)
	w.health.Shutdown()
	w.server.Drain()
	drained := make(chan struct{})
	go func() { w.grpc.GracefulStop(); close(drained) }()
	select {
	case <-drained:
	case <-ctx.Done():
		w.config.Log.Warn("calls cut off after the drain time", "drain", w.config.Drain)
		w.grpc.Stop()
		<-drained
	}
	return w.close(ctx)
}

// close shuts what is open, in the order of use.
func (w *Worker) close(ctx context.Context) error {
	var errs []error
	if w.grpc != nil {
		w.grpc.Stop()
	}
	if w.http != nil {
		errs = append(errs, w.http.Close())
	}
	for ; w.serving > 0; w.serving-- {
		errs = append(errs, <-w.ended)
	}
	if w.server != nil {
		w.server.Wait()
	}
	if w.batcher != nil {
		if err := w.batcher.Close(ctx); err != nil && ctx.Err() == nil {
			errs = append(errs, err)
		}
	}
	if w.model != nil {
		errs = append(errs, w.model.Close())
	}
	return errors.Join(errs...)
}
