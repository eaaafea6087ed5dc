//go:build unix

package service_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// processorTime is what this process has used of all cores.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// serveBench is a connection to a service of its own, until the benchmark ends.
func serveBench(b *testing.B, sync bool) *grpc.ClientConn {
	config := service.Config{Data: b.TempDir(), GRPC: "127.0.0.1:0", Store: store.DefaultOptions()}
	config.Store.Sync = sync
	svc, err := service.Start(context.Background(), config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := svc.Stop(); err != nil {
			b.Error(err)
		}
	})
	conn, err := grpc.NewClient(svc.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return conn
}

// BenchmarkWriteEvents writes durable batches of 100 events by 8 writers over gRPC, as load --mode events does, until they are
// applied. An operation is an event; cpu-us/event is the processor time of service and client.
func BenchmarkWriteEvents(b *testing.B) {
	const writers, rows, users, items = 8, 100, 10_000, 2_500
	conn := serveBench(b, true)
	events := kindredv1.NewEventServiceClient(conn)
	var next, added atomic.Int64
	var wait sync.WaitGroup
	begin := processorTime(b)
	b.ReportAllocs()
	b.ResetTimer()
	for w := range writers {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(w)))
			crowd := rand.NewZipf(r, 1.1, 1, users-1)
			for {
				first := next.Add(rows) - rows
				if first >= int64(b.N) {
					return
				}
				req := &kindredv1.WriteEventsRequest{Events: make([]*kindredv1.Event, 0, rows)}
				for n := first; n < min(first+rows, int64(b.N)); n++ {
					req.Events = append(req.Events, view(fmt.Sprint("bench-", n), fmt.Sprint("u", crowd.Uint64()), fmt.Sprint("item-", r.IntN(items))))
				}
				reply, err := events.WriteEvents(context.Background(), req)
				if err != nil {
					b.Error(err)
					return
				}
				added.Add(reply.Added)
			}
		})
	}
	wait.Wait()
	for st := (*kindredv1.TenantStatus)(nil); st == nil || st.LogApplied < st.LogHead; {
		reply, err := kindredv1.NewAdminServiceClient(conn).GetTenant(context.Background(), &kindredv1.GetTenantRequest{})
		if err != nil {
			b.Fatal(err)
		}
		st = reply.Status
	}
	b.StopTimer()
	if added.Load() != int64(b.N) {
		b.Fatalf("%d of %d events were added", added.Load(), b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((processorTime(b)-begin).Microseconds())/float64(b.N), "cpu-us/event")
}
