package telemetry

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	apitrace "go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

// ranked is a reply that tells its stages.
type ranked StageTimes

func readRanked(reply any) (StageTimes, bool) {
	r, ok := reply.(*ranked)
	if !ok {
		return StageTimes{}, false
	}
	return StageTimes(*r), true
}

var info = &grpc.UnaryServerInfo{FullMethod: "/s.S/Do"}

func answer(reply any) grpc.UnaryHandler {
	return func(context.Context, any) (any, error) { return reply, nil }
}

func TestStagesThatRanAreCounted(t *testing.T) {
	m := prepared()
	m.Stages(readRanked, nil)
	reply := &ranked{Retrieve: time.Millisecond, Rank: 2 * time.Millisecond}
	for range 3 {
		m.Unary(context.Background(), nil, info, answer(reply))
		m.Unary(context.Background(), nil, info, answer("tells none"))
	}
	if n := testutil.CollectAndCount(m.Registry, "kindred_stage_seconds"); n != int(StageCount) {
		t.Errorf("%d stages have a series, want %d", n, StageCount)
	}
	families, err := m.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, f := range families {
		if f.GetName() == "kindred_stage_seconds" {
			for _, x := range f.Metric {
				counts[x.Label[0].GetValue()] = x.Histogram.GetSampleCount()
			}
		}
	}
	if counts["retrieve"] != 3 || counts["rank"] != 3 || counts["wait"] != 0 {
		t.Errorf("counts %v", counts)
	}
}

func TestATracedCallHasASpanForEachStage(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tracing := newTracing(spans, 1)
	m := prepared()
	m.Stages(readRanked, tracing.Tracer())
	ctx, call := tracing.Tracer().Start(context.Background(), "call")
	m.Unary(ctx, nil, info, answer(&ranked{Profile: time.Millisecond, Rank: 3 * time.Millisecond}))
	call.End()
	ended := spans.Ended()
	if len(ended) != 3 || ended[0].Name() != "profile" || ended[1].Name() != "rank" || ended[2].Name() != "call" {
		t.Fatalf("spans %v", ended)
	}
	if d := ended[1].EndTime().Sub(ended[1].StartTime()); d != 3*time.Millisecond {
		t.Errorf("rank took %s", d)
	}
	if !ended[1].StartTime().Equal(ended[0].EndTime()) || ended[1].Parent().SpanID() != call.SpanContext().SpanID() {
		t.Error("the spans are not laid end to end under their call")
	}
}

func TestTheShareOfTracedCallsChanges(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tracing := newTracing(spans, 0)
	start := func(n int) int {
		before := len(spans.Ended())
		for range n {
			_, s := tracing.Tracer().Start(context.Background(), "x")
			s.End()
		}
		return len(spans.Ended()) - before
	}
	if n := start(100); n != 0 {
		t.Errorf("%d of 100 with a share of 0", n)
	}
	tracing.SetShare(1)
	if n := start(100); n != 100 {
		t.Errorf("%d of 100 with a share of 1", n)
	}
	tracing.SetShare(.5)
	if n := start(1000); n < 400 || n > 600 {
		t.Errorf("%d of 1,000 with a share of a half", n)
	}
}

func TestCallsOfAServerAreTraced(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
	for name, c := range map[string]struct {
		share       float64
		traceparent string // "": none
		least, most int    // spans of 200 calls
	}{
		"all":                       {1, "", 200, 200},
		"a half":                    {0.5, "", 60, 140},
		"none":                      {0, "", 0, 0},
		"a caller that is traced":   {0, parent + "01", 200, 200},
		"a caller that is not":      {1, parent + "00", 0, 0},
		"a traceparent that is not": {0, "nonsense", 0, 0},
	} {
		spans := tracetest.NewSpanRecorder()
		callTraced(t, newTracing(spans, c.share), c.traceparent, 200)
		ended := spans.Ended()
		if len(ended) < c.least || len(ended) > c.most {
			t.Errorf("%s: %d spans of 200 calls", name, len(ended))
		}
		for _, span := range ended {
			if span.Name() != "grpc.health.v1.Health/Check" || c.traceparent == parent+"01" && span.Parent().SpanID().String() != "b7ad6b7169203331" {
				t.Fatalf("%s: span %v", name, span)
			}
		}
	}
}

// callTraced calls a server, over a real port, so often.
func callTraced(t *testing.T, tracing *Tracing, traceparent string, times int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.StatsHandler(tracing.Handler()))
	healthpb.RegisterHealthServer(server, health.NewServer())
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if traceparent != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", traceparent)
	}
	for range times {
		if _, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	conn.Close()
	server.Stop()
	serving.Wait()
}

func TestTracingNeedsNoCollector(t *testing.T) {
	tracing, err := StartTracing(t.Context(), TraceConfig{Addr: "127.0.0.1:1", Plaintext: true, Share: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := tracing.Close(); err != nil {
		t.Error(err)
	}
	var off *Tracing
	off.SetShare(1)
	if off.Tracer() != nil || off.Close() != nil {
		t.Error("tracing that is off traces")
	}
}

// BenchmarkUnary is what counting a call costs: its stages too; with a tracer and a call
// that is not sampled; and with one that is.
func BenchmarkUnary(b *testing.B) {
	reply := &ranked{Profile: 5 * time.Microsecond, Retrieve: 50 * time.Microsecond, Rank: 80 * time.Microsecond, Log: 3 * time.Microsecond}
	run := func(name string, m *Metrics, start func() (context.Context, apitrace.Span)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ctx, span := start()
				if _, err := m.Unary(ctx, nil, info, answer(reply)); err != nil {
					b.Fatal(err)
				}
				if span != nil {
					span.End()
				}
			}
		})
	}
	none := func() (context.Context, apitrace.Span) { return context.Background(), nil }
	run("counted", prepared(), none)
	staged := prepared()
	staged.Stages(readRanked, nil)
	run("stages", staged, none)
	for name, part := range map[string]float64{"stages, not sampled": 0, "stages, sampled": 1} {
		tracing := newTracing(trace.NewBatchSpanProcessor(tracetest.NewNoopExporter()), part)
		m := prepared()
		m.Stages(readRanked, tracing.Tracer())
		ctx, span := tracing.Tracer().Start(context.Background(), "call")
		run(name, m, func() (context.Context, apitrace.Span) { return ctx, nil })
		span.End()
		if err := tracing.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
