package hnsw_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/flat"
	"github.com/kindred-rec/kindred/index/hnsw"
	"github.com/kindred-rec/kindred/index/indextest"
)

func TestConformance(t *testing.T) {
	for _, storage := range []hnsw.Storage{hnsw.Float32, hnsw.Int8} {
		config := func(dim, maxItems int) hnsw.Config {
			return hnsw.Config{Dim: dim, MaxItems: maxItems, Seed: 1, Storage: storage, Dir: t.TempDir()}
		}
		t.Run(storage.String(), func(t *testing.T) {
			indextest.Run(t, indextest.Engine{
				Name: "hnsw " + storage.String(),
				New: func(t testing.TB, dim, maxItems int) index.Index {
					return mustNew(t, config(dim, maxItems))
				},
				Load: func(r io.Reader, dim, maxItems int) (index.Index, error) {
					return hnsw.Load(r, config(dim, maxItems))
				},
			})
		})
	}
}

func mustNew(t testing.TB, cfg hnsw.Config) *hnsw.Index {
	t.Helper()
	x, err := hnsw.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// built is an index of vectors numbered from 0.
func built(t testing.TB, cfg hnsw.Config, workers int, vectors [][]float32) *hnsw.Index {
	t.Helper()
	x := mustNew(t, cfg)
	if err := x.Build(t.Context(), len(vectors), workers, func(id uint32) []float32 { return vectors[id] }); err != nil {
		t.Fatal(err)
	}
	return x
}

// recallOf compares x with an exact index of the same items.
func recallOf(t testing.TB, x index.Index, queries [][]float32, effort int) float64 {
	t.Helper()
	oracle, err := flat.New(flat.Config{Dim: x.Dim(), MaxItems: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for id := uint32(0); oracle.Len() < x.Len(); id++ {
		if v, ok := x.Vector(id, nil); ok {
			if err := oracle.Add(id, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	held := 0
	for _, v := range queries {
		want, err := oracle.Search(index.Query{Vector: v, K: 10}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := x.Search(index.Query{Vector: v, K: 10, Effort: effort}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range got {
			if h.Score >= want[len(want)-1].Score-1e-6 {
				held++
			}
		}
	}
	return float64(held) / float64(10*len(queries))
}

func TestRefusesBadConfigurations(t *testing.T) {
	good := hnsw.Config{Dim: 4, MaxItems: 10}
	for name, change := range map[string]func(*hnsw.Config){
		"no dimension":       func(c *hnsw.Config) { c.Dim = 0 },
		"no items":           func(c *hnsw.Config) { c.MaxItems = 0 },
		"too many items":     func(c *hnsw.Config) { c.MaxItems = 1<<30 + 1 },
		"M of 1":             func(c *hnsw.Config) { c.M = 1 },
		"narrow building":    func(c *hnsw.Config) { c.EfConstruction = 3 },
		"negative effort":    func(c *hnsw.Config) { c.EfSearch = -1 },
		"unknown storage":    func(c *hnsw.Config) { c.Storage = 7 },
		"negative many walk": func(c *hnsw.Config) { c.Walks = -2 },
	} {
		cfg := good
		change(&cfg)
		if _, err := hnsw.New(cfg); !errors.Is(err, index.ErrConfig) {
			t.Errorf("%s: %v, want %v", name, err, index.ErrConfig)
		}
	}
	if _, err := hnsw.New(hnsw.Config{Dim: 4, MaxItems: 10, Storage: hnsw.Int8, Dir: "/nowhere/at/all"}); err == nil {
		t.Error("no error for a folder that does not exist")
	}
}

// The graph, not a scan, must answer here: 8,000 items at an effort of 40.
func TestWalkFindsWhatAScanFinds(t *testing.T) {
	vectors := indextest.Clusters(41, 8100, 32)
	for _, storage := range []hnsw.Storage{hnsw.Float32, hnsw.Int8} {
		x := built(t, hnsw.Config{Dim: 32, MaxItems: 8000, Seed: 1, Storage: storage}, 1, vectors[:8000])
		if r := recallOf(t, x, vectors[8000:], 40); r < .95 {
			t.Errorf("%v: recall %.3f at effort 40", storage, r)
		}
	}
}

func TestParallelBuildRecallsAsASerialOne(t *testing.T) {
	vectors := indextest.Clusters(42, 6200, 32)
	cfg := hnsw.Config{Dim: 32, MaxItems: 6000, Seed: 1}
	serial := recallOf(t, built(t, cfg, 1, vectors[:6000]), vectors[6000:], 30)
	parallel := recallOf(t, built(t, cfg, 8, vectors[:6000]), vectors[6000:], 30)
	if parallel < serial-.01 {
		t.Errorf("recall %.4f built by 8, %.4f built by 1", parallel, serial)
	}
}

func TestBuildStopsAtTheFirstError(t *testing.T) {
	x := mustNew(t, hnsw.Config{Dim: 2, MaxItems: 100})
	err := x.Build(t.Context(), 100, 4, func(id uint32) []float32 {
		if id == 50 {
			return []float32{1}
		}
		return []float32{1, float32(id)}
	})
	if !errors.Is(err, index.ErrDimension) {
		t.Errorf("%v, want %v", err, index.ErrDimension)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Build(ctx, 100, 1, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
}

func TestSelfCheckSeesBadRecall(t *testing.T) {
	vectors := indextest.Clusters(43, 5000, 32)
	good := built(t, hnsw.Config{Dim: 32, MaxItems: 5000, Seed: 1}, 0, vectors)
	c, err := good.SelfCheck(t.Context(), hnsw.CheckOptions{Queries: 100, K: 10, Seed: 3})
	if err != nil || c.Recall < .95 || c.Queries != 100 || c.Effort != 64 {
		t.Errorf("%+v, %v", c, err)
	}
	poor := built(t, hnsw.Config{Dim: 32, MaxItems: 5000, M: 2, EfConstruction: 2, EfSearch: 11, Seed: 1}, 1, vectors)
	if c, err := poor.SelfCheck(t.Context(), hnsw.CheckOptions{Queries: 100, K: 10, Seed: 3}); err != nil || c.Recall > .8 {
		t.Errorf("a graph of 2 links: %+v, %v", c, err)
	}
	empty := mustNew(t, hnsw.Config{Dim: 32, MaxItems: 10})
	if c, err := empty.SelfCheck(t.Context(), hnsw.CheckOptions{Queries: 5, K: 3}); err != nil || c.Recall != 1 || c.Queries != 0 {
		t.Errorf("nothing to check: %+v, %v", c, err)
	}
	if _, err := good.SelfCheck(t.Context(), hnsw.CheckOptions{}); !errors.Is(err, index.ErrQuery) {
		t.Errorf("%v", err)
	}
}

func ExampleIndex() {
	idx, err := hnsw.New(hnsw.Config{Dim: 2, MaxItems: 100})
	if err != nil {
		fmt.Println(err)
		return
	}
	for id, v := range [][]float32{{1, 0}, {0, 1}, {.6, .8}} {
		if err := idx.Add(uint32(id), v); err != nil {
			fmt.Println(err)
			return
		}
	}
	hits, err := idx.Search(index.Query{Vector: []float32{1, 0}, K: 2}, nil)
	fmt.Println(hits, err)
	// Output: [{0 1} {2 0.6}] <nil>
}
