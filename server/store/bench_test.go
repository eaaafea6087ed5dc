package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// openBench opens a store with one tenant.
func openBench(b *testing.B, change func(*Options)) (*Store, *Tenant) {
	b.Helper()
	o := DefaultOptions()
	o.Logger = quiet
	if change != nil {
		change(&o)
	}
	s, err := Open(b.TempDir(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	if _, err := s.CreateTenant(context.Background(), record.Tenant{Name: "shop"}); err != nil {
		b.Fatal(err)
	}
	t, err := s.Tenant("shop")
	if err != nil {
		b.Fatal(err)
	}
	return s, t
}

// benchEvent is like an event of a shop: 50,000 users, 10,000 items.
func benchEvent(r *rand.Rand, n uint64, now time.Time) record.Mutation {
	return record.Mutation{Event: &record.Event{
		ID:   fmt.Sprintf("ev-%016x", n),
		User: fmt.Sprintf("user-%07d", r.IntN(50_000)), Item: fmt.Sprintf("item-%06d", r.IntN(10_000)),
		Type: record.TypeView, Surface: "product", Time: now.Add(time.Duration(n)),
	}}
}

// BenchmarkAppend writes durable batches of events.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 4, 16} {
		for _, size := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("writers=%d/batch=%d", writers, size), func(b *testing.B) {
				s, t := openBench(b, nil)
				var next atomic.Uint64
				var wg sync.WaitGroup
				now := time.Now()
				b.ReportAllocs()
				b.ResetTimer()
				for w := range writers {
					wg.Go(func() {
						r := rand.New(rand.NewPCG(1, uint64(w)))
						for {
							first := next.Add(uint64(size)) - uint64(size)
							if first >= uint64(b.N) {
								return
							}
							batch := make([]record.Mutation, 0, size)
							for i := range min(uint64(size), uint64(b.N)-first) {
								batch = append(batch, benchEvent(r, first+i, now))
							}
							out, _, err := t.Append(context.Background(), batch)
							if err != nil {
								b.Error(err)
								return
							}
							for _, o := range out {
								if o.Status != record.Added {
									b.Errorf("event %v", o)
								}
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
				stats := s.Stats()
				b.ReportMetric(float64(stats.SyncTime.Microseconds())/float64(stats.Syncs), "us/sync")
				b.ReportMetric(float64(b.N)/float64(stats.Groups), "events/group")
			})
		}
	}
}
