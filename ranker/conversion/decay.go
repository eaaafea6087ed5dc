package conversion

import "math"

// Factor turns [Counter.Raw] into counts as of now (unix microseconds). A now before the
// latest act is taken as that act's time.
func (c *Counter) Factor(now int64) float64 { return c.clock.Factor(now) }

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
