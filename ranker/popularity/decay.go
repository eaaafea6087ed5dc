package popularity

import "math"

// farExponent is how far the decay factor may grow before all counts are scaled
// down; float64 reaches 2^1023.
const farExponent = 500

// Factor turns [Counter.Raw] into a count as of now (unix microseconds). It is 1
// without HalfLife. A now before the latest act is taken as that act's time.
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

// advance returns the factor of an act at time t and moves the clock. The caller
// holds c.mu.
func (c *Counter) advance(t int64) float64 {
	if c.options.HalfLife == 0 {
		return 1
	}
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

// scale multiplies every count. What is too old to be told from nothing becomes
// nothing, and ties: the list is put in order again.
func (c *Counter) scale(factor float64) {
	for i := range c.chunks {
		chunk := c.chunks[i].Load()
		if chunk == nil {
			continue
		}
		for k := range chunk {
			chunk[k].Store(math.Float64bits(math.Float64frombits(chunk[k].Load()) * factor))
		}
	}
	c.rebuild()
}
