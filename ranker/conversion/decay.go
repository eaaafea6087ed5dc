package conversion

import "math"

// A clock is immutable: where the decay factor is 1 and the largest time seen,
// unix microseconds.
type clock struct{ origin, latest int64 }

// farExponent is how far the decay factor may grow before all counts are scaled
// down; float64 reaches 2^1023.
const farExponent = 500

// Factor turns [Counter.Raw] into counts as of now (unix microseconds). A now before the
// latest act is taken as that act's time.
func (c *Counter) Factor(now int64) float64 {
	clock := c.clock.Load()
	if clock == nil {
		return 1
	}
	return math.Exp2(-c.exponent(clock.origin, max(now, clock.latest)))
}

func (c *Counter) exponent(origin, t int64) float64 {
	return (float64(t) - float64(origin)) / float64(c.options.HalfLife.Microseconds())
}

// advance returns the factor of an act at time t and moves the clock. The caller holds
// c.mu.
func (c *Counter) advance(t int64) float64 {
	now := c.clock.Load()
	if now == nil {
		now = &clock{origin: t, latest: t}
		c.clock.Store(now)
	}
	if t > now.latest {
		now = &clock{origin: now.origin, latest: t}
		if halfLives := math.Floor(c.exponent(now.origin, t)); halfLives > farExponent {
			c.scale(math.Exp2(-halfLives))
			now.origin += int64(halfLives * float64(c.options.HalfLife.Microseconds()))
		}
		c.clock.Store(now)
	}
	return math.Exp2(c.exponent(now.origin, t))
}

// scale multiplies every count. What is too old to be told from nothing becomes nothing.
func (c *Counter) scale(factor float64) {
	c.total.scale(factor)
	for i := range c.chunks {
		if chunk := c.chunks[i].Load(); chunk != nil {
			for k := range chunk {
				chunk[k].scale(factor)
			}
		}
	}
}

func (c *cells) scale(factor float64) {
	for act := range c {
		c[act].Store(math.Float64bits(math.Float64frombits(c[act].Load()) * factor))
	}
}
