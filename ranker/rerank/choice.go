package rerank

import "math/rand/v2"

// A choice is what a slot is chosen from: candidates with their weights.
type choice struct {
	at     []int32
	weight []float64
	total  float64
}

func (c *choice) reset() { c.at, c.weight, c.total = c.at[:0], c.weight[:0], 0 }

func (c *choice) add(at int32, weight float64) {
	c.at, c.weight = append(c.at, at), append(c.weight, weight)
	c.total += weight
}

func (c *choice) sum() {
	c.total = 0
	for _, w := range c.weight {
		c.total += w
	}
}

// draw takes one by weight. Where there is one alone, nothing is drawn.
func (c *choice) draw(rng *rand.Rand) int32 {
	last := 0
	if len(c.at) == 1 {
		return c.at[0]
	}
	left := rng.Float64() * c.total
	for i, w := range c.weight {
		if w == 0 {
			continue
		}
		if last = i; left < w {
			break
		}
		left -= w
	}
	return c.at[last]
}

// chance is the probability of one to be drawn, 0 for one that is not among them.
func (c *choice) chance(at int32) float64 {
	for i, other := range c.at {
		if other == at {
			return c.weight[i] / c.total
		}
	}
	return 0
}
