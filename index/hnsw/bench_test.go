package hnsw_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/hnsw"
)

// The benchmarks run over clustered unit vectors, 500 clusters of 100, as
// catalogs are, and report recall@10 beside time.
const benchItems = 50_000

var benchCatalog = sync.OnceValue(func() *catalog { return drawCatalog(benchItems, 128, 500, 200) })

func eachStorage(b *testing.B, body func(b *testing.B, cfg hnsw.Config)) {
	for _, storage := range []hnsw.Storage{hnsw.Float32, hnsw.Int8} {
		b.Run(storage.String(), func(b *testing.B) {
			body(b, hnsw.Config{Dim: 128, MaxItems: benchItems, Seed: 1, Storage: storage, Dir: b.TempDir()})
		})
	}
}

// run searches for all queries, over and over, and reports recall.
func (c *catalog) run(b *testing.B, x index.Index, effort int) {
	b.Helper()
	var hits []index.Hit
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		var err error
		hits, err = x.Search(index.Query{Vector: c.queries[i%len(c.queries)], K: 10, Effort: effort}, hits[:0])
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(c.recall(b, x, effort, make([][]uint64, len(c.queries))), "recall@10")
}

func BenchmarkSearch(b *testing.B) {
	eachStorage(b, func(b *testing.B, cfg hnsw.Config) {
		c := benchCatalog()
		x := built(b, cfg, 0, c.vectors)
		for _, ef := range []int{20, 40, 80} {
			b.Run(fmt.Sprintf("ef=%d", ef), func(b *testing.B) { c.run(b, x, ef) })
		}
	})
}

// One pass deletes half of the items and adds them again, in random order,
// while two threads search; the quiet p99 is theirs before it.
func BenchmarkChurn(b *testing.B) {
	eachStorage(b, func(b *testing.B, cfg hnsw.Config) {
		c := benchCatalog()
		x := built(b, cfg, 0, c.vectors)
		bitmaps := make([][]uint64, len(c.queries))
		fresh := c.recall(b, x, 40, bitmaps)
		quiet := c.latencies(b, x, func() { time.Sleep(2 * time.Second) })
		var churn []time.Duration
		for b.Loop() {
			churn = c.latencies(b, x, func() { churnHalf(b, x, c) })
		}
		b.ReportMetric(fresh, "recall-fresh")
		b.ReportMetric(c.recall(b, x, 40, bitmaps), "recall-after")
		b.ReportMetric(p99(quiet), "quiet-p99-us")
		b.ReportMetric(p99(churn), "churn-p99-us")
	})
}

func churnHalf(b *testing.B, x *hnsw.Index, c *catalog) {
	rng := rand.New(rand.NewPCG(5, 6))
	half := rng.Perm(benchItems)[:benchItems/2]
	for _, id := range half {
		if err := x.Delete(uint32(id)); err != nil {
			b.Fatal(err)
		}
	}
	rng.Shuffle(len(half), func(i, j int) { half[i], half[j] = half[j], half[i] })
	for _, id := range half {
		if err := x.Add(uint32(id), c.vectors[id]); err != nil {
			b.Fatal(err)
		}
	}
}

// latencies are those of two threads that search until during returns.
func (c *catalog) latencies(b *testing.B, x index.Index, during func()) []time.Duration {
	var stop atomic.Bool
	var threads sync.WaitGroup
	var took [2][]time.Duration
	for i := range took {
		threads.Go(func() {
			var hits []index.Hit
			for n := 0; !stop.Load(); n++ {
				start := time.Now()
				var err error
				hits, err = x.Search(index.Query{Vector: c.queries[n%len(c.queries)], K: 10, Effort: 40}, hits[:0])
				took[i] = append(took[i], time.Since(start))
				if err != nil || len(hits) != 10 {
					b.Errorf("%d hits, %v", len(hits), err)
					return
				}
			}
		})
	}
	during()
	stop.Store(true)
	threads.Wait()
	return slices.Concat(took[0], took[1])
}

func p99(took []time.Duration) float64 {
	slices.Sort(took)
	return float64(took[len(took)*99/100].Nanoseconds()) / 1000
}

func BenchmarkBuild(b *testing.B) {
	eachStorage(b, func(b *testing.B, cfg hnsw.Config) {
		c := benchCatalog()
		for _, workers := range []int{1, 0} {
			b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
				for b.Loop() {
					built(b, cfg, workers, c.vectors)
				}
				b.ReportMetric(float64(benchItems*b.N)/b.Elapsed().Seconds(), "vectors/s")
			})
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	eachStorage(b, func(b *testing.B, cfg hnsw.Config) {
		x := built(b, cfg, 0, benchCatalog().vectors)
		path := filepath.Join(b.TempDir(), "items.hnsw")
		if err := x.WriteFile(path); err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		for b.Loop() {
			if y, err := hnsw.Open(path, cfg); err != nil || y.Len() != benchItems {
				b.Fatal(err)
			}
		}
	})
}
