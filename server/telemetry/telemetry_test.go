package telemetry

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func prepared() *Metrics {
	m := New()
	m.Prepare(map[string]grpc.ServiceInfo{"s.S": {Methods: []grpc.MethodInfo{{Name: "Do"}}}})
	return m
}

func TestCallsAreCountedByCode(t *testing.T) {
	m := prepared()
	for _, err := range []error{nil, nil, status.Error(codes.NotFound, "x"), status.Error(codes.Code(99), "x")} {
		m.Unary(context.Background(), nil, &grpc.UnaryServerInfo{FullMethod: "/s.S/Do"}, func(context.Context, any) (any, error) { return nil, err })
	}
	for code, want := range map[string]float64{"OK": 2, "NotFound": 1, "Unknown": 1, "Internal": 0} {
		if got := testutil.ToFloat64(m.total.WithLabelValues("/s.S/Do", code)); got != want {
			t.Errorf("%s: %v calls, want %v", code, got, want)
		}
	}
}

func TestUnknownMethodsMakeNoSeries(t *testing.T) {
	m := prepared()
	before := testutil.CollectAndCount(m.total)
	m.Unary(context.Background(), nil, &grpc.UnaryServerInfo{FullMethod: "/made/Up"}, func(context.Context, any) (any, error) { return nil, nil })
	if after := testutil.CollectAndCount(m.total); after != before {
		t.Errorf("%d series became %d", before, after)
	}
}

func TestCountingACallAllocatesNothing(t *testing.T) {
	m, info := prepared(), &grpc.UnaryServerInfo{FullMethod: "/s.S/Do"}
	next := func(context.Context, any) (any, error) { return nil, nil }
	if n := testing.AllocsPerRun(1000, func() { m.Unary(context.Background(), nil, info, next) }); n != 0 {
		t.Errorf("%v allocations a call", n)
	}
}
