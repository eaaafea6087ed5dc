package calibrate

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

var (
	// ErrImpressions: there are none to fit on, or one is malformed.
	ErrImpressions = errors.New("calibrate: bad impressions")
	// ErrCurve: a curve's file is malformed.
	ErrCurve = errors.New("calibrate: bad curve")
)

// Impression is an item that was shown.
type Impression struct {
	Score  float64 // the model's, where the item stood
	Acted  bool    // what the curve is of came to pass
	Weight float64 // above 0; 0 means 1
}

// Curve is a monotone function from score to probability: straight lines between points, flat
// outside of them.
type Curve struct {
	Scores        []float64 `json:"scores"`        // rising
	Probabilities []float64 `json:"probabilities"` // not falling, each in [0, 1]
}

// maxPoints bounds a curve.
const maxPoints = 1024

// Check refuses a curve that is none.
func (c *Curve) Check() error {
	if n := len(c.Scores); n < 1 || n > maxPoints || len(c.Probabilities) != n {
		return fmt.Errorf("%w: it has %d scores and %d probabilities; both must be one number in [1, %d]", ErrCurve, n, len(c.Probabilities), maxPoints)
	}
	for i, s := range c.Scores {
		p := c.Probabilities[i]
		switch {
		case math.IsNaN(s) || math.IsInf(s, 0) || !(p >= 0 && p <= 1):
			return fmt.Errorf("%w: point %d is (%v, %v); the score must be finite, the probability in [0, 1]", ErrCurve, i, s, p)
		case i > 0 && (s <= c.Scores[i-1] || p < c.Probabilities[i-1]):
			return fmt.Errorf("%w: point %d (%v, %v) does not rise from (%v, %v)", ErrCurve, i, s, p, c.Scores[i-1], c.Probabilities[i-1])
		}
	}
	return nil
}

// At is the probability at a score, in [0, 1]. That of NaN is the lowest.
func (c *Curve) At(score float64) float64 {
	last := len(c.Scores) - 1
	switch {
	case !(score > c.Scores[0]):
		return c.Probabilities[0]
	case score >= c.Scores[last]:
		return c.Probabilities[last]
	}
	above, _ := slices.BinarySearch(c.Scores, score)
	from, to := c.Scores[above-1], c.Scores[above]
	low, high := c.Probabilities[above-1], c.Probabilities[above]
	return low + (high-low)*(score-from)/(to-from)
}

// ManySuccesses is from how many impressions that were acted on a curve is isotonic.
const ManySuccesses = 200

// Fit fits a curve, isotonic where at least [ManySuccesses] impressions were acted on and
// as many were not, Platt's elsewhere. ErrImpressions where none was acted on, or all were.
func Fit(list []Impression) (*Curve, error) {
	acted, err := check(list)
	switch {
	case err != nil:
		return nil, err
	case min(acted, len(list)-acted) >= ManySuccesses:
		return Isotonic(list)
	}
	return Platt(list)
}

// check counts what was acted on.
func check(list []Impression) (acted int, err error) {
	for i, x := range list {
		if !(math.Abs(x.Score) <= math.MaxFloat64) || !(x.Weight >= 0 && x.Weight < math.MaxInt32) {
			return 0, fmt.Errorf("%w: impression %d has score %v and weight %v; both must be finite, the weight not negative", ErrImpressions, i, x.Score, x.Weight)
		}
		if x.Acted {
			acted++
		}
	}
	if acted == 0 || acted == len(list) {
		return acted, fmt.Errorf("%w: %d of %d were acted on; a curve needs both kinds", ErrImpressions, acted, len(list))
	}
	return acted, nil
}

func (x *Impression) weight() float64 {
	if x.Weight == 0 {
		return 1
	}
	return x.Weight
}
