package flat

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/internal/simd"
)

// crowd makes an index of vectors in clusters, some of them twice, and the vectors.
func crowd(t testing.TB, n, dim int, long bool) (*Index, [][]float32) {
	t.Helper()
	x, err := New(Config{Dim: dim, MaxItems: n})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(uint64(n), uint64(dim)))
	centres := make([][]float32, 20)
	for i := range centres {
		centres[i] = make([]float32, dim)
		for j := range centres[i] {
			centres[i][j] = float32(r.NormFloat64())
		}
	}
	vectors := make([][]float32, n)
	for i := range vectors {
		v, norm := make([]float32, dim), 0.0
		for j, c := range centres[r.IntN(len(centres))] {
			v[j] = c + .8*float32(r.NormFloat64())
			norm += float64(v[j]) * float64(v[j])
		}
		scale := float32(1 / math.Sqrt(norm))
		if long {
			scale *= 1 + 3*r.Float32()
		}
		for j := range v {
			v[j] *= scale
		}
		if i > 0 && r.IntN(10) == 0 {
			copy(v, vectors[r.IntN(i)])
		}
		vectors[i] = v
		if err := x.Add(uint32(i), v); err != nil {
			t.Fatal(err)
		}
	}
	return x, vectors
}

// plain answers without codes.
func plain(x *Index, q index.Query) []index.Hit {
	s := new(scratch)
	s.heap.Reset(q.K)
	for n := range x.chunks {
		if c := x.chunks[n].Load(); c != nil {
			s.scan(c, n, q)
		}
	}
	return hits(s, nil)
}

func TestScreeningIsExact(t *testing.T) {
	if simd.Name() == "portable" {
		t.Skip("vectors are scored as quickly as codes here")
	}
	for _, c := range []struct {
		n, dim int
		long   bool
	}{{3000, 256, false}, {3000, 100, false}, {2500, 64, true}} {
		x, vectors := crowd(t, c.n, c.dim, c.long)
		r := rand.New(rand.NewPCG(9, 9))
		some := make([]uint64, (c.n+63)/64)
		for i := range some {
			some[i] = r.Uint64() | r.Uint64()
		}
		used := 0
		for round := range 120 {
			if round == 60 {
				for id := range uint32(c.n) {
					switch r.IntN(5) {
					case 0:
						if err := x.Update(id, vectors[r.IntN(c.n)]); err != nil {
							t.Fatal(err)
						}
					case 1:
						if err := x.Delete(id); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			q := index.Query{Vector: vectors[r.IntN(c.n)], K: 1 + r.IntN(100)}
			if round%3 == 0 {
				q.Allow = some
			}
			s := new(scratch)
			s.heap.Reset(q.K)
			if x.screened(s, q) {
				used++
				if got, want := hits(s, nil), plain(x, q); !slices.Equal(got, want) {
					t.Fatalf("%d of dimension %d, round %d: %v, want %v", c.n, c.dim, round, got, want)
				}
			}
			got, err := x.Search(q, nil)
			if want := plain(x, q); err != nil || !slices.Equal(got, want) {
				t.Fatalf("%d of dimension %d, round %d: Search gives %v, %v; want %v", c.n, c.dim, round, got, err, want)
			}
		}
		if used < 60 {
			t.Errorf("%d of dimension %d: codes decided %d of 120 searches", c.n, c.dim, used)
		}
	}
}

func TestScreeningGivesWayToVectorsItCannotBound(t *testing.T) {
	x, vectors := crowd(t, 2000, 64, false)
	huge := slices.Clone(vectors[0])
	for i := range huge {
		huge[i] *= 1e15
	}
	if err := x.Update(7, huge); err != nil {
		t.Fatal(err)
	}
	q := index.Query{Vector: vectors[3], K: 10}
	got, err := x.Search(q, nil)
	if want := plain(x, q); err != nil || !slices.Equal(got, want) {
		t.Fatalf("%v, %v; want %v", got, err, want)
	}
}

func TestCodesComeBackWithASnapshot(t *testing.T) {
	x, vectors := crowd(t, 2000, 64, false)
	var file bytes.Buffer
	if err := x.Snapshot(&file); err != nil {
		t.Fatal(err)
	}
	y, err := Load(&file, Config{Dim: 64, MaxItems: 2000})
	if err != nil {
		t.Fatal(err)
	}
	s, q := new(scratch), index.Query{Vector: vectors[3], K: 10}
	s.heap.Reset(q.K)
	if simd.Name() != "portable" && !y.screened(s, q) {
		t.Error("the codes decide nothing")
	}
	if got, err := y.Search(q, nil); err != nil || !slices.Equal(got, plain(x, q)) {
		t.Errorf("%v, %v", got, err)
	}
}

func BenchmarkSearch(b *testing.B) {
	for _, n := range []int{3459, 10_000, 50_000} {
		x, vectors := crowd(b, n, 256, false)
		for _, k := range []int{10, 100} {
			b.Run(fmt.Sprintf("n=%d/k=%d", n, k), func(b *testing.B) {
				var dst []index.Hit
				b.ReportAllocs()
				for i := range b.N {
					dst, _ = x.Search(index.Query{Vector: vectors[i%n], K: k}, dst[:0])
				}
			})
			b.Run(fmt.Sprintf("n=%d/k=%d/plain", n, k), func(b *testing.B) {
				s := new(scratch)
				for i := range b.N {
					q := index.Query{Vector: vectors[i%n], K: k}
					s.heap.Reset(q.K)
					for n := range x.chunks {
						if c := x.chunks[n].Load(); c != nil {
							s.scan(c, n, q)
						}
					}
					hits(s, nil)
				}
			})
		}
	}
}
