package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
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

// fill writes n events and returns the tenant.
func fill(b *testing.B, t *Tenant, n int) {
	b.Helper()
	r, now := rand.New(rand.NewPCG(1, 1)), time.Now()
	for first := 0; first < n; first += 1000 {
		var batch []record.Mutation
		for i := range min(1000, n-first) {
			batch = append(batch, benchEvent(r, uint64(first+i), now))
		}
		if _, _, err := t.Append(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHistory reads the newest 50 events of a user, over 300,000 events on
// disk and in memtables.
func BenchmarkHistory(b *testing.B) {
	_, t := openBench(b, func(o *Options) { o.Sync = false })
	fill(b, t, 300_000)
	now := time.Now()
	for i := range 60 {
		batch := make([]record.Mutation, 0, 100)
		for k := range 100 {
			e := benchEvent(rand.New(rand.NewPCG(2, uint64(i*100+k))), uint64(1_000_000+i*100+k), now)
			e.Event.User = fmt.Sprint("reader", k)
			batch = append(batch, e)
		}
		if _, _, err := t.Append(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	var numbers []uint64
	for k := range 100 {
		n, known := t.UserNumber(fmt.Sprint("reader", k), "")
		if !known {
			b.Fatal("a reader has no number")
		}
		numbers = append(numbers, n)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		events, err := t.History(numbers[i%len(numbers)], 0, 50)
		if err != nil || len(events) != 50 {
			b.Fatalf("%d events, %v", len(events), err)
		}
	}
}

// BenchmarkReplay reads 300,000 events back from the log.
func BenchmarkReplay(b *testing.B) {
	_, t := openBench(b, func(o *Options) { o.Sync = false })
	const n = 300_000
	fill(b, t, n)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		count := 0
		if err := t.ScanLog(0, func(e record.Entry) error {
			if e.Event != nil {
				count++
			}
			return nil
		}); err != nil || count != n {
			b.Fatalf("%d events, %v", count, err)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkInspect looks at the tables of 300,000 events before they are opened.
func BenchmarkInspect(b *testing.B) {
	s, t := openBench(b, func(o *Options) { o.Sync = false })
	fill(b, t, 300_000)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	size := int64(0)
	files, err := tableFiles(s.dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		size += info.Size()
	}
	if size < 10<<20 {
		b.Fatalf("there are %d bytes to look at", size)
	}
	b.SetBytes(size)
	b.ResetTimer()
	for b.Loop() {
		if err := inspect(s.dir, s.options); err != nil {
			b.Fatal(err)
		}
	}
}
