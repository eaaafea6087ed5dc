package hnsw_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/flat"
	"github.com/kindred-rec/kindred/index/hnsw"
)

// The benchmarks run over clustered unit vectors, 500 clusters of 100, as
// catalogs are, and report recall@10 beside time.
const (
	benchItems    = 50_000
	benchDim      = 128
	benchClusters = 500
	benchQueries  = 200
)

// catalog is what the benchmarks search.
type catalog struct {
	vectors, queries [][]float32
	cluster          []int // of each vector
	home             []int // cluster of each query
	centres          [][]float32
	exact            *flat.Index
}

var drawCatalog = sync.OnceValue(func() *catalog {
	rng := rand.New(rand.NewPCG(1, 2))
	c := &catalog{}
	for range benchClusters {
		c.centres = append(c.centres, normal(rng))
	}
	draw := func(n int) (rows [][]float32, cluster []int) {
		for range n {
			at := rng.IntN(benchClusters)
			v := normal(rng)
			for i, x := range c.centres[at] {
				v[i] = 1.3*v[i] + x
			}
			rows, cluster = append(rows, unit(v)), append(cluster, at)
		}
		return rows, cluster
	}
	c.vectors, c.cluster = draw(benchItems)
	c.queries, c.home = draw(benchQueries)
	c.exact, _ = flat.New(flat.Config{Dim: benchDim, MaxItems: benchItems}) // the configuration is right
	for i, v := range c.vectors {
		_ = c.exact.Add(uint32(i), v) // and so are the vectors
	}
	return c
})

func normal(rng *rand.Rand) []float32 {
	v := make([]float32, benchDim)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func unit(v []float32) []float32 {
	sum := 0.
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

func eachStorage(b *testing.B, body func(b *testing.B, cfg hnsw.Config)) {
	for _, storage := range []hnsw.Storage{hnsw.Float32, hnsw.Int8} {
		b.Run(storage.String(), func(b *testing.B) {
			body(b, hnsw.Config{Dim: benchDim, MaxItems: benchItems, Seed: 1, Storage: storage, Dir: b.TempDir()})
		})
	}
}

// run searches for all queries, over and over, and reports recall.
func (c *catalog) run(b *testing.B, x index.Index, effort int, allow func(query int) []uint64) {
	b.Helper()
	bitmaps := make([][]uint64, len(c.queries))
	for i := range bitmaps {
		bitmaps[i] = allow(i)
	}
	var hits []index.Hit
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		at := i % len(c.queries)
		var err error
		hits, err = x.Search(index.Query{Vector: c.queries[at], K: 10, Effort: effort, Allow: bitmaps[at]}, hits[:0])
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(c.recall(b, x, effort, bitmaps), "recall@10")
}

func (c *catalog) recall(b *testing.B, x index.Index, effort int, bitmaps [][]uint64) float64 {
	b.Helper()
	held, total := 0, 0
	for i, v := range c.queries {
		q := index.Query{Vector: v, K: 10, Effort: effort, Allow: bitmaps[i]}
		want, err := c.exact.Search(q, nil)
		if err != nil {
			b.Fatal(err)
		}
		got, err := x.Search(q, nil)
		if err != nil {
			b.Fatal(err)
		}
		total += len(want)
		for _, h := range got {
			if slices.ContainsFunc(want, func(w index.Hit) bool { return w.ID == h.ID }) {
				held++
			}
		}
	}
	return float64(held) / float64(total)
}

func everything(int) []uint64 { return nil }

func BenchmarkSearch(b *testing.B) {
	eachStorage(b, func(b *testing.B, cfg hnsw.Config) {
		c := drawCatalog()
		x := built(b, cfg, 0, c.vectors)
		for _, ef := range []int{20, 40, 80} {
			b.Run(fmt.Sprintf("ef=%d", ef), func(b *testing.B) { c.run(b, x, ef, everything) })
		}
	})
}

// The filters keep a share of the items: at random, or of whole clusters, those
// nearest to the query or those farthest from it.
func BenchmarkFilter(b *testing.B) {
	eachStorage(b, func(b *testing.B, cfg hnsw.Config) {
		c := drawCatalog()
		x := built(b, cfg, 0, c.vectors)
		b.Run("all", func(b *testing.B) { c.run(b, x, 40, everything) })
		for _, share := range []float64{.5, .1, .01, .001} {
			rng := rand.New(rand.NewPCG(3, 4))
			for name, allow := range map[string]func(int) []uint64{
				"random": func(int) []uint64 { return c.bitmap(func(int) bool { return rng.Float64() < share }) },
				"near":   func(q int) []uint64 { return c.clusters(q, share, 1) },
				"far":    func(q int) []uint64 { return c.clusters(q, share, -1) },
			} {
				b.Run(fmt.Sprintf("keep=%v/%s", share, name), func(b *testing.B) { c.run(b, x, 40, allow) })
			}
		}
	})
}

func (c *catalog) bitmap(keep func(item int) bool) []uint64 {
	words := make([]uint64, (benchItems+63)/64)
	for i := range benchItems {
		if keep(i) {
			words[i/64] |= 1 << (i % 64)
		}
	}
	return words
}

// clusters keeps the share of clusters that is nearest to the query, or for a
// sign of -1 farthest from it.
func (c *catalog) clusters(query int, share, sign float64) []uint64 {
	order := make([]int, benchClusters)
	near := make([]float64, benchClusters)
	for i, centre := range c.centres {
		order[i] = i
		for j, x := range unit(slices.Clone(centre)) {
			near[i] += sign * float64(x) * float64(c.queries[query][j])
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(near[b], near[a]) })
	kept := map[int]bool{}
	for _, at := range order[:max(1, int(share*benchClusters))] {
		kept[at] = true
	}
	return c.bitmap(func(i int) bool { return kept[c.cluster[i]] })
}

// One pass deletes half of the items and adds them again, in random order,
// while two threads search; the quiet p99 is theirs before it.
func BenchmarkChurn(b *testing.B) {
	eachStorage(b, func(b *testing.B, cfg hnsw.Config) {
		c := drawCatalog()
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
		c := drawCatalog()
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
		x := built(b, cfg, 0, drawCatalog().vectors)
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
