package coder_test

import (
	"errors"
	"io"
	"testing"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/coder"
	"github.com/kindred-rec/kindred/index/indextest"
)

func TestConformance(t *testing.T) {
	indextest.Run(t, indextest.Engine{
		Name: "coder",
		New: func(t testing.TB, dim, maxItems int) index.Index {
			x, err := coder.New(coder.Config{Dim: dim, MaxItems: maxItems, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			return x
		},
		Load: func(r io.Reader, dim, maxItems int) (index.Index, error) {
			return coder.Load(r, coder.Config{Dim: dim, MaxItems: maxItems, Seed: 1})
		},
		RecallFloor: .3,
		Falls: map[indextest.Requirement]string{
			indextest.Recall:       "the search stops at the first step that improves nothing",
			indextest.Completeness: "parts of the graph may be cut off from the rest",
			indextest.NoAllocation: "the search keeps its state in maps",
		},
	})
}

func TestRefusesBadConfigurations(t *testing.T) {
	for _, cfg := range []coder.Config{{}, {Dim: 3}, {Dim: 3, MaxItems: 9, M: 1}, {Dim: 3, MaxItems: 9, M: 999}, {Dim: 3, MaxItems: 9, EfSearch: -1}} {
		if _, err := coder.New(cfg); !errors.Is(err, index.ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}
