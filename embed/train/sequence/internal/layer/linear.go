package layer

import (
	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/internal/kernel"
)

// Linear is a product of rows with a weight, packed for both passes.
type Linear struct {
	forward, backward kernel.Panels
	in, out           int
}

// PackForward and PackBackward read the weights, which may change afterwards. They may
// run at once.
func (l *Linear) PackForward(w causal.Linear, out, in int) {
	l.in, l.out = in, out
	l.forward.PackTransposed(w.Weight, out, in, in)
	l.forward.SetBias(w.Bias)
}

// PackBackward is described beside [Linear.PackForward].
func (l *Linear) PackBackward(w causal.Linear, out, in int) {
	l.backward.PackRows(w.Weight, out, in, in)
}

// Forward sets y, [rows, out], to x, [rows, in], times the weight plus the bias.
func (l *Linear) Forward(y, x []float32, rows int) {
	l.forward.Multiply(y, l.out, x, l.in, rows, 0, l.forward.Count())
}

// Backward sets dx, [rows, in], to what dy, [rows, out], is the gradient of.
func (l *Linear) Backward(dx, dy []float32, rows int) {
	l.backward.Multiply(dx, l.in, dy, l.out, rows, 0, l.backward.Count())
}

// AddBackward adds to dx what [Linear.Backward] sets it to.
func (l *Linear) AddBackward(dx, dy []float32, rows int) {
	l.backward.Add(dx, l.in, kernel.Left{Data: dy, Row: l.out, Step: 1}, rows, 0, l.backward.Count())
}

// gradientRows is how many rows of a batch go into the sums of a gradient at a time: so
// many that a tile's operands stay in the cache.
const gradientRows = 256

// Gradient is the gradient of the weight and the bias of a product y = W x + b, from all
// rows of a batch. Its memory is used again.
type Gradient struct {
	x    []kernel.Panels // of gradientRows rows each
	rows int
	in   int
}

// Pack reads the argument x, [rows, in]. The parts, of which there are [Parts], may run
// at once, after Reset.
func (g *Gradient) Pack(x []float32, part int) {
	first := part * gradientRows
	n := min(gradientRows, g.rows-first)
	g.x[part].PackRows(x[first*g.in:], n, g.in, g.in)
}

// Reset says how many rows follow and returns the number of parts to pack them in.
func (g *Gradient) Reset(rows, in int) (parts int) {
	g.rows, g.in = rows, in
	parts = (rows + gradientRows - 1) / gradientRows
	for len(g.x) < parts {
		g.x = append(g.x, kernel.Panels{})
	}
	return parts
}

// Add adds to rows from to to-1 of dw, [out, in], and of db, [out], which may be nil, the
// gradient, given that of the result, dy [rows, out]. Distinct rows may run at once.
func (g *Gradient) Add(dw, db, dy []float32, out, from, to int) {
	for part, first := 0, 0; first < g.rows; part, first = part+1, first+gradientRows {
		x := &g.x[part]
		x.Add(dw[from*g.in:], g.in, kernel.Left{Data: dy[first*out+from:], Row: 1, Step: out}, to-from, 0, x.Count())
	}
	if db == nil {
		return
	}
	for row := range g.rows {
		kernel.Axpy(db[from:to], dy[row*out+from:row*out+to], 1)
	}
}
