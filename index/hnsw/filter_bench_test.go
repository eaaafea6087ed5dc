package hnsw_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/hnsw"
)

// BenchmarkFilter reports, for every filter, recall@10, microseconds, and how
// many times the unfiltered search that is. Both are asked in turn, and of each
// query the best of several passes counts, so that the ratio stands on a machine
// that does other work too. Once is enough, and takes two minutes:
//
//	go test -run xxx -bench Filter -benchtime 1x ./index/hnsw
func BenchmarkFilter(b *testing.B) {
	for _, n := range []int{50_000, 200_000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			c := drawCatalog(n, 128, 500, 200)
			var x [2]*hnsw.Index
			for _, storage := range []hnsw.Storage{hnsw.Float32, hnsw.Int8} {
				x[storage] = built(b, hnsw.Config{Dim: c.dim, MaxItems: n, Seed: 1, Storage: storage, Dir: b.TempDir()}, 0, c.vectors)
			}
			none := make([][]uint64, len(c.queries))
			whole := c.bitmap(func(int) bool { return true })
			all := make([][]uint64, len(c.queries))
			for i := range all {
				all[i] = whole
			}
			c.compare(b, x, "keep=1/none", none)
			c.compare(b, x, "keep=1/all", all)
			for _, share := range []float64{.5, .1, .01, .001} {
				for _, f := range filters {
					c.compare(b, x, fmt.Sprintf("keep=%v/%s", share, f.name), f.bitmaps(c, share))
				}
			}
		})
	}
}

// compare runs one filter in both storages at two efforts.
func (c *catalog) compare(b *testing.B, x [2]*hnsw.Index, name string, bitmaps [][]uint64) {
	truth := c.truth(b, bitmaps)
	none := make([][]uint64, len(c.queries))
	for storage, x := range x {
		for _, ef := range []int{40, 64} {
			b.Run(fmt.Sprintf("%v/ef=%d/%s", hnsw.Storage(storage), ef, name), func(b *testing.B) {
				for b.Loop() {
					free, filtered := c.race(b, x, ef, none, bitmaps)
					b.ReportMetric(c.recallOf(b, x, ef, bitmaps, truth), "recall@10")
					b.ReportMetric(filtered, "us/query")
					b.ReportMetric(filtered/free, "x-unfiltered")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// race is the microseconds of a search under either list of bitmaps.
func (c *catalog) race(b *testing.B, x index.Index, ef int, lists ...[][]uint64) (first, second float64) {
	const passes = 15
	best := make([][]time.Duration, 2)
	for i := range best {
		best[i] = make([]time.Duration, len(c.queries))
	}
	var hits []index.Hit
	for pass := range passes {
		for i, bitmaps := range lists {
			for q, v := range c.queries {
				query := index.Query{Vector: v, K: 10, Effort: ef, Allow: bitmaps[q]}
				start := time.Now()
				var err error
				hits, err = x.Search(query, hits[:0])
				took := time.Since(start)
				if err != nil {
					b.Fatal(err)
				}
				if pass == 0 || took < best[i][q] {
					best[i][q] = took
				}
			}
		}
	}
	return micros(best[0]), micros(best[1])
}

func micros(took []time.Duration) float64 {
	sum := time.Duration(0)
	for _, t := range took {
		sum += t
	}
	return math.Round(sum.Seconds()*1e7/float64(len(took))) / 10
}
