package telemetry

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	apitrace "go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
)

// TraceConfig says where traces go.
type TraceConfig struct {
	// Addr is HOST:PORT of a collector that takes OTLP over gRPC.
	Addr string
	// Plaintext sends without TLS.
	Plaintext bool
	// Share of calls that are traced where the caller does not say, 0 to 1. A caller that
	// is traced itself is followed.
	Share float64
}

// Tracing sends traces of calls to a collector, and nowhere else. What the collector does
// not take in time is dropped: a call never waits for it.
type Tracing struct {
	provider *trace.TracerProvider
	share    *share
}

// StartTracing begins to trace. Close ends it. No collector need be there.
func StartTracing(ctx context.Context, c TraceConfig) (*Tracing, error) {
	options := []otlptracegrpc.Option{otlptracegrpc.WithEndpoint(c.Addr), otlptracegrpc.WithTimeout(5 * time.Second)}
	if c.Plaintext {
		options = append(options, otlptracegrpc.WithInsecure())
	}
	exporter, err := otlptracegrpc.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("traces to %s: %w", c.Addr, err)
	}
	return newTracing(trace.NewBatchSpanProcessor(exporter), c.Share), nil
}

func newTracing(to trace.SpanProcessor, part float64) *Tracing {
	t := &Tracing{share: &share{}}
	t.SetShare(part)
	t.provider = trace.NewTracerProvider(trace.WithSpanProcessor(to), trace.WithSampler(trace.ParentBased(t.share)),
		trace.WithResource(resource.NewSchemaless(attribute.String("service.name", "kindred"))))
	return t
}

// SetShare changes the share of calls that are traced. A nil t takes it and does nothing.
func (t *Tracing) SetShare(part float64) {
	if t != nil {
		t.share.bits.Store(math.Float64bits(part))
	}
}

// Handler traces the calls of a gRPC server. Those that are not traced cost next to nothing.
func (t *Tracing) Handler() stats.Handler { return &chosenHandler{traced: t.handler(), share: t.share} }

func (t *Tracing) handler() stats.Handler {
	return otelgrpc.NewServerHandler(otelgrpc.WithTracerProvider(t.provider),
		otelgrpc.WithPropagators(propagation.TraceContext{}), otelgrpc.WithMeterProvider(noop.NewMeterProvider()))
}

// Tracer makes spans beside those of Handler. That of a nil t is nil.
func (t *Tracing) Tracer() apitrace.Tracer {
	if t == nil {
		return nil
	}
	return t.provider.Tracer("kindred")
}

// Close sends what waits, for at most five seconds. A nil t has nothing to send.
func (t *Tracing) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("the last traces: %w", err)
	}
	return nil
}

// chosenHandler asks first whether a call is traced, and hands on those that are: a span that nobody keeps would take a sixth of
// what an empty call does. A caller that is traced itself, or says that it is not, is followed.
type chosenHandler struct {
	traced stats.Handler
	share  *share
}

// handedOn is the key of whether a call that is handed on is to be sampled; if not, what the caller says decides.
type handedOn struct{}

// TagRPC implements stats.Handler.
func (h *chosenHandler) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	asked := len(metadata.ValueFromIncomingContext(ctx, "traceparent")) > 0
	if !asked && rand.Float64() >= h.share.part() {
		return ctx
	}
	return h.traced.TagRPC(context.WithValue(ctx, handedOn{}, !asked), info)
}

// HandleRPC implements stats.Handler.
func (h *chosenHandler) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if ctx.Value(handedOn{}) != nil {
		h.traced.HandleRPC(ctx, s)
	}
}

// TagConn implements stats.Handler.
func (h *chosenHandler) TagConn(ctx context.Context, info *stats.ConnTagInfo) context.Context {
	return h.traced.TagConn(ctx, info)
}

// HandleConn implements stats.Handler.
func (h *chosenHandler) HandleConn(ctx context.Context, s stats.ConnStats) {
	h.traced.HandleConn(ctx, s)
}

// share samples what has no parent: what chosenHandler has chosen, and of all else a part that can change, by trace id as
// trace.TraceIDRatioBased does.
type share struct{ bits atomic.Uint64 }

func (s *share) part() float64 { return math.Float64frombits(s.bits.Load()) }

// ShouldSample implements trace.Sampler.
func (s *share) ShouldSample(p trace.SamplingParameters) trace.SamplingResult {
	if chosen, _ := p.ParentContext.Value(handedOn{}).(bool); chosen {
		return trace.AlwaysSample().ShouldSample(p)
	}
	return trace.TraceIDRatioBased(s.part()).ShouldSample(p)
}

// Description implements trace.Sampler.
func (s *share) Description() string { return "share of calls, which can change" }
