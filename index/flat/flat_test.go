package flat_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/flat"
	"github.com/kindred-rec/kindred/index/indextest"
)

func TestConformance(t *testing.T) {
	indextest.Run(t, indextest.Engine{
		Name:  "flat",
		Exact: true,
		New: func(t testing.TB, dim, maxItems int) index.Index {
			return mustNew(t, dim, maxItems)
		},
		Load: func(r io.Reader, dim, maxItems int) (index.Index, error) {
			return flat.Load(r, flat.Config{Dim: dim, MaxItems: maxItems})
		},
	})
}

func mustNew(t testing.TB, dim, maxItems int) *flat.Index {
	t.Helper()
	x, err := flat.New(flat.Config{Dim: dim, MaxItems: maxItems})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestRefusesBadConfigurations(t *testing.T) {
	for _, cfg := range []flat.Config{{}, {Dim: 3}, {MaxItems: 3}, {Dim: 1 << 17, MaxItems: 1}, {Dim: -1, MaxItems: 1}, {Dim: 1, MaxItems: 1 << 31}} {
		if _, err := flat.New(cfg); !errors.Is(err, index.ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestMemoryIsCountedByChunk(t *testing.T) {
	x := mustNew(t, 8, 10_000)
	for _, id := range []uint32{0, 255, 9_999} { // two chunks of 256
		if err := x.Add(id, make([]float32, 8)); err != nil {
			t.Fatal(err)
		}
	}
	if s := x.Stats(); s.VectorBytes != 2*256*8*4 || s.Items != 3 || s.LinkBytes != 0 {
		t.Errorf("%+v", s)
	}
}

func FuzzLoad(f *testing.F) {
	cfg := flat.Config{Dim: 3, MaxItems: 1000}
	x := mustNew(f, 3, 1000)
	for _, id := range []uint32{0, 1, 999} {
		if err := x.Add(id, []float32{1, float32(id), 0}); err != nil {
			f.Fatal(err)
		}
	}
	var good bytes.Buffer
	if err := x.Snapshot(&good); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	f.Add(good.Bytes()[:30])
	f.Fuzz(func(t *testing.T, data []byte) {
		y, err := flat.Load(bytes.NewReader(data), cfg)
		if err != nil {
			if !errors.Is(err, index.ErrSnapshot) {
				t.Fatal(err)
			}
			return
		}
		if hits, err := y.Search(index.Query{Vector: []float32{1, 0, 0}, K: 1000}, nil); err != nil || len(hits) != y.Len() {
			t.Fatalf("%d items, %d hits, %v", y.Len(), len(hits), err)
		}
	})
}

func BenchmarkSearch(b *testing.B) {
	for _, c := range []struct{ n, dim, k, every int }{
		{3459, 256, 200, 1}, {3459, 256, 200, 10}, {50_000, 128, 10, 1}, {50_000, 128, 10, 100},
	} {
		b.Run(fmt.Sprintf("n=%d/dim=%d/k=%d/keep=1in%d", c.n, c.dim, c.k, c.every), func(b *testing.B) {
			x := mustNew(b, c.dim, c.n)
			vectors := indextest.Clusters(1, c.n+100, c.dim)
			rng := rand.New(rand.NewPCG(1, 1))
			allow := make([]uint64, c.n/64+1)
			for i, v := range vectors[:c.n] {
				if err := x.Add(uint32(i), v); err != nil {
					b.Fatal(err)
				}
				if rng.IntN(c.every) == 0 {
					allow[i/64] |= 1 << (i % 64)
				}
			}
			if c.every == 1 {
				allow = nil
			}
			var hits []index.Hit
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				var err error
				hits, err = x.Search(index.Query{Vector: vectors[c.n+i%100], K: c.k, Allow: allow}, hits[:0])
				if err != nil || len(hits) != c.k {
					b.Fatal(len(hits), err)
				}
			}
		})
	}
}
