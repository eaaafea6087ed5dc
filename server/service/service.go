// Package service puts the parts together: store, tenants, keys, handlers and
// metrics behind one gRPC port and one HTTP port.
//
// [Start] opens the store, brings every tenant up to date, and listens; the tenant
// "default" is made on first use. [Service.Stop] drains: it reports NOT_SERVING, goes on
// serving for Config.DrainDelay so that callers see it, lets calls under way end within Config.Drain, then closes the tenants and the
// store. A service without API keys listens on loopback alone and lets every call
// in as admin of "default"; with keys, every call needs one, health checks apart.
// Beyond loopback it needs TLS ([TLS]) or Config.Plaintext.
//
// A call of the gRPC port whose key or quota lets it not in is refused when its headers are read. Else, and on the HTTP port,
// it passes, in this order: the metrics; recovery from panics; who calls (package auth);
// the quotas (package quota); the audit log, if it is an administrative act (package audit);
// what the role may; the permits of its class (package limit); what is malformed; and what a browser's key may. The HTTP port turns
// gRPC-Web, Connect and JSON into gRPC calls before all of these. Both ports bound
// connections, in all and from one address, and the HTTP port the time that a client may take.
package service

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/audit"
	"github.com/kindred-rec/kindred/server/auth"
	"github.com/kindred-rec/kindred/server/limit"
	"github.com/kindred-rec/kindred/server/quota"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
	"github.com/kindred-rec/kindred/server/store"
	"github.com/kindred-rec/kindred/server/telemetry"
	"github.com/kindred-rec/kindred/server/training/schedule"
)

// Service is a running service.
type Service struct {
	config  Config
	store   *store.Store
	tenants *shop.Registry
	keys    *auth.Keyring
	audit   *audit.Log
	quotas  *quota.Keeper
	metrics *telemetry.Metrics
	tracing *telemetry.Tracing // nil: nothing is traced
	health  *health.Server
	origins atomic.Pointer[[]string]           // Config.Origins until Change; nil: those
	leaving atomic.Bool                        // readiness has ended
	trains  atomic.Pointer[schedule.Scheduler] // nil: nothing is trained
	keyless bool                               // no call needs a key
	certs   *certificates                      // nil: no TLS
	upkeep  *upkeep                            // of the store's files; nil: not begun

	grpc     *grpc.Server
	http     []*http.Server
	grpcAddr net.Addr
	httpAddr net.Addr
	opsAddr  net.Addr
	inside   string     // folder of the socket for children; "": none
	ended    chan error // one value a server goroutine
	servers  int
}

// Start returns a service that serves. Errors name what could not be opened; what
// was opened before is closed.
func Start(ctx context.Context, config Config) (*Service, error) {
	s := &Service{config: config.withDefaults(), metrics: telemetry.New(), ended: make(chan error, 5)}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *Service) start(ctx context.Context) error {
	if err := s.openStore(ctx); err != nil {
		return err
	}
	if err := s.mayListen(); err != nil {
		return err
	}
	if err := s.openTenants(ctx); err != nil {
		return err
	}
	s.beginUpkeep()
	if err := s.beginTracing(ctx); err != nil {
		return err
	}
	s.buildGRPC()
	if err := s.listen(ctx); err != nil {
		return err
	}
	return s.beginTraining()
}

// beginTraining starts the schedule, which needs the port.
func (s *Service) beginTraining() error {
	if !s.config.Training.On() {
		return nil
	}
	addr, err := s.listenInside()
	if err != nil {
		return err
	}
	trains, err := schedule.Start(s.config.Training, s.tenants, s.keys, addr)
	if err != nil {
		return err
	}
	s.trains.Store(trains)
	return nil
}

// training says how the schedule does with a tenant; false: nothing is trained.
func (s *Service) training(tenant string) (schedule.Status, bool) {
	return s.trains.Load().Status(tenant)
}

// Lend makes a key that lives as long as this process, or until end.
func (s *Service) Lend(tenant string, role record.Role, name string) (secret string, end func()) {
	return s.keys.Lend(tenant, role, name)
}

func (s *Service) openStore(ctx context.Context) error {
	options := s.config.Store
	options.Logger = s.config.Log
	begin := time.Now()
	var err error
	if s.store, err = store.Open(s.config.Data, options); err != nil {
		return err
	}
	s.config.Log.Info("store opened", "open_s", time.Since(begin).Round(time.Millisecond).Seconds())
	if s.keys, err = auth.Load(ctx, s.store); err != nil {
		return err
	}
	if s.audit, err = audit.Open(AuditDir(s.config.Data), audit.Options{NoSync: !options.Sync}); err != nil {
		return err
	}
	if _, err = s.store.Tenant(auth.DefaultTenant); !errors.Is(err, record.ErrNotFound) {
		return err
	}
	_, err = s.store.CreateTenant(ctx, record.Tenant{Name: auth.DefaultTenant, Created: time.Now()})
	return err
}

func (s *Service) openTenants(ctx context.Context) error {
	c := s.config.Shop
	c.Log = s.config.Log
	if c.Outcomes == nil {
		c.Outcomes = telemetry.NewOnline(s.metrics.Registry, s.config.OnlineWindow, s.config.OnlineLists, time.Now())
	}
	var err error
	if c.Encoder == nil {
		if c.Encoder, err = defaultEncoder(); err != nil {
			return err
		}
	}
	if c.Encoding.Bridge == nil && !embed.IsImmediate(c.Encoder) {
		if c.Encoding.Bridge, err = defaultEncoder(); err != nil {
			return err
		}
	}
	if s.tenants, err = shop.OpenAll(ctx, tenantStore{s.store}, c); err != nil {
		return err
	}
	s.metrics.Registry.MustRegister(&tenantMetrics{tenants: s.tenants}, &trainingMetrics{tenants: s.tenants, status: s.training})
	return nil
}

// tenantStore adapts the store: its tenants are the shop's logs.
type tenantStore struct{ *store.Store }

func (t tenantStore) Log(name string) (shop.Log, error) {
	tenant, err := t.Store.Tenant(name)
	if err != nil {
		return nil, err
	}
	return tenantLog{tenant}, nil
}

type tenantLog struct{ *store.Tenant }

// Submit gives the store's pending batch as the interface that the shop waits on.
func (t tenantLog) Submit(ctx context.Context, batch []record.Mutation) (shop.Waiter, error) {
	p, err := t.Tenant.Submit(ctx, batch)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (s *Service) buildGRPC() {
	s.keyless = s.keys.Active() == 0
	gate := &auth.Gate{
		Ring: s.keys, AllowOpen: s.keyless, Roles: api.Roles(),
		Public: map[string]bool{
			healthpb.Health_Check_FullMethodName: true, healthpb.Health_Watch_FullMethodName: true,
		},
	}
	s.quotas = quota.New(s.config.Quotas)
	s.metrics.Registry.MustRegister(&quotaMetrics{s.quotas})
	quotas := api.Quotas{Keeper: s.quotas}
	permits := api.Permits{Classes: limit.NewClasses(s.config.Permits)}
	s.metrics.Registry.MustRegister(&permitMetrics{permits.Classes})
	auditor := api.Auditor{Audit: s.audit, Now: time.Now, Log: s.config.Log}
	guard := api.Recovery{Log: s.config.Log, Of: "service"}
	requests := telemetry.Requests{Log: s.config.Log}
	first := &early{gate: gate, quotas: quotas, calmer: calmer{s.config.RefusalPause}, metrics: s.metrics, message: 4 * s.config.ReadTimeout}
	s.grpc = grpc.NewServer(append(s.traced(), grpc.InTapHandle(first.handle),
		grpc.NumStreamWorkers(uint32(streamWorkers*runtime.GOMAXPROCS(0))),
		grpc.ForceServerCodecV2(api.Codec{}), grpc.MaxRecvMsgSize(s.config.MaxMessage), grpc.MaxConcurrentStreams(s.config.MaxStreams),
		grpc.ConnectionTimeout(10*time.Second), s.config.Keepalive.parameters(), s.config.Keepalive.policy(),
		grpc.ChainUnaryInterceptor(arrived, requests.Unary, s.metrics.Unary, guard.Unary, gate.Unary, quotas.Unary, auditor.Unary, gate.PermitUnary, permits.Unary, api.RefuseMalformed, api.RestrictBrowser),
		grpc.ChainStreamInterceptor(requests.Stream, s.metrics.Stream, guard.Stream, gate.Stream, quotas.Stream, auditor.Stream, gate.PermitStream, permits.Stream, api.RefuseMalformedStream),
	)...)
	server := &api.Server{Tenants: s.tenants, Keys: s.keys, Audit: s.audit, Now: time.Now, Log: s.config.Log, Bounds: s.config.Bounds, Reload: s.config.Reload}
	server.Training = s.training
	server.Register(s.grpc)
	s.addOperations(server)
	s.health = health.NewServer()
	healthpb.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
	s.metrics.Prepare(s.grpc.GetServiceInfo())
	first.know(s.grpc.GetServiceInfo())
	s.nowServing()
}

// streamWorkers are the goroutines for each thread that calls are answered on, one after another. One that is new for each call
// begins with a small stack and copies it as it grows, which took a sixteenth of the time of Recommend. Calls past them get one
// of their own.
const streamWorkers = 16

func (s *Service) serve(run func() error) {
	s.servers++
	go func() {
		err := run()
		if errors.Is(err, grpc.ErrServerStopped) {
			err = nil // stopped before it began
		}
		s.ended <- err
	}()
}

// Addr is where gRPC is served, HTTPAddr where HTTP is; "" if it is not.
func (s *Service) Addr() string { return s.grpcAddr.String() }

// HTTPAddr is where gRPC-Web, JSON and health are served; "" if they are not.
func (s *Service) HTTPAddr() string {
	if s.httpAddr == nil {
		return ""
	}
	return s.httpAddr.String()
}

// OpsAddr is where metrics are served apart from calls; "" if they are not.
func (s *Service) OpsAddr() string {
	if s.opsAddr == nil {
		return ""
	}
	return s.opsAddr.String()
}

// Open reports whether calls need no key. Keys made while an open service runs are
// checked where a call gives one; all calls need one from the next start on.
func (s *Service) Open() bool { return s.keyless }

// Tenants returns the shops, for callers in process.
func (s *Service) Tenants() *shop.Registry { return s.tenants }

// Wait returns when ctx ends (nil) or a server fails (its error). Call Stop then.
func (s *Service) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.ended:
		s.servers--
		return err
	}
}

// Stop drains and closes all. It returns the first fault.
func (s *Service) Stop() error {
	s.trains.Load().Stop()
	s.leave()
	drained := make(chan struct{})
	go func() { s.drainHTTP(); s.grpc.GracefulStop(); close(drained) }()
	select {
	case <-drained:
	case <-time.After(s.config.Drain):
		s.config.Log.Warn("calls cut off after the drain time", "drain", s.config.Drain)
		s.cutHTTP()
		s.grpc.Stop()
		<-drained
	}
	return s.close()
}

// close shuts what is open, in the order of use.
func (s *Service) close() error {
	var errs []error
	s.trains.Load().Stop()
	if s.grpc != nil {
		s.grpc.Stop()
	}
	for _, h := range s.http {
		errs = append(errs, h.Close())
	}
	for ; s.servers > 0; s.servers-- {
		errs = append(errs, <-s.ended)
	}
	if s.inside != "" {
		errs = append(errs, os.RemoveAll(s.inside))
	}
	if s.tenants != nil {
		errs = append(errs, s.tenants.Close())
	}
	s.upkeep.stop()
	if err := s.tracing.Close(); err != nil {
		s.config.Log.Warn("traces lost", "error", err) // no fault of the service's
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}
