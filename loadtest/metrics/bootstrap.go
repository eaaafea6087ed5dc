package metrics

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
)

// ErrBootstrap: there is nothing to resample, or a setting is out of its range.
var ErrBootstrap = errors.New("metrics: no bootstrap")

// Resamples and Level are what intervals are of where nothing else is said.
const (
	Resamples = 2000
	Level     = 0.95
)

// MaxResamples bounds the time: each takes a draw a user.
const MaxResamples = 1_000_000

// bootstrapStream separates this use of a seed from others.
const bootstrapStream = 0xb007

// Interval is an estimate and the bounds that hold it.
type Interval struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Excludes reports whether a value lies outside.
func (i Interval) Excludes(v float64) bool { return v < i.Low || v > i.High }

// Paired gives for each figure the mean over questions of what the second ranking has more
// than the first, with percentiles of so many resamples. values[f][q] is figure f of question
// q under a ranking; user[q] is whose question it is, numbered from 0 without gaps. Users are
// drawn with replacement and bring all of their questions. first may be nil: then it is
// intervals of the second's own means. The seed decides the draws; all figures share them.
func Paired(first, second [][]float64, user []int, resamples int, level float64, seed uint64) ([]Interval, error) {
	switch {
	case len(user) == 0:
		return nil, fmt.Errorf("%w: no questions", ErrBootstrap)
	case resamples < 100 || resamples > MaxResamples:
		return nil, fmt.Errorf("%w: %d resamples; it must lie in [100, %d]", ErrBootstrap, resamples, MaxResamples)
	case !(level > 0 && level < 1):
		return nil, fmt.Errorf("%w: level %v; it must lie in (0, 1)", ErrBootstrap, level)
	case first != nil && len(first) != len(second):
		return nil, fmt.Errorf("%w: %d figures of the one, %d of the other", ErrBootstrap, len(first), len(second))
	}
	figures := len(second)
	users := slices.Max(user) + 1
	counts, sums := make([]float64, users), make([]float64, users*figures) // [users, figures]
	for q, u := range user {
		counts[u]++
		for f := range figures {
			x := second[f][q]
			if first != nil {
				x -= first[f][q]
			}
			sums[u*figures+f] += x
		}
	}
	means := make([][]float64, figures)
	draws := rand.New(rand.NewPCG(seed, bootstrapStream))
	total := make([]float64, figures)
	for range resamples {
		clear(total)
		n := 0.0
		for range users {
			u := draws.IntN(users)
			n += counts[u]
			for f := range figures {
				total[f] += sums[u*figures+f]
			}
		}
		for f := range figures {
			means[f] = append(means[f], ratio(total[f], n))
		}
	}
	out := make([]Interval, figures)
	for f := range figures {
		for u := range users {
			out[f].Mean += sums[u*figures+f]
		}
		out[f].Mean /= float64(len(user))
		slices.Sort(means[f])
		out[f].Low, out[f].High = quantile(means[f], (1-level)/2), quantile(means[f], (1+level)/2)
	}
	return out, nil
}

// quantile of sorted values, between two of them linearly.
func quantile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}
