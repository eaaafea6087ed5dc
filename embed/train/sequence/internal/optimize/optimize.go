// Package optimize changes weights by their gradients: AdamW with clipping by the global
// norm, a schedule of the rate, and a running average of the weights.
//
// Weights lie in one array, and so do gradients, moments and the average, in the same
// order. All work is done piece by piece, each piece by one goroutine, and sums over
// pieces are taken in order: the number of goroutines changes nothing.
package optimize

import (
	"math"

	"github.com/kindred-rec/kindred/embed/internal/kernel"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/team"
)

// pieceLen is how many elements are one piece: few enough to stay in the cache between
// the passes over them.
const pieceLen = 1 << 14

// Range is a run of elements, of which all have weight decay or none.
type Range struct {
	From, To int
	Decays   bool
}

// State is what is changed and what is remembered of past steps. The slices are of one
// length, but for Behind. Average is nil if there is none.
type State struct {
	Weights, Gradient, First, Second, Average []float32

	// Behind has for each row of the table the number of the step after which its average is
	// up to date: a step that does not change a row leaves its average for later. Nil
	// without a table or an average.
	Behind []float32

	pieces []Range
	sums   []float64
	table  Table
}

// Table is a run of weights of which a step changes only some rows. It is in no [Range].
type Table struct {
	First, Width, Rows int // where it begins, and its size
}

// NewState returns the state of weights before any step. The table's Rows may be 0.
func NewState(weights, gradient []float32, ranges []Range, t Table, average bool) *State {
	s := &State{Weights: weights, Gradient: gradient, First: make([]float32, len(weights)), Second: make([]float32, len(weights)), table: t}
	if average {
		s.Average = append([]float32(nil), weights...)
		s.Behind = make([]float32, t.Rows)
	}
	for _, r := range ranges {
		for from := r.From; from < r.To; from += pieceLen {
			s.pieces = append(s.pieces, Range{from, min(from+pieceLen, r.To), r.Decays})
		}
	}
	return s
}

// Rows are rows of the table that take part in a step. The others do not change, nor do
// their means: a row's decay, too, is that of the steps that it takes part in.
type Rows struct {
	Numbers  []uint32  // each once
	Gradient []float32 // [numbers, width]
}

// rowsPerPiece is how many rows one goroutine takes at a time.
const rowsPerPiece = 64

func (r *Rows) pieces() int {
	if r == nil {
		return 0
	}
	return (len(r.Numbers) + rowsPerPiece - 1) / rowsPerPiece
}

// piece is a run of numbers.
func (r *Rows) piece(i int) (from, to int) {
	return i * rowsPerPiece, min((i+1)*rowsPerPiece, len(r.Numbers))
}

// Norm is the length of the gradient, that of the rows included; rows may be nil.
func (s *State) Norm(t *team.Team, rows *Rows) float64 {
	n := len(s.pieces)
	for len(s.sums) < n+rows.pieces() {
		s.sums = append(s.sums, 0)
	}
	t.Do(n+rows.pieces(), func(_, i int) {
		var g []float32
		if i < n {
			g = s.Gradient[s.pieces[i].From:s.pieces[i].To]
		} else {
			from, to := rows.piece(i - n)
			g = rows.Gradient[from*s.table.Width : to*s.table.Width]
		}
		s.sums[i] = float64(kernel.Dot(g, g))
	})
	var sum float64
	for _, x := range s.sums[:n+rows.pieces()] {
		sum += x
	}
	return math.Sqrt(sum)
}

// Step is how one step is made.
type Step struct {
	kernel.Adam
	Average float64 // how much of the average is kept
}

// Apply makes a step and sets the gradient to 0, but for that of rows, which may be nil.
func (s *State) Apply(t *team.Team, rows *Rows, step Step) {
	n := len(s.pieces)
	keep := float32(step.Average)
	t.Do(n+rows.pieces(), func(_, i int) {
		if i < n {
			p, adam := s.pieces[i], step.Adam
			if !p.Decays {
				adam.Decay = 0
			}
			s.update(adam, p.From, p.To, s.Gradient[p.From:p.To], keep)
			clear(s.Gradient[p.From:p.To])
			return
		}
		from, to := rows.piece(i - n)
		width := s.table.Width
		for j := from; j < to; j++ {
			row := int(rows.Numbers[j])
			s.catchUp(row, step.Step-1, step.Average)
			at := s.table.First + row*width
			s.update(step.Adam, at, at+width, rows.Gradient[j*width:(j+1)*width], keep)
			if s.Average != nil {
				s.Behind[row] = float32(step.Step)
			}
		}
	})
}

// update makes a step of the weights from to to-1.
func (s *State) update(adam kernel.Adam, from, to int, g []float32, keep float32) {
	w := s.Weights[from:to]
	adam.Update(w, g, s.First[from:to], s.Second[from:to])
	if s.Average != nil {
		kernel.Scale(s.Average[from:to], keep)
		kernel.Axpy(s.Average[from:to], w, 1-keep)
	}
}

// CatchUp brings the average up to date in all rows of the table, after so many steps of
// which the last had this average.
func (s *State) CatchUp(t *team.Team, steps int, average float64) {
	t.Do((len(s.Behind)+rowsPerPiece-1)/rowsPerPiece, func(_, i int) {
		for row := i * rowsPerPiece; row < min((i+1)*rowsPerPiece, len(s.Behind)); row++ {
			s.catchUp(row, steps, average)
		}
	})
}

// catchUp takes a row's weights, which have not changed since it is behind, into its
// average.
func (s *State) catchUp(row, steps int, average float64) {
	if s.Average == nil || int(s.Behind[row]) >= steps {
		return
	}
	keep := math.Pow(average, float64(steps-int(s.Behind[row])))
	at := s.table.First + row*s.table.Width
	kernel.Scale(s.Average[at:at+s.table.Width], float32(keep))
	kernel.Axpy(s.Average[at:at+s.table.Width], s.Weights[at:at+s.table.Width], float32(1-keep))
	s.Behind[row] = float32(steps)
}

// Warming is how much of an average is kept at a step, from 1: at most decay, and at first
// less, so that the average does not dwell on the weights before training.
func Warming(decay float64, step int) float64 {
	return min(decay, float64(1+step)/float64(10+step))
}
