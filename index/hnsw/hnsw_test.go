package hnsw_test

import (
	"io"
	"testing"

	"github.com/kindred-rec/kindred/index"
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
