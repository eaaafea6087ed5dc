package dots

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/viterin/vek/vek32"
)

func normal(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func TestManyEqualsTheSumOfProducts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, dim := range []int{1, 3, 7, 8, 9, 16, 24, 64, 100, 256, 384} {
		for k := 1; k <= Max; k++ {
			row, queries, out := normal(rng, dim), normal(rng, dim*k), normal(rng, k)
			Many(row, nil, queries, out)
			for j := range out {
				want, size := 0.0, 0.0
				for i := range row {
					p := float64(row[i]) * float64(queries[j*dim+i])
					want, size = want+p, size+math.Abs(p)
				}
				if got := float64(out[j]); !(math.Abs(got-want) <= 1e-6*size) {
					t.Fatalf("dim %d, query %d of %d: %v, want %v", dim, j, k, got, want)
				}
			}
		}
	}
}

func TestAssemblyAndTwinAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		dim, k := 8*(1+rng.IntN(50)), 1+rng.IntN(Max) // half of them no multiple of 16
		row, queries := normal(rng, dim), normal(rng, dim*k)
		got, want := make([]float32, k), make([]float32, k)
		if !many(row, nil, queries, got) {
			t.Skip("no assembly on this machine: the twin is all there is")
		}
		plain(row, queries, want)
		for j := range got {
			if math.Abs(float64(got[j]-want[j])) > 1e-4 {
				t.Fatalf("dim %d, query %d of %d: assembly %v, twin %v", dim, j, k, got[j], want[j])
			}
		}
	}
}

func TestShapesThatDoNotAgreePanicInsteadOfReadingBeyond(t *testing.T) {
	for _, c := range [][3]int{{8, 9, 1}, {8, 8 * 9, 9}, {8, 0, 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v: no panic", c)
				}
			}()
			Many(make([]float32, c[0]), nil, make([]float32, c[1]), make([]float32, c[2]))
		}()
	}
}

func BenchmarkMany(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	const dim, rows = 256, 350
	table := normal(rng, rows*dim)
	for _, k := range []int{1, 6, 8} {
		queries, out := normal(rng, k*dim), make([]float32, k)
		b.Run(fmt.Sprintf("k=%d", k), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				at, next := i%rows*dim, (i+1)%rows*dim
				Many(table[at:at+dim], table[next:next+dim], queries, out)
			}
		})
		b.Run(fmt.Sprintf("pair-by-pair/k=%d", k), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				at := i % rows * dim
				for j := range out {
					out[j] = vek32.Dot(table[at:at+dim], queries[j*dim:(j+1)*dim])
				}
			}
		})
	}
}
