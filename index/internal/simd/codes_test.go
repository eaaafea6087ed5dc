package simd

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// codedRows is a table of n random codes of the given size, with every byte
// value, and their scales.
func codedRows(rng *rand.Rand, n, size int) (t, scales *Table, rows [][]uint8, factor []float32) {
	block := make([]uint8, n*size)
	factor = make([]float32, n)
	for i := range block {
		block[i] = uint8(rng.Uint32())
	}
	for i := range factor {
		factor[i] = rng.Float32()
		rows = append(rows, block[i*size:(i+1)*size])
	}
	if rng.IntN(2) == 0 { // the largest sums that there are
		for i := range rows[0] {
			rows[0][i] = 255
		}
	}
	t = &Table{Chunks: []unsafe.Pointer{unsafe.Pointer(&block[0])}, Shift: 31, Stride: size}
	scales = &Table{Chunks: []unsafe.Pointer{unsafe.Pointer(&factor[0])}, Shift: 31, Stride: 4}
	return t, scales, rows, factor
}

func TestCodeKernelsAreExact(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			size := CodeBlock * rapid.IntRange(1, 8).Draw(t, "blocks")
			rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
			table, scales, rows, factor := codedRows(rng, 30, size)
			ids := make([]uint32, rapid.IntRange(0, 40).Draw(t, "picks"))
			for i := range ids {
				ids[i] = uint32(rng.IntN(len(rows)))
			}
			var q CodedQuery
			q.SetCode(rows[rng.IntN(len(rows))], .5)
			out := make([]float32, len(ids))
			q.DotCodes(table, scales, ids, make([]int32, len(ids)), out)
			for i, id := range ids {
				sum := int32(0)
				for j, c := range rows[id] {
					sum += int32(q.bytes[j]) * (int32(c) - CodeZero)
				}
				if want := float32(sum) * (.5 * factor[id]); out[i] != want {
					t.Fatalf("pick %d, row %d of %d: %v, want %v", i, id, size, out[i], want)
				}
			}
		})
	})
}

func TestCodesComeNearTheirVector(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for _, dim := range []int{1, 7, 64, 100, 384} {
		v := drawVector(rng, dim)
		size := (dim + CodeBlock - 1) / CodeBlock * CodeBlock
		code := make([]uint8, size)
		scale := Encode(v, code)
		for i, c := range code {
			want := float32(0) // the padding
			if i < dim {
				want = v[i]
			}
			if got := scale * (float32(c) - CodeZero); math.Abs(float64(got-want)) > float64(scale)*.501 {
				t.Fatalf("dimension %d, element %d: %v became %v at scale %v", dim, i, want, got, scale)
			}
		}
	}
	for _, tiny := range []float32{0, 1e-40} {
		code := make([]uint8, CodeBlock)
		if scale := Encode([]float32{tiny, -tiny}, code); scale != 0 || code[0] != CodeZero {
			t.Errorf("%v: scale %v, code %d", tiny, scale, code[0])
		}
	}
}

func BenchmarkDotCodes(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	table, scales, rows, _ := codedRows(rng, 1<<10, 128)
	var q CodedQuery
	q.SetCode(rows[3], 1)
	ids, ints, out := make([]uint32, 32), make([]int32, 32), make([]float32, 32)
	for i := range ids {
		ids[i] = uint32(rng.IntN(1 << 10))
	}
	b.ReportAllocs()
	for b.Loop() {
		q.DotCodes(table, scales, ids, ints, out)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/32, "ns/row")
}
