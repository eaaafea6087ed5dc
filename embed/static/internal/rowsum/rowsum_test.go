package rowsum

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func randomTable(seed uint64, rows, dim int) Table {
	r := rand.New(rand.NewPCG(seed, 1))
	t := Table{Dim: dim, Rows: make([]byte, rows*dim), Scales: make([]float32, rows)}
	for i := range t.Rows {
		t.Rows[i] = byte(r.Uint32())
	}
	for i := range t.Scales {
		t.Scales[i] = float32(math.Exp(r.NormFloat64()))
	}
	return t
}

// To the last bit: whatever runs, and in whatever machine.
func TestKernelsSameAsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dim := rapid.OneOf(rapid.SampledFrom([]int{64, 128, 256, 384}), rapid.IntRange(1, 130)).Draw(t, "dim")
		rows := rapid.IntRange(1, 40).Draw(t, "rows")
		table := randomTable(rapid.Uint64().Draw(t, "seed"), rows, dim)
		ids := rapid.SliceOf(rapid.Int32Range(0, int32(rows-1))).Draw(t, "ids")
		got, want := make([]float32, dim), make([]float32, dim)
		for i := range got {
			got[i], want[i] = 1e9, float32(math.NaN())
		}
		table.Sum(got, ids)
		table.sumPlain(want, ids)
		if !slices.Equal(got, want) {
			t.Fatalf("sums differ for %d ids of dimension %d", len(ids), dim)
		}
		var sums, wantSums [lanes]float32
		if squaresFast(got, &sums) {
			if squaresPlain(want, &wantSums); sums != wantSums {
				t.Fatalf("squares %v, want %v", sums, wantSums)
			}
		}
		if multiplyFast(got, 0.37) {
			if multiplyPlain(want, 0.37); !slices.Equal(got, want) {
				t.Fatal("products differ")
			}
		}
	})
}

func TestSumOfKnownRows(t *testing.T) {
	minus := func(n int8) byte { return byte(n) }
	table := Table{Dim: 2, Rows: []byte{1, 2, minus(-128), 127, 0, 0}, Scales: []float32{0.5, 2, 1}}
	out := []float32{9, 9}
	for _, c := range []struct {
		ids  []int32
		want []float32
	}{
		{[]int32{0}, []float32{0.5, 1}},
		{[]int32{1, 0, 0}, []float32{-255, 256}},
		{nil, []float32{0, 0}},
	} {
		if table.Sum(out, c.ids); !slices.Equal(out, c.want) {
			t.Errorf("sum of rows %v is %v, want %v", c.ids, out, c.want)
		}
	}
}

func TestNormalize(t *testing.T) {
	for _, dim := range []int{1, 3, 64, 100, 256} {
		x := randomTable(uint64(dim), dim, 1).Scales
		if !Normalize(x) {
			t.Fatalf("dimension %d: not normalized", dim)
		}
		var sum float64
		for _, v := range x {
			sum += float64(v) * float64(v)
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Errorf("dimension %d: squared length %g", dim, sum)
		}
		for _, bad := range []float32{0, float32(math.NaN()), float32(math.Inf(1)), math.MaxFloat32} {
			x := slices.Repeat([]float32{bad}, dim)
			if Normalize(x) && dim > 1 || slices.ContainsFunc(x, func(v float32) bool { return v != 0 && v != 1 }) {
				t.Errorf("dimension %d of %g gave %v", dim, bad, x)
			}
		}
	}
}

func TestRowOutsideTableIsRefused(t *testing.T) {
	for _, id := range []int32{-1, 3, math.MaxInt32} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("row %d of 3 was read", id)
				}
			}()
			randomTable(1, 3, 64).Sum(make([]float32, 64), []int32{0, id})
		}()
	}
}

func BenchmarkSum(b *testing.B) {
	table := randomTable(1, 30522, 256)
	ids := make([]int32, 24)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range ids {
		ids[i] = r.Int32N(30522)
	}
	out := make([]float32, table.Dim)
	for _, c := range []struct {
		name string
		run  func()
	}{
		{"best", func() { table.Sum(out, ids) }},
		{"plain", func() { table.sumPlain(out, ids) }},
		{"normalize", func() { Normalize(out) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.run()
			}
			if !slices.ContainsFunc(out, func(v float32) bool { return v != 0 }) {
				b.Fatal("nothing was added")
			}
		})
	}
}
