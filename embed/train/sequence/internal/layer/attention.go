package layer

import (
	"math"

	"github.com/kindred-rec/kindred/embed/internal/kernel"
)

// Attention is causal attention within sequences, over at most window events.
type Attention struct {
	Heads, HeadDim, Window int

	// Distance is what is added to the score of an event so many rows back, newest last:
	// [heads, window], the event itself at window-1. It may be nil.
	Distance []float32
}

// span is a run of rows whose attention is computed as one block of scores: whole short
// sequences side by side, or a piece of a long one. What does not belong together is
// masked.
type span struct {
	first, last int // the rows that look
	column      int // the first row that they look at; the last is last-1
}

// spanRows is about how many rows look at a time. More compute more that is masked,
// fewer leave a tile's registers empty.
const spanRows = 48

// spans are those of rows from to to-1, whole sequences; starts[row] is the first row of
// its sequence.
func spans(starts []int32, from, to, window int, each func(span)) {
	for first := from; first < to; {
		last := min(first+spanRows, to)
		begin := int(starts[first])
		if last < to && begin == first { // end with a sequence, if more than one begins here
			if cut := int(starts[last]); cut > first {
				last = cut
			}
		} else if begin < first { // the rest of a long sequence stays alone
			for row := first + 1; row < last; row++ {
				if int(starts[row]) != begin {
					last = row
					break
				}
			}
		}
		each(span{first: first, last: last, column: max(begin, first-window+1)})
		first = last
	}
}

// Scratch is one goroutine's memory.
type Scratch struct {
	a, b, c, d       kernel.Panels
	scores, gradient []float32 // [rows, columns] of a span
	rows             []float32 // [rows, dim]
	more             []float32 // [rows, dim]
}

// lanes divides the length of a row of scores, so that softmax is fast.
const lanes = 16

// Forward sets context, [rows, dim], to what rows from to to-1 gather by qkv, [rows, 3 dim]
// with all queries of a row first. Arrays begin at row 0.
func (a *Attention) Forward(s *Scratch, context, qkv []float32, starts []int32, from, to int, mask kernel.Mask) {
	dim := a.Heads * a.HeadDim
	spans(starts, from, to, a.Window, func(p span) {
		for head := range a.Heads {
			columns := a.weigh(s, qkv, starts, p, head)
			a.drop(s.scores, columns, starts, p, head, mask)
			value := qkv[p.column*3*dim+2*dim+head*a.HeadDim:]
			s.b.PackRows(value, p.last-p.column, a.HeadDim, 3*dim)
			s.b.Multiply(context[p.first*dim+head*a.HeadDim:], dim, s.scores, columns, p.last-p.first, 0, s.b.Count())
		}
	})
}

// weigh sets the scores to the attention weights of a span, [rows, columns], zeros where
// nothing is to be seen, and returns the number of columns.
func (a *Attention) weigh(s *Scratch, qkv []float32, starts []int32, p span, head int) (columns int) {
	dim := a.Heads * a.HeadDim
	rows, seen := p.last-p.first, p.last-p.column
	columns = (seen + lanes - 1) / lanes * lanes
	s.scores = Grow(s.scores, rows*columns)
	s.a.PackTransposed(qkv[p.column*3*dim+dim+head*a.HeadDim:], seen, a.HeadDim, 3*dim)
	s.a.Multiply(s.scores, columns, qkv[p.first*3*dim+head*a.HeadDim:], 3*dim, rows, 0, s.a.Count())
	scale := float32(1 / math.Sqrt(float64(a.HeadDim)))
	minus := float32(math.Inf(-1))
	for i := range rows {
		row := s.scores[i*columns:][:columns]
		low, high := a.visible(starts, p, i)
		from, to := low&^(lanes-1), (high+lanes-1)&^(lanes-1)
		kernel.Scale(row[from:to], scale)
		if a.Distance != nil {
			kernel.Axpy(row[low:high], a.distances(head, high-low), 1)
		}
		for j := from; j < low; j++ {
			row[j] = minus
		}
		for j := high; j < to; j++ {
			row[j] = minus
		}
		kernel.Scale(row[from:to], 1/kernel.Exp(row[from:to]))
		clear(row[:low])
		clear(row[high:])
	}
	return columns
}

// visible are the columns that row i of a span sees.
func (a *Attention) visible(starts []int32, p span, i int) (low, high int) {
	row := p.first + i
	return max(int(starts[row]), row-a.Window+1) - p.column, row + 1 - p.column
}

// distances are what is added to the scores of the last n events.
func (a *Attention) distances(head, n int) []float32 {
	end := (head + 1) * a.Window
	return a.Distance[end-n : end]
}

// drop masks what is visible of scores.
func (a *Attention) drop(scores []float32, columns int, starts []int32, p span, head int, mask kernel.Mask) {
	if mask.Off() {
		return
	}
	for i := range p.last - p.first {
		low, high := a.visible(starts, p, i)
		mask.Apply(scores[i*columns+low:i*columns+high], ((p.first+i)*a.Heads+head)*a.Window)
	}
}

// Backward sets rows from to to-1 of dqkv to the gradient of qkv, given that of the context,
// and adds that of the distances to dDistance, as Distance has them.
func (a *Attention) Backward(s *Scratch, dqkv, dDistance, dContext, qkv []float32, starts []int32, from, to int, mask kernel.Mask) {
	dim := a.Heads * a.HeadDim
	clear(dqkv[from*3*dim : to*3*dim])
	spans(starts, from, to, a.Window, func(p span) {
		for head := range a.Heads {
			a.backward(s, dqkv, dDistance, dContext, qkv, starts, p, head, mask)
		}
	})
}

func (a *Attention) backward(s *Scratch, dqkv, dDistance, dContext, qkv []float32, starts []int32, p span, head int, mask kernel.Mask) {
	dim, d := a.Heads*a.HeadDim, a.HeadDim
	stride := 3 * dim
	rows, seen := p.last-p.first, p.last-p.column
	query, key := p.first*stride+head*d, p.column*stride+dim+head*d
	value, out := key+dim, dContext[p.first*dim+head*d:]
	columns := a.weigh(s, qkv, starts, p, head)

	s.gradient = Grow(s.gradient, rows*columns) // of the weights that were not dropped
	s.b.PackTransposed(qkv[value:], seen, d, stride)
	s.b.Multiply(s.gradient, columns, out, dim, rows, 0, s.b.Count())
	a.drop(s.gradient, columns, starts, p, head, mask)

	s.c.PackRows(out, rows, d, dim)
	left := s.dropped(a, rows*columns, columns, starts, p, head, mask)
	s.c.Add(dqkv[value:], stride, kernel.Left{Data: left, Row: 1, Step: columns}, seen, 0, s.c.Count())

	a.softmaxGrad(s, dDistance, columns, starts, p, head)
	s.a.PackRows(qkv[key:], seen, d, stride)
	s.a.Add(dqkv[query:], stride, kernel.Left{Data: s.gradient, Row: columns, Step: 1}, rows, 0, s.a.Count())
	s.d.PackRows(qkv[query:], rows, d, stride)
	s.d.Add(dqkv[key:], stride, kernel.Left{Data: s.gradient, Row: 1, Step: columns}, seen, 0, s.d.Count())
}

// dropped are the scores with the mask, apart from those without it.
func (s *Scratch) dropped(a *Attention, n, columns int, starts []int32, p span, head int, mask kernel.Mask) []float32 {
	if mask.Off() {
		return s.scores
	}
	s.rows = Grow(s.rows, n)
	copy(s.rows, s.scores[:n])
	a.drop(s.rows, columns, starts, p, head, mask)
	return s.rows
}

// softmaxGrad replaces the gradient of a span's weights by that of its scores' products,
// before they were scaled, and adds that of the distances.
func (a *Attention) softmaxGrad(s *Scratch, dDistance []float32, columns int, starts []int32, p span, head int) {
	scale := float32(1 / math.Sqrt(float64(a.HeadDim)))
	for i := range p.last - p.first {
		low, high := a.visible(starts, p, i)
		weights, d := s.scores[i*columns:][:columns], s.gradient[i*columns:][:columns]
		mean := kernel.Dot(weights[low:high], d[low:high])
		for j := low; j < high; j++ {
			d[j] = (d[j] - mean) * weights[j]
		}
		clear(d[:low])
		clear(d[high:])
		if dDistance != nil {
			end := (head + 1) * a.Window
			kernel.Axpy(dDistance[end-(high-low):end], d[low:high], 1)
		}
		kernel.Scale(d[low:high], scale)
	}
}
