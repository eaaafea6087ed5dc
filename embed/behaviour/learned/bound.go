package learned

import "math"

// lengthBound is what no item's plain vector is longer than, if texts have unit length.
func lengthBound(m Model) float64 {
	var squares float64
	for _, t := range m.Towers {
		longest := 1.0
		if t.Config.Scale == 0 {
			longest = longestRow(t.Weights.Residual, t.Config.Dim) + largestStretch(t.Weights.Projection, t.Config.Dim, t.Config.TextDim)
		}
		squares += longest * longest
	}
	for i := range m.Heads {
		h := &m.Heads[i]
		longest := longestRow(h.Output, h.Dim) + largestStretch(h.OutputText, h.Dim, h.TextDim)
		squares += longest * longest
	}
	return math.Sqrt(squares)
}

func longestRow(table []float32, dim int) (longest float64) {
	for at := 0; at < len(table); at += dim {
		longest = max(longest, length(table[at:at+dim]))
	}
	return longest
}

// stretchRounds is how many rounds of power iteration there are, and stretchSlack what
// they may be short of.
const (
	stretchRounds = 50
	stretchSlack  = 1.01
)

// largestStretch is a little more than the largest singular value of a matrix, [rows,
// columns]: what it makes of a vector of unit length at most. It is found by power
// iteration, and is never above the Frobenius norm.
func largestStretch(a []float32, rows, columns int) float64 {
	if len(a) == 0 {
		return 0
	}
	x, y := make([]float64, columns), make([]float64, rows)
	for i := range x {
		x[i] = 1 + float64(i%7)/7 // no singular vector is likely to be orthogonal to it
	}
	stretch := 0.0
	for range stretchRounds {
		norm := 0.0
		for _, v := range x {
			norm += v * v
		}
		if norm = math.Sqrt(norm); norm == 0 {
			return 0
		}
		for r := range y {
			y[r] = 0
			for c, v := range a[r*columns : (r+1)*columns] {
				y[r] += float64(v) * x[c] / norm
			}
		}
		clear(x)
		stretch = 0
		for r, v := range y {
			stretch += v * v
			for c, w := range a[r*columns : (r+1)*columns] {
				x[c] += float64(w) * v
			}
		}
	}
	return min(stretchSlack*math.Sqrt(stretch), length(a))
}
