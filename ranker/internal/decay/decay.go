// Package decay lets old acts count less without touching them.
//
// An act at time t is added with the weight 2^((t-origin)/HalfLife), and a sum is read times
// 2^(-(now-origin)/HalfLife): all sums fade alike, and none is written for it. When weights
// become too large the origin moves on and the owner scales its sums down once.
package decay

import (
	"math"
	"sync/atomic"
	"time"
)

// Far is how many half-lives the weight of an act may grow by before sums are scaled down;
// float64 reaches 2^1023.
const Far = 500

// Times are where the weight is 1, and the largest time seen, unix microseconds.
type Times struct{ Origin, Latest int64 }

// A Clock weighs acts. One writer at a time advances it, readers may run meanwhile. The zero
// Clock does not decay.
type Clock struct {
	// HalfLife of an act's weight; 0: it does not fade. Not to be changed once in use.
	HalfLife time.Duration
	times    atomic.Pointer[Times] // what it points to is immutable
}

// Times returns the clock's times; false: nothing was weighed yet.
func (c *Clock) Times() (Times, bool) {
	if t := c.times.Load(); t != nil {
		return *t, true
	}
	return Times{}, false
}

// Restore sets the times.
func (c *Clock) Restore(t Times) { c.times.Store(&t) }

// Factor turns a sum of weights into one as of now (unix microseconds). A now before the
// latest act is taken as that act's time.
func (c *Clock) Factor(now int64) float64 {
	t := c.times.Load()
	if t == nil {
		return 1
	}
	return math.Exp2(-c.HalfLives(t.Origin, max(now, t.Latest)))
}

// HalfLives is how many lie between two times.
func (c *Clock) HalfLives(from, to int64) float64 {
	return (float64(to) - float64(from)) / float64(c.HalfLife.Microseconds())
}

// Advance returns the weight of an act at time t and moves the clock. scale multiplies all
// sums so far by a factor, where the origin moves.
func (c *Clock) Advance(t int64, scale func(factor float64)) float64 {
	if c.HalfLife == 0 {
		return 1
	}
	now := c.times.Load()
	if now == nil {
		now = &Times{Origin: t, Latest: t}
		c.times.Store(now)
	}
	if t > now.Latest {
		now = &Times{Origin: now.Origin, Latest: t}
		if halfLives := math.Floor(c.HalfLives(now.Origin, t)); halfLives > Far {
			scale(math.Exp2(-halfLives))
			now.Origin += int64(halfLives * float64(c.HalfLife.Microseconds()))
		}
		c.times.Store(now)
	}
	return math.Exp2(c.HalfLives(now.Origin, t))
}
