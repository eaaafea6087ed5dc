package rowsum

import (
	"fmt"
	"math"
)

// Table is int8 rows with a scale each. It is read only and safe for concurrent
// use.
type Table struct {
	Dim    int       // components of a row, at least 1
	Rows   []byte    // [len(Scales), Dim], each byte an int8
	Scales []float32 // [rows]
}

// Sum sets out, [Dim], to the sum of the rows with numbers ids, each component
// times its row's scale, or to zeros if there are none. It panics if out has
// another length or an id is not from 0 to len(Scales)-1.
func (t Table) Sum(out []float32, ids []int32) {
	if len(out) != t.Dim || len(t.Rows) != len(t.Scales)*t.Dim {
		panic(fmt.Sprintf("rowsum: output of %d and table of %d bytes for %d rows of dimension %d", len(out), len(t.Rows), len(t.Scales), t.Dim))
	}
	for _, id := range ids {
		_ = t.Scales[id]
	}
	if len(ids) > 0 && sumFast(t, out, ids) {
		return
	}
	t.sumPlain(out, ids)
}

func (t Table) sumPlain(out []float32, ids []int32) {
	clear(out)
	for _, id := range ids {
		scale := t.Scales[id]
		row := t.Rows[int(id)*t.Dim:][:len(out)]
		for i, q := range row {
			// The conversion keeps the compiler from fusing the two operations.
			out[i] += float32(scale * float32(int8(q)))
		}
	}
}

// lanes is how many partial sums of squares there are: as many as two vector
// registers hold.
const lanes = 16

// Normalize scales x to unit length and reports whether it could: zeros, and what
// has no finite length, are set to zeros.
func Normalize(x []float32) bool {
	var sums [lanes]float32
	if !squaresFast(x, &sums) {
		squaresPlain(x, &sums)
	}
	for n := lanes / 2; n > 0; n /= 2 {
		for i := range n {
			sums[i] += sums[i+n]
		}
	}
	length := math.Sqrt(float64(sums[0]))
	if !(length > 0) || math.IsInf(length, 1) {
		clear(x)
		return false
	}
	by := float32(1 / length)
	if !multiplyFast(x, by) {
		multiplyPlain(x, by)
	}
	return true
}

// squaresPlain adds the square of x[i] to sums[i%lanes].
func squaresPlain(x []float32, sums *[lanes]float32) {
	for ; len(x) >= lanes; x = x[lanes:] {
		for i, v := range x[:lanes] {
			sums[i] += float32(v * v)
		}
	}
	for i, v := range x {
		sums[i] += float32(v * v)
	}
}

func multiplyPlain(x []float32, by float32) {
	for i := range x {
		x[i] *= by
	}
}
