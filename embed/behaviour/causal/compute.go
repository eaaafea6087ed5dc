package causal

import (
	"math"

	"github.com/kindred-rec/kindred/embed/internal/kernel"
)

// lanes divides the length of a row of attention weights, so that softmax is fast.
const lanes = 16

// compute brings the events from number first of the state on through all blocks, and
// writes the last one's result. Keys and values of those before are in the state.
func (e *Encoder) compute(s *Scratch, st *State, dst []float32, first int) error {
	dim := e.config.Dim
	e.enter(s, st, first)
	x := s.x[:(st.rows-first)*dim]
	for i := range e.layers {
		l := &e.layers[i]
		e.remember(s, l, st.keyValue[i][first*2*dim:], x)
		if i == len(e.layers)-1 { // nobody asks for the others' results
			first = st.rows - 1
			x = x[len(x)-dim:]
		}
		for at := 0; at < len(x); at += rowsAtATime * dim {
			part := x[at:min(at+rowsAtATime*dim, len(x))]
			e.attend(s, l, part, st.keyValue[i], first+at/dim)
			e.feedForward(s, l, part)
		}
	}
	copy(dst, x[len(x)-dim:])
	if e.config.PreNorm {
		e.norm(s, dst, dst, e.w.Norm)
	}
	err := e.finish(dst, e.config.Scale)
	if err != nil {
		st.Reset()
	}
	return err
}

// enter makes the first block's argument of the events' vectors.
func (e *Encoder) enter(s *Scratch, st *State, first int) {
	dim := e.config.Dim
	copy(s.x, st.events[first*dim:st.rows*dim])
	for row := first; row < st.rows; row++ {
		x := s.x[(row-first)*dim:][:dim]
		addRow(x, e.w.Positions, st.rows-1-row)
		if !e.config.PreNorm {
			e.norm(s, x, x, e.w.Norm)
		}
	}
}

// norm sets rows of y to the layer norm of those of x, [rows, dim]. Y may be x.
func (e *Encoder) norm(s *Scratch, y, x []float32, n Norm) {
	dim := e.config.Dim
	for i := 0; i < len(x); i += dim {
		kernel.Norm(y[i:i+dim], s.unit, x[i:i+dim], n.Scale, n.Shift, e.config.Epsilon)
	}
}

// argument is what the products of a part of a block get, given at most rowsAtATime rows.
func (e *Encoder) argument(s *Scratch, x []float32, n Norm) []float32 {
	if !e.config.PreNorm {
		return x
	}
	e.norm(s, s.in, x, n)
	return s.in
}

// remember writes the keys and values of rows x.
func (e *Encoder) remember(s *Scratch, l *packed, keyValue, x []float32) {
	dim := e.config.Dim
	for at := 0; at < len(x); at += rowsAtATime * dim {
		part := x[at:min(at+rowsAtATime*dim, len(x))]
		in := e.argument(s, part, l.attentionNorm)
		l.keyValue.Multiply(keyValue[2*at:], 2*dim, in, dim, len(part)/dim, 0, l.keyValue.Count())
	}
}

// attend is the first part of a block for at most rowsAtATime rows x, of which the first is
// event number first.
func (e *Encoder) attend(s *Scratch, l *packed, x, keyValue []float32, first int) {
	dim, rows := e.config.Dim, len(x)/e.config.Dim
	in := e.argument(s, x, l.attentionNorm)
	l.query.Multiply(s.query, dim, in, dim, rows, 0, l.query.Count())
	for i := range rows {
		for head := range e.config.Heads {
			e.gather(s, l, i, keyValue, first+i+1, head)
		}
	}
	l.output.Multiply(s.more, dim, s.context, dim, rows, 0, l.output.Count())
	e.join(x, s.more, l.attentionNorm)
}

// gather sets a head's part of row i's context to the mean of what the first n events
// have to say, weighed by how their keys go with the row's query.
func (e *Encoder) gather(s *Scratch, l *packed, i int, keyValue []float32, n, head int) {
	dim, d := e.config.Dim, e.config.HeadDim()
	query, context := s.query[i*dim+head*d:][:d], s.context[i*dim+head*d:][:d]
	weights := s.weights[:(n+lanes-1)&^(lanes-1)]
	for j := range n {
		weights[j] = kernel.Dot(query, keyValue[j*2*dim+head*d:][:d])
	}
	if l.distance != nil {
		end := (head + 1) * e.config.Window
		kernel.Axpy(weights[:n], l.distance[end-n:end], 1)
	}
	for j := n; j < len(weights); j++ {
		weights[j] = float32(math.Inf(-1))
	}
	share := 1 / kernel.Exp(weights)
	clear(context)
	for j := range n {
		kernel.Axpy(context, keyValue[j*2*dim+dim+head*d:][:d], weights[j]*share)
	}
}

// join adds to rows x what a part of a block made of them, and norms the sums if norms
// come last.
func (e *Encoder) join(x, more []float32, n Norm) {
	dim := e.config.Dim
	for i := 0; i < len(x); i += dim { // row by row: an element's last bit depends on where in its slice it lies
		if e.config.PreNorm {
			kernel.Axpy(x[i:i+dim], more[i:i+dim], 1)
			continue
		}
		kernel.AddNorm(x[i:i+dim], more[i:i+dim], n.Scale, n.Shift, e.config.Epsilon)
	}
}

// feedForward is the second part of a block, for at most rowsAtATime rows.
func (e *Encoder) feedForward(s *Scratch, l *packed, x []float32) {
	dim, wide, rows := e.config.Dim, e.config.FeedForward, len(x)/e.config.Dim
	in := e.argument(s, x, l.norm)
	l.up.Multiply(s.wide, wide, in, dim, rows, 0, l.up.Count())
	for i := range rows {
		kernel.GELU(s.wide[i*wide:][:wide])
	}
	l.down.Multiply(s.more, dim, s.wide, wide, rows, 0, l.down.Count())
	e.join(x, s.more, l.norm)
}
