package popularity

import "math"

// Factor turns [Counter.Raw] into a count as of now (unix microseconds). It is 1
// without HalfLife. A now before the latest act is taken as that act's time.
func (c *Counter) Factor(now int64) float64 { return c.clock.Factor(now) }

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
