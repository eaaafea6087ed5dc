// Package telemetry counts, times and traces what the service does: Prometheus figures
// ([Metrics], [Online]), OpenTelemetry traces where a collector is named ([Tracing]), and
// an id for each request that joins its lines of the log ([Requests], [LogHandler]).
// Nothing leaves the process unless it is asked for: figures by a scrape, traces by naming
// a collector. Nothing holds what a user sent.
//
// Metrics carry bounded labels only: method, code, stage, tier, tenant, policy, engine. No user, item or
// key ever becomes a label. The handles of all methods are made before the first
// call, so that a call takes no lock and allocates nothing to be counted.
//
//	kindred_rpc_seconds        histogram  method        from the first to the last byte
//	kindred_rpc_total          counter    method, code
//	kindred_stage_seconds      histogram  stage         wait, profile, encode, retrieve, rank, log
//	kindred_replies_total      counter    tenant, tier  lists returned, by rung of the ladder
//	kindred_online_lists_total counter    tenant, policy, outcome   lists served, clicked, carted, purchased
//	kindred_tenant_items       gauge      tenant        and further gauges, read when scraped
//	kindred_tenant_index_*     gauge      tenant        recall of the last self-check and when it was, effort, items, bytes,
//	                                                    snapshot, and the engine as a label of one of few words
//
// All methods are safe for concurrent use.
package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Metrics holds the registry and the handles.
type Metrics struct {
	Registry *prometheus.Registry

	seconds *prometheus.HistogramVec
	total   *prometheus.CounterVec
	methods map[string]*method
	stages  *stages // nil: replies tell none
}

type method struct {
	seconds prometheus.Observer
	codes   [int(codes.Unauthenticated) + 1]prometheus.Counter
}

// New makes the registry with the metrics of the process and of the Go runtime.
func New() *Metrics {
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "kindred_rpc_seconds", Help: "Time of a call in the service.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}, []string{"method"}),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kindred_rpc_total", Help: "Calls by method and status code.",
		}, []string{"method", "code"}),
		methods: map[string]*method{},
	}
	m.Registry.MustRegister(m.seconds, m.total, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Prepare makes the handles of all methods of a server. Call it after the services
// are registered and before the server serves.
func (m *Metrics) Prepare(services map[string]grpc.ServiceInfo) {
	for service, info := range services {
		for _, rpc := range info.Methods {
			name := "/" + service + "/" + rpc.Name
			h := &method{seconds: m.seconds.WithLabelValues(name)}
			for c := range h.codes {
				h.codes[c] = m.total.WithLabelValues(name, codes.Code(c).String())
			}
			m.methods[name] = h
		}
	}
}

// Unary is the interceptor that counts unary calls.
func (m *Metrics) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	begin := time.Now()
	resp, err := next(ctx, req)
	m.observe(info.FullMethod, begin, err)
	if err == nil {
		m.stages.observe(ctx, begin, resp)
	}
	return resp, err
}

// Stream is the interceptor that counts streams, each as one call.
func (m *Metrics) Stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	begin := time.Now()
	err := next(srv, ss)
	m.observe(info.FullMethod, begin, err)
	return err
}

// Refused counts a call that was refused before the interceptors. It has no time.
func (m *Metrics) Refused(method string, code codes.Code) {
	if h, ok := m.methods[method]; ok && int(code) < len(h.codes) {
		h.codes[code].Inc()
	}
}

func (m *Metrics) observe(name string, begin time.Time, err error) {
	h, ok := m.methods[name]
	if !ok {
		return // not one of ours: the server answers UNIMPLEMENTED itself
	}
	h.seconds.Observe(time.Since(begin).Seconds())
	code := codes.OK
	if err != nil {
		code = status.Code(err)
	}
	if int(code) >= len(h.codes) {
		code = codes.Unknown
	}
	h.codes[code].Inc()
}
