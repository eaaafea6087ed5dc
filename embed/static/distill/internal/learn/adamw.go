package learn

import (
	"math"

	"github.com/kindred-rec/kindred/embed/static/distill/internal/table"
)

// The moments' decay and the least divisor of Adam, as published.
const (
	firstDecay  = 0.9
	secondDecay = 0.999
	leastRoot   = 1e-8
)

// adamW changes rows by their gradients. Moments of rows without one stay as they are.
type adamW struct {
	start         table.Rows // what decay pulls to
	first, second table.Rows // moments
	decay         float64
	workers       int
	step          int
}

func newAdamW(start table.Rows, o Options) *adamW {
	moments := func() table.Rows { return table.Rows{Dim: start.Dim, Data: make([]float32, len(start.Data))} }
	return &adamW{start: start, first: moments(), second: moments(), decay: o.Decay, workers: o.Workers}
}

// update takes a step of the learning rate along the gradients of tokens' rows.
func (a *adamW) update(rows, gradients table.Rows, tokens []int32, rate float64) {
	a.step++
	firstShare := float32(1 / (1 - math.Pow(firstDecay, float64(a.step))))
	secondShare := float32(1 / (1 - math.Pow(secondDecay, float64(a.step))))
	by, pull := float32(rate), float32(rate*a.decay)
	each(len(tokens), a.workers, func(i int) {
		token := tokens[i]
		row, start, gradient := rows.Row(token), a.start.Row(token), gradients.Row(token)
		first, second := a.first.Row(token), a.second.Row(token)
		for d, g := range gradient {
			first[d] = firstDecay*first[d] + (1-firstDecay)*g
			second[d] = secondDecay*second[d] + (1-secondDecay)*g*g
			root := float32(math.Sqrt(float64(second[d] * secondShare)))
			row[d] -= by*first[d]*firstShare/(root+leastRoot) + pull*(row[d]-start[d])
		}
	})
}
