package kernel

import "math"

// operands are what a tile is computed of. Strides are in elements.
type operands struct {
	a         []float32 // element [r, i] lies at r*row + i*step
	row, step int
	data      []float32 // row i of the panel begins at i*next
	next      int
	start     []float32 // what row r's sums begin with, at r*startRow
	startRow  int
	c         []float32 // where row r of the result goes, at r*ldc
	ldc       int
}

// tilePlain is the twin of the assembly tiles, for panels of any width that is a
// multiple of 8: eight columns of a row at a time, in registers.
func tilePlain(rows, k int, t *operands) {
	for r := range rows {
		for column := 0; column < active.width(); column += 8 {
			begin := t.start[r*t.startRow+column:][:8]
			s0, s1, s2, s3 := begin[0], begin[1], begin[2], begin[3]
			s4, s5, s6, s7 := begin[4], begin[5], begin[6], begin[7]
			from, at := r*t.row, column
			for range k {
				x, b := t.a[from], t.data[at:at+8:at+8]
				s0 += x * b[0]
				s1 += x * b[1]
				s2 += x * b[2]
				s3 += x * b[3]
				s4 += x * b[4]
				s5 += x * b[5]
				s6 += x * b[6]
				s7 += x * b[7]
				from += t.step
				at += t.next
			}
			out := t.c[r*t.ldc+column:][:8]
			out[0], out[1], out[2], out[3] = s0, s1, s2, s3
			out[4], out[5], out[6], out[7] = s4, s5, s6, s7
		}
	}
}

// GELU replaces each x by x times the normal distribution's share below x.
func GELU(x []float32) {
	done := geluFast(x)
	geluPlain(x[done:])
}

func geluPlain(x []float32) {
	for i, v := range x {
		x[i] = 0.5 * v * (1 + erf(v*float32(1/math.Sqrt2)))
	}
}

// Coefficients of the rational erf, highest power first.
var (
	erfAbove = [7]float32{-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
		-7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02}
	erfBelow = [5]float32{-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
		-1.42647390514189e-02}
)

// erf is the error function to a few units of the last place.
func erf(x float32) float32 {
	x = min(max(x, -4), 4)
	square := x * x
	above, below := erfAbove[0], erfBelow[0]
	for _, c := range erfAbove[1:] {
		above = above*square + c
	}
	for _, c := range erfBelow[1:] {
		below = below*square + c
	}
	return x * above / below
}

// Exp replaces each x by exp(x - m), m the largest of them, and returns their sum:
// a softmax but for the division. It is fast for a multiple of 16.
func Exp(x []float32) (sum float32) {
	sum, _ = ExpMost(x)
	return sum
}

// ExpMost is [Exp] that says what the largest was.
func ExpMost(x []float32) (sum, most float32) {
	if sum, most, ok := expFast(x); ok {
		return sum, most
	}
	return expPlain(x)
}

func expPlain(x []float32) (sum, most float32) {
	most = float32(math.Inf(-1))
	for _, v := range x {
		most = max(most, v)
	}
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v - most)))
		sum += x[i]
	}
	return sum, most
}

// AddNorm sets x to the layer norm of x + residual. All slices have one length; it is
// fast for a multiple of 16.
func AddNorm(x, residual, scale, shift []float32, epsilon float32) {
	residual, scale, shift = residual[:len(x)], scale[:len(x)], shift[:len(x)]
	if !addNormFast(x, residual, scale, shift, epsilon) {
		addNormPlain(x, residual, scale, shift, epsilon)
	}
}

func addNormPlain(x, residual, scale, shift []float32, epsilon float32) {
	var sum, squares float64
	for i := range x {
		x[i] += residual[i]
		sum += float64(x[i])
	}
	mean := float32(sum / float64(len(x)))
	for _, v := range x {
		squares += float64(v-mean) * float64(v-mean)
	}
	by := float32(1 / math.Sqrt(squares/float64(len(x))+float64(epsilon)))
	for i, v := range x {
		x[i] = (v-mean)*by*scale[i] + shift[i]
	}
}
