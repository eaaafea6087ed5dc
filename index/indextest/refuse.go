package indextest

import (
	"errors"
	"math"
	"testing"

	"github.com/kindred-rec/kindred/index"
)

func testBadVectors(t *testing.T, e Engine) {
	x := e.New(t, 3, 10)
	add(t, x, 1, axis(3, 0))
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		v    []float32
		want error
	}{
		"nil":       {nil, index.ErrDimension},
		"short":     {[]float32{1, 0}, index.ErrDimension},
		"long":      {[]float32{1, 0, 0, 0}, index.ErrDimension},
		"NaN":       {[]float32{0, nan, 0}, index.ErrNotFinite},
		"infinite":  {[]float32{0, 0, inf}, index.ErrNotFinite},
		"minus inf": {[]float32{-inf, 0, 0}, index.ErrNotFinite},
		"too long":  {[]float32{3e38, 3e38, 0}, index.ErrNotFinite},
	} {
		if err := x.Add(2, c.v); !errors.Is(err, c.want) {
			t.Errorf("%s: Add: %v, want %v", name, err, c.want)
		}
		if err := x.Update(1, c.v); !errors.Is(err, c.want) {
			t.Errorf("%s: Update: %v, want %v", name, err, c.want)
		}
		if hits, err := x.Search(index.Query{Vector: c.v, K: 1}, nil); !errors.Is(err, c.want) || len(hits) != 0 {
			t.Errorf("%s: Search: %v, %v, want %v", name, hits, err, c.want)
		}
	}
	if v, ok := x.Vector(1, nil); x.Len() != 1 || !ok || v[0] != 1 {
		t.Errorf("refused vectors changed the index: %d items, item 1 is %v", x.Len(), v)
	}
}

func testBadItems(t *testing.T, e Engine) {
	x := e.New(t, 2, 10)
	add(t, x, 9, axis(2, 0))
	for name, c := range map[string]struct{ err, want error }{
		"add at the bound":    {x.Add(10, axis(2, 0)), index.ErrID},
		"add a wild number":   {x.Add(math.MaxUint32, axis(2, 0)), index.ErrID},
		"add twice":           {x.Add(9, axis(2, 1)), index.ErrExists},
		"update at the bound": {x.Update(10, axis(2, 0)), index.ErrID},
		"update absent":       {x.Update(8, axis(2, 0)), index.ErrNotFound},
		"delete absent":       {x.Delete(8), index.ErrNotFound},
		"delete out of range": {x.Delete(math.MaxUint32), index.ErrNotFound},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", name, c.err, c.want)
		}
	}
	if _, ok := x.Vector(math.MaxUint32, nil); ok || x.Len() != 1 {
		t.Errorf("wild numbers changed the index")
	}
	if v, _ := x.Vector(9, nil); v[0] != 1 {
		t.Errorf("the second Add replaced the first: %v", v)
	}
}

func testBadQueries(t *testing.T, e Engine) {
	x := e.New(t, 2, 10)
	add(t, x, 0, axis(2, 0))
	keep := []index.Hit{{ID: 77}}
	for _, q := range []index.Query{{K: 0}, {K: -1}, {K: 1, Effort: -1}} {
		q.Vector = axis(2, 0)
		if hits, err := x.Search(q, keep); !errors.Is(err, index.ErrQuery) || len(hits) != 1 {
			t.Errorf("K %d, Effort %d: %v, %v, want %v", q.K, q.Effort, hits, err, index.ErrQuery)
		}
	}
	// A large K is no error, and must not reserve memory by itself.
	if hits := search(t, x, index.Query{Vector: axis(2, 0), K: math.MaxInt32}); len(hits) != 1 {
		t.Errorf("found %v", hits)
	}
}
