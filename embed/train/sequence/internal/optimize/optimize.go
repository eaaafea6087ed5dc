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

// State is what is changed and what is remembered of past steps. All slices are of one
// length. Average is nil if there is none.
type State struct {
	Weights, Gradient, First, Second, Average []float32

	pieces []Range
	sums   []float64
}

// NewState returns the state of weights before any step.
func NewState(weights, gradient []float32, ranges []Range, average bool) *State {
	s := &State{Weights: weights, Gradient: gradient, First: make([]float32, len(weights)), Second: make([]float32, len(weights))}
	if average {
		s.Average = append([]float32(nil), weights...)
	}
	for _, r := range ranges {
		for from := r.From; from < r.To; from += pieceLen {
			s.pieces = append(s.pieces, Range{from, min(from+pieceLen, r.To), r.Decays})
		}
	}
	s.sums = make([]float64, len(s.pieces))
	return s
}

// Norm is the length of the gradient.
func (s *State) Norm(t *team.Team) float64 {
	t.Do(len(s.pieces), func(_, i int) {
		g := s.Gradient[s.pieces[i].From:s.pieces[i].To]
		s.sums[i] = float64(kernel.Dot(g, g))
	})
	var sum float64
	for _, x := range s.sums {
		sum += x
	}
	return math.Sqrt(sum)
}

// Step is how one step is made.
type Step struct {
	kernel.Adam
	Average float64 // how much of the average is kept
}

// Apply makes a step and sets the gradient to 0.
func (s *State) Apply(t *team.Team, step Step) {
	t.Do(len(s.pieces), func(_, i int) {
		p := s.pieces[i]
		adam := step.Adam
		if !p.Decays {
			adam.Decay = 0
		}
		w, g := s.Weights[p.From:p.To], s.Gradient[p.From:p.To]
		adam.Update(w, g, s.First[p.From:p.To], s.Second[p.From:p.To])
		clear(g)
		if s.Average != nil {
			average := s.Average[p.From:p.To]
			kernel.Scale(average, float32(step.Average))
			kernel.Axpy(average, w, float32(1-step.Average))
		}
	})
}

// Warming is how much of an average is kept at a step, from 1: at most decay, and at first
// less, so that the average does not dwell on the weights before training.
func Warming(decay float64, step int) float64 {
	return min(decay, float64(1+step)/float64(10+step))
}
