package hnsw_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/hnsw"
)

// filtered is a catalog large enough that at filterEffort no filter that keeps
// a tenth is scanned, and an index of it in each storage.
var filtered = sync.OnceValue(func() (f struct {
	c *catalog
	x [2]*hnsw.Index
	error
}) {
	f.c = drawCatalog(12_000, 128, 120, 100)
	for _, storage := range storages {
		x, err := hnsw.New(hnsw.Config{Dim: f.c.dim, MaxItems: len(f.c.vectors), EfConstruction: 100, Seed: 1, Storage: storage})
		if err == nil {
			err = x.Build(context.Background(), len(f.c.vectors), 0, func(id uint32) []float32 { return f.c.vectors[id] })
		}
		f.x[storage], f.error = x, errors.Join(f.error, err)
	}
	return f
})

const filterEffort = 18

var storages = []hnsw.Storage{hnsw.Float32, hnsw.Int8}

func eachStorageOf(t *testing.T, body func(t *testing.T, c *catalog, x *hnsw.Index)) {
	f := filtered()
	if f.error != nil {
		t.Fatal(f.error)
	}
	for _, storage := range storages {
		t.Run(storage.String(), func(t *testing.T) { body(t, f.c, f.x[storage]) })
	}
}

func TestFilteredRecallInEveryCell(t *testing.T) {
	eachStorageOf(t, func(t *testing.T, c *catalog, x *hnsw.Index) {
		for _, share := range []float64{.5, .1, .01, .001} {
			for _, f := range filters {
				if r := c.recall(t, x, filterEffort, f.bitmaps(c, share)); r < .95 {
					t.Errorf("%v kept, %s: recall %.3f", share, f.name, r)
				}
			}
		}
	})
}

// What is allowed lies at the edge of every cluster, or in the one cluster that
// is farthest from the query: there are links to it from few sides.
func TestFilteredRecallOfWhatLinksHardlyReach(t *testing.T) {
	eachStorageOf(t, func(t *testing.T, c *catalog, x *hnsw.Index) {
		near := make([]float64, len(c.vectors))
		for i, v := range c.vectors {
			near[i] = product(v, unit(slices.Clone(c.centres[c.cluster[i]])))
		}
		sorted := slices.Sorted(slices.Values(near))
		for _, share := range []float64{.3, .1} {
			bar := sorted[int(share*float64(len(sorted)))]
			fringe := c.bitmap(func(i int) bool { return near[i] < bar })
			bitmaps := make([][]uint64, len(c.queries))
			for i := range bitmaps {
				bitmaps[i] = fringe
			}
			if r := c.recall(t, x, filterEffort, bitmaps); r < .95 {
				t.Errorf("the %v farthest from their centres: recall %.3f", share, r)
			}
		}
		if r := c.recall(t, x, 2, filters[3].bitmaps(c, 0)); r < .95 { // too many for a scan at that effort
			t.Errorf("one far cluster: recall %.3f", r)
		}
	})
}

func TestABitmapOfEverythingFindsWhatNoneFinds(t *testing.T) {
	eachStorageOf(t, func(t *testing.T, c *catalog, x *hnsw.Index) {
		none, all := make([][]uint64, len(c.queries)), make([][]uint64, len(c.queries))
		whole := c.bitmap(func(int) bool { return true })
		for i := range all {
			all[i] = whole
		}
		free, filtered := c.recall(t, x, filterEffort, none), c.recall(t, x, filterEffort, all)
		if filtered < free-.002 || free < .95 {
			t.Errorf("recall %.3f under a bitmap of everything, %.3f under none", filtered, free)
		}
	})
}

func TestFilteredSearchDoesNotAllocate(t *testing.T) {
	eachStorageOf(t, func(t *testing.T, c *catalog, x *hnsw.Index) {
		for _, f := range filters {
			for _, share := range []float64{.5, .1, .01} {
				bitmaps := f.bitmaps(c, share)
				var hits []index.Hit
				all := func() {
					for i, v := range c.queries {
						hits, _ = x.Search(index.Query{Vector: v, K: 10, Effort: filterEffort, Allow: bitmaps[i]}, hits[:0])
					}
				}
				all()
				if n := testing.AllocsPerRun(1, all); n > 0 {
					t.Errorf("%v kept, %s: %v allocations in %d searches", share, f.name, n, len(c.queries))
				}
			}
		}
	})
}

// The catalog grows past the size at which codes are made, while items are
// updated and deleted, and others search under filters.
func TestFilteredSearchWhileTheCatalogGrows(t *testing.T) {
	// So many queries that the recall of one graph is known to .003: every run has another graph, and with 50 one in
	// forty fell below the bound by chance.
	const queries = 400
	c := drawCatalog(4800, 16, 48, queries)
	x := mustNew(t, hnsw.Config{Dim: c.dim, MaxItems: len(c.vectors), EfConstruction: 60, Seed: 1})
	bitmaps := slices.Concat(filters[0].bitmaps(c, .6), filters[3].bitmaps(c, .6))
	var searching, writing sync.WaitGroup
	done := make(chan struct{})
	for s := range 2 {
		searching.Go(func() {
			for i := s; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				q := index.Query{Vector: c.queries[i%queries], K: 10, Effort: 10, Allow: bitmaps[i%len(bitmaps)]}
				hits, err := x.Search(q, nil)
				for _, h := range hits {
					if !q.Allows(h.ID) {
						err = fmt.Errorf("item %d is not allowed", h.ID)
					}
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for w := range 3 {
		writing.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			for i := w; i < len(c.vectors); i += 3 {
				// It comes with another's vector, and some go for a while.
				err := errors.Join(x.Add(uint32(i), c.vectors[rng.IntN(len(c.vectors))]), x.Update(uint32(i), c.vectors[i]))
				if i%5 == 0 {
					err = errors.Join(err, x.Delete(uint32(i)), x.Add(uint32(i), c.vectors[i]))
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()
	close(done)
	searching.Wait()
	for i, f := range []filter{filters[0], filters[3]} {
		if r := c.recall(t, x, 10, bitmaps[queries*i:queries*(i+1)]); r < .95 {
			t.Errorf("%s afterwards: recall %.3f", f.name, r)
		}
	}
}
