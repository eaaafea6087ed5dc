package behaviour

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// ErrConfig is wrapped by errors about the settings of an encoder.
var ErrConfig = errors.New("behaviour: bad configuration")

// Mean is the weighted mean that the package comment describes. The zero Mean
// encodes the newest touch that attracts, alone. A Mean is a plain value: its
// methods do not change it, allocate nothing but errors, and may run concurrently.
type Mean struct {
	// HalfLife is the age difference that halves what a touch counts. At least 0;
	// 0 means that age does not matter.
	HalfLife time.Duration

	// RankDecay is what a touch counts relative to the next newer one of the same
	// sign, from 0 (only the newest counts) to 1 (order does not matter).
	RankDecay float32

	// Repulsion is the most that all repelling touches together may weigh, as a
	// share of what all attracting ones weigh, from 0 (they are ignored) to 1.
	Repulsion float32

	// Recent is how many of the newest touches of each sign count. At least 0;
	// 0 means all.
	Recent int
}

// DefaultMean returns settings for a shop: a half-life of 30 days, a rank decay of
// 0.5, a repulsion of 0.5, and the last 20 touches of each sign, past which a touch
// counts less than a millionth.
//
// The rank decay was chosen on text vectors of the titles of 3,459 office products,
// where the last item of 1,500 training histories was to be found from those before
// it, by order alone. The hit rate at 10 was .142 with a decay of 0, .141 with 0.3,
// .139 with 0.5, .133 with 0.6, .112 with 0.7, .097 with 0.8, .082 with 0.9 and .073
// with 1. The standard error is .009, so the first four cannot be told apart; 0.5
// was taken because it keeps some memory. Those histories have neither times nor
// dislikes: the half-life and the repulsion are judgement, not measurement.
func DefaultMean() Mean {
	return Mean{HalfLife: 30 * 24 * time.Hour, RankDecay: 0.5, Repulsion: 0.5, Recent: 20}
}

// Validate returns an error that wraps [ErrConfig] and names each setting that is
// out of its range, or nil. What a Mean that is not valid encodes is undefined.
func (m Mean) Validate() error {
	var errs []error
	if m.HalfLife < 0 {
		errs = append(errs, fmt.Errorf("%w: HalfLife is %v, must be at least 0; 0 ignores age", ErrConfig, m.HalfLife))
	}
	if !(m.RankDecay >= 0 && m.RankDecay <= 1) {
		errs = append(errs, fmt.Errorf("%w: RankDecay is %g, must be from 0 to 1; 1 ignores order", ErrConfig, m.RankDecay))
	}
	if !(m.Repulsion >= 0 && m.Repulsion <= 1) {
		errs = append(errs, fmt.Errorf("%w: Repulsion is %g, must be from 0 to 1; 0 ignores negative touches", ErrConfig, m.Repulsion))
	}
	if m.Recent < 0 {
		errs = append(errs, fmt.Errorf("%w: Recent is %d, must be at least 0; 0 counts all touches", ErrConfig, m.Recent))
	}
	return errors.Join(errs...)
}

// cancelled is the length under which a weighted mean of unit vectors counts as
// zero. Rounding is far below it, and the mean of thousands of unrelated vectors
// is above.
const cancelled = 1e-4

// Encode implements [Encoder].
func (m Mean) Encode(dst []float32, touches []Touch) (ok bool, err error) {
	clear(dst)
	youngest, err := check(len(dst), touches)
	if err != nil {
		return false, err
	}
	var attract, repel float64
	for c := m.count(touches, youngest); c.next(); {
		if c.touch.Weight > 0 {
			attract += c.weight
		} else {
			repel -= c.weight
		}
	}
	if attract == 0 {
		return false, nil
	}
	share := 1.0
	if bound := float64(m.Repulsion) * attract; repel > bound {
		share = bound / repel
	}
	for c := m.count(touches, youngest); c.next(); {
		weight := float32(c.weight / attract)
		if weight < 0 {
			weight = float32(c.weight / attract * share)
		}
		for i, x := range c.touch.Vector[:len(dst)] {
			dst[i] += weight * x
		}
	}
	return finish(dst)
}

// finish scales the mean in dst to unit length.
func finish(dst []float32) (ok bool, err error) {
	var squares float64
	for _, x := range dst {
		squares += float64(x) * float64(x)
	}
	length := math.Sqrt(squares)
	if math.IsNaN(length) || math.IsInf(length, 0) {
		clear(dst)
		return false, fmt.Errorf("%w: a vector is not finite, or far from unit length", ErrTouch)
	}
	if length < cancelled {
		clear(dst)
		return false, nil
	}
	by := float32(1 / length)
	for i := range dst {
		dst[i] *= by
	}
	return true, nil
}

// check returns the youngest known age of the touches that may count, 0 if there
// is none, or what is wrong with them.
func check(dim int, touches []Touch) (youngest time.Duration, err error) {
	known := false
	for i := range touches {
		t := &touches[i]
		if t.Vector != nil && len(t.Vector) != dim {
			return 0, fmt.Errorf("%w: vector of touch %d has %d components, output has %d; encode with vectors of one model", ErrTouch, i, len(t.Vector), dim)
		}
		if w := float64(t.Weight); math.IsNaN(w) || math.IsInf(w, 0) {
			return 0, fmt.Errorf("%w: weight of touch %d is %g, must be finite", ErrTouch, i, w)
		}
		if t.Age >= 0 && counts(t) && (!known || t.Age < youngest) {
			youngest, known = t.Age, true
		}
	}
	return youngest, nil
}

// counts reports whether a touch has something to say.
func counts(t *Touch) bool {
	if t.Weight == 0 {
		return false
	}
	for _, x := range t.Vector {
		if x != 0 {
			return true // nearly always the first
		}
	}
	return false
}

// counting goes through the touches that count, newest first.
type counting struct {
	m        Mean
	left     []Touch
	youngest time.Duration
	age      time.Duration // of the nearest newer touch whose age is known
	attract  side
	repel    side

	touch  *Touch  // the current one
	weight float64 // what it counts, with its sign
}

// side is what is known of the touches of one sign so far.
type side struct {
	rank  int
	decay float64 // RankDecay^rank
}

func (m Mean) count(touches []Touch, youngest time.Duration) counting {
	return counting{m: m, left: touches, youngest: youngest, age: youngest, attract: side{decay: 1}, repel: side{decay: 1}}
}

func (c *counting) next() bool {
	for len(c.left) > 0 {
		t := &c.left[len(c.left)-1]
		c.left = c.left[:len(c.left)-1]
		if !counts(t) {
			continue
		}
		if t.Age >= 0 {
			c.age = t.Age
		}
		s := &c.attract
		if t.Weight < 0 {
			s = &c.repel
		}
		if c.m.Recent > 0 && s.rank == c.m.Recent {
			continue
		}
		c.touch, c.weight = t, float64(t.Weight)*s.decay
		if c.m.HalfLife > 0 {
			c.weight *= math.Exp2(-float64(c.age-c.youngest) / float64(c.m.HalfLife))
		}
		s.rank++
		s.decay *= float64(c.m.RankDecay)
		return true
	}
	return false
}
