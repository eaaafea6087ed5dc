package layer

import (
	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/internal/kernel"
)

// Block is one block's weights, made ready for the two passes of a step.
type Block struct {
	config                  causal.Config
	w                       *causal.Layer
	input, output, up, down Linear
	attention               Attention
}

// NewBlock returns a block of these weights. They are read by Pack, norms at any time.
func NewBlock(c causal.Config, w *causal.Layer) *Block {
	b := &Block{config: c, w: w, attention: Attention{Heads: c.Heads, HeadDim: c.HeadDim(), Window: c.Window}}
	if c.Position == causal.Relative {
		b.attention.Distance = make([]float32, c.Heads*c.Window)
	}
	return b
}

// PackParts is the number of parts of Pack.
const PackParts = 9

// Pack reads the weights. The parts may run at once; all must be done before a pass.
func (b *Block) Pack(part int) {
	dim, wide := b.config.Dim, b.config.FeedForward
	switch part {
	case 0:
		b.input.PackForward(b.w.Input, 3*dim, dim)
	case 1:
		b.input.PackBackward(b.w.Input, 3*dim, dim)
	case 2:
		b.output.PackForward(b.w.Output, dim, dim)
	case 3:
		b.output.PackBackward(b.w.Output, dim, dim)
	case 4:
		b.up.PackForward(b.w.Up, wide, dim)
	case 5:
		b.up.PackBackward(b.w.Up, wide, dim)
	case 6:
		b.down.PackForward(b.w.Down, dim, wide)
	case 7:
		b.down.PackBackward(b.w.Down, dim, wide)
	case 8:
		reverse(b.attention.Distance, b.w.Distance, b.config.Window)
	}
}

// reverse turns each row of length n around.
func reverse(to, from []float32, n int) {
	for i, x := range from[:len(to)] {
		row := i / n * n
		to[row+n-1-(i-row)] = x
	}
}

// Activations are what one block keeps of a batch: [rows, ...] each.
type Activations struct {
	in      []float32 // [rows, dim]: what attention gets, if that is not the block's argument
	qkv     []float32 // [rows, 3 dim]
	context []float32 // [rows, dim]
	first   Kept      // of the norm about attention
	middle  []float32 // [rows, dim]: what the feed-forward gets
	wide    []float32 // [rows, feedForward] before GELU
	gelu    []float32 // [rows, feedForward]: what the second product gets
	second  Kept      // of the norm about the feed-forward

	dqkv, dOut, dWide, dDown []float32 // the gradients of the four products' results
}

// Resize makes room for so many rows. What was kept is lost.
func (a *Activations) Resize(c causal.Config, rows int) {
	if c.PreNorm {
		a.in = Grow(a.in, rows*c.Dim)
	}
	a.qkv, a.context = Grow(a.qkv, rows*3*c.Dim), Grow(a.context, rows*c.Dim)
	a.middle = Grow(a.middle, rows*c.Dim)
	a.wide, a.gelu = Grow(a.wide, rows*c.FeedForward), Grow(a.gelu, rows*c.FeedForward)
	a.first.Resize(rows, c.Dim)
	a.second.Resize(rows, c.Dim)
	a.dqkv, a.dOut = Grow(a.dqkv, rows*3*c.Dim), Grow(a.dOut, rows*c.Dim)
	a.dWide, a.dDown = Grow(a.dWide, rows*c.FeedForward), Grow(a.dDown, rows*c.Dim)
}

// FloatsPerRow is the number of elements that are kept for a row and a block, the arguments
// of its products as [Gradient] packs them included.
func FloatsPerRow(c causal.Config) int { return 16*c.Dim + 4*c.FeedForward }

// Forward sets rows from to to-1 of y to what the block makes of those of x, both
// [rows, dim]. The rows are whole sequences.
func (b *Block) Forward(s *Scratch, a *Activations, y, x []float32, starts []int32, from, to int, m Masks) {
	dim, wide, n := b.config.Dim, b.config.FeedForward, to-from
	in := b.attentionInput(a, x)
	if b.config.PreNorm {
		a.first.Normalize(in[from*dim:], x[from*dim:], b.w.AttentionNorm, b.config.Epsilon, from, to)
	}
	b.input.Forward(a.qkv[from*3*dim:], in[from*dim:], n)
	b.attention.Forward(s, a.context, a.qkv, starts, from, to, m.Attention)
	out, x := y[from*dim:to*dim], x[from*dim:to*dim]
	b.output.Forward(out, a.context[from*dim:], n)
	m.Context.Apply(out, from*dim)
	kernel.Axpy(out, x, 1)

	middle := a.middle[from*dim : to*dim]
	if b.config.PreNorm {
		a.second.Normalize(middle, out, b.w.Norm, b.config.Epsilon, from, to)
	} else {
		a.first.Normalize(middle, out, b.w.AttentionNorm, b.config.Epsilon, from, to)
		copy(out, middle)
	}
	b.up.Forward(a.wide[from*wide:], middle, n)
	gelu := a.gelu[from*wide : to*wide]
	copy(gelu, a.wide[from*wide:])
	kernel.GELU(gelu)
	m.Wide.Apply(gelu, from*wide)
	s.rows = Grow(s.rows, n*dim)
	b.down.Forward(s.rows, gelu, n)
	m.Feed.Apply(s.rows, from*dim)
	kernel.Axpy(out, s.rows, 1)
	if !b.config.PreNorm {
		a.second.Normalize(out, out, b.w.Norm, b.config.Epsilon, from, to)
	}
}

// attentionInput is what the first product gets.
func (b *Block) attentionInput(a *Activations, x []float32) []float32 {
	if b.config.PreNorm {
		return a.in
	}
	return x
}

// Backward replaces rows from to to-1 of d, the gradient of the result, by that of the
// argument, and adds what these rows give to the gradients of norms and distances.
func (b *Block) Backward(s *Scratch, a *Activations, d []float32, small *Small, starts []int32, from, to int, m Masks) {
	dim, wide, n := b.config.Dim, b.config.FeedForward, to-from
	d = d[from*dim : to*dim]
	pre := b.config.PreNorm
	if !pre {
		a.second.Differentiate(d, b.w.Norm, small.Norm, from, to)
	}
	dDown := a.dDown[from*dim : to*dim]
	copy(dDown, d)
	m.Feed.Apply(dDown, from*dim)
	dWide := a.dWide[from*wide : to*wide]
	b.down.Backward(dWide, dDown, n)
	m.Wide.Apply(dWide, from*wide)
	kernel.GELUGrad(dWide, a.wide[from*wide:to*wide])
	b.argument(s, &b.up, d, dWide, n, func(d []float32) {
		a.second.Differentiate(d, b.w.Norm, small.Norm, from, to)
	})

	if !pre {
		a.first.Differentiate(d, b.w.AttentionNorm, small.AttentionNorm, from, to)
	}
	dOut := a.dOut[from*dim : to*dim]
	copy(dOut, d)
	m.Context.Apply(dOut, from*dim)
	s.more = Grow(s.more, to*dim) // begins at row 0, as the arrays of attention do
	b.output.Backward(s.more[from*dim:], dOut, n)
	b.attention.Backward(s, a.dqkv, small.distance, s.more, a.qkv, starts, from, to, m.Attention)
	b.argument(s, &b.input, d, a.dqkv[from*3*dim:to*3*dim], n, func(d []float32) {
		a.first.Differentiate(d, b.w.AttentionNorm, small.AttentionNorm, from, to)
	})
}

// argument adds to d the gradient of a product's argument, which with PreNorm has passed
// a norm.
func (b *Block) argument(s *Scratch, l *Linear, d, dy []float32, n int, norm func([]float32)) {
	if !b.config.PreNorm {
		l.AddBackward(d, dy, n)
		return
	}
	s.rows = Grow(s.rows, n*b.config.Dim)
	l.Backward(s.rows, dy, n)
	norm(s.rows)
	kernel.Axpy(d, s.rows, 1)
}

// Small is what one part of a batch adds to the gradients of a block's norms and
// distances.
type Small struct {
	AttentionNorm, Norm causal.Norm
	distance            []float32 // as Attention has them
	flat                []float32
}

// NewSmall returns zeros.
func NewSmall(c causal.Config) *Small {
	distances := 0
	if c.Position == causal.Relative {
		distances = c.Heads * c.Window
	}
	s := &Small{flat: make([]float32, 4*c.Dim+distances)}
	part := func(i int) []float32 { return s.flat[i*c.Dim : (i+1)*c.Dim] }
	s.AttentionNorm, s.Norm = causal.Norm{Scale: part(0), Shift: part(1)}, causal.Norm{Scale: part(2), Shift: part(3)}
	if distances > 0 {
		s.distance = s.flat[4*c.Dim:]
	}
	return s
}

// Clear sets all to 0.
func (s *Small) Clear() { clear(s.flat) }

// AddTo adds s to the gradient of a block's weights.
func (s *Small) AddTo(g *causal.Layer, window int) {
	kernel.Axpy(g.AttentionNorm.Scale, s.AttentionNorm.Scale, 1)
	kernel.Axpy(g.AttentionNorm.Shift, s.AttentionNorm.Shift, 1)
	kernel.Axpy(g.Norm.Scale, s.Norm.Scale, 1)
	kernel.Axpy(g.Norm.Shift, s.Norm.Shift, 1)
	for i, x := range s.distance {
		row := i / window * window
		g.Distance[row+window-1-(i-row)] += x
	}
}

// Product is one of a block's products, with what its gradient is made of.
type Product struct {
	X, DY   []float32 // [rows, in], [rows, out]
	DW      causal.Linear
	In, Out int
}

// Products are the block's, once both passes are done over all rows: the gradients of
// their weights are to be added to g.
func (b *Block) Products(a *Activations, x []float32, g *causal.Layer) [4]Product {
	dim, wide := b.config.Dim, b.config.FeedForward
	return [4]Product{
		{X: b.attentionInput(a, x), DY: a.dqkv, DW: g.Input, In: dim, Out: 3 * dim},
		{X: a.context, DY: a.dOut, DW: g.Output, In: dim, Out: dim},
		{X: a.middle, DY: a.dWide, DW: g.Up, In: dim, Out: wide},
		{X: a.gelu, DY: a.dDown, DW: g.Down, In: wide, Out: dim},
	}
}
