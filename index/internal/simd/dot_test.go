package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// plainDot is what every kernel must agree with, in float64.
func plainDot(a, b []float32) (sum, size float64) {
	for i := range a {
		p := float64(a[i]) * float64(b[i])
		sum += p
		size += math.Abs(p)
	}
	return sum, size
}

func drawVector(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// chunked lays rows out in chunks of 1<<shift, with NaN wherever no row is, so
// that a read past the end of a row shows.
func chunked(rows [][]float32, shift uint, stride int) *Table {
	t := Table{Shift: shift, Stride: 4 * stride}
	for first := 0; first < len(rows); first += 1 << shift {
		chunk := make([]float32, stride<<shift)
		for i := range chunk {
			chunk[i] = float32(math.NaN())
		}
		for i, row := range rows[first:min(first+1<<shift, len(rows))] {
			copy(chunk[i*stride:], row)
		}
		t.Chunks = append(t.Chunks, unsafe.Pointer(&chunk[0]))
	}
	return &t
}

func TestEveryKernelAgreesWithPlainSums(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			dim := rapid.IntRange(0, 150).Draw(t, "dim")
			rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
			rows := make([][]float32, rapid.IntRange(1, 40).Draw(t, "rows"))
			for i := range rows {
				rows[i] = drawVector(rng, dim)
			}
			table := chunked(rows, uint(rapid.IntRange(0, 6).Draw(t, "shift")), dim+rapid.IntRange(1, 3).Draw(t, "padding"))
			ids := make([]uint32, rapid.IntRange(0, 70).Draw(t, "picks"))
			for i := range ids {
				ids[i] = uint32(rng.IntN(len(rows)))
			}
			q, out := drawVector(rng, dim), make([]float32, len(ids)+1)
			out[len(ids)] = 42
			DotGather(q, table, ids, out)
			for i, id := range ids {
				want, size := plainDot(q, rows[id])
				if math.Abs(float64(out[i])-want) > 1e-6*size+1e-12 {
					t.Fatalf("pick %d, row %d of dimension %d: %v, want %v", i, id, dim, out[i], want)
				}
				if alone := Dot(q, rows[id]); alone != out[i] {
					t.Fatalf("row %d scores %v alone and %v among %d", id, alone, out[i], len(ids))
				}
			}
			if out[len(ids)] != 42 {
				t.Fatal("wrote past the end")
			}
		})
	})
}

func TestNotANumberIsNotHidden(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for dim := 1; dim < 70; dim++ {
			for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				v := make([]float32, dim)
				v[dim-1] = float32(bad)
				if got := Dot(v, v); !math.IsNaN(float64(got)) && !math.IsInf(float64(got), 1) {
					t.Fatalf("dimension %d, last element %v: %v", dim, bad, got)
				}
			}
		}
	})
}

func BenchmarkDotGather(b *testing.B) {
	for _, dim := range []int{64, 128, 256, 384} {
		for _, rows := range []int{256, 1 << 16} { // the first fit the cache, the others do not
			b.Run(fmt.Sprintf("dim=%d/rows=%d", dim, rows), func(b *testing.B) {
				benchmarkGather(b, dim, rows)
			})
		}
	}
}

func benchmarkGather(b *testing.B, dim, rows int) {
	rng := rand.New(rand.NewPCG(1, 2))
	block := drawVector(rng, dim*rows)
	table := &Table{Chunks: []unsafe.Pointer{unsafe.Pointer(&block[0])}, Shift: 31, Stride: 4 * dim}
	ids, out := make([]uint32, 1<<12), make([]float32, 32)
	for i := range ids {
		ids[i] = uint32(rng.IntN(rows))
	}
	q := drawVector(rng, dim)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; b.Loop(); i += 32 {
		at := i % len(ids)
		DotGather(q, table, ids[at:at+32], out)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/32, "ns/row")
}
