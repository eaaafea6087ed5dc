package covisit

import "math"

// farExponent is how far the decay factor may grow before all counts are scaled
// down: float32 reaches 2^127, and counts need room above the factor.
const farExponent = 40

// advance returns the decay factor of an act at time t, and moves the graph's
// latest time. The caller holds g.mu.
func (g *Graph) advance(t int64) float32 {
	if g.options.HalfLife == 0 {
		return 1
	}
	if !g.begun {
		g.begun, g.origin, g.latest = true, t, t
	}
	if t > g.latest {
		g.latest = t
		if exponent := g.exponent(t); exponent > farExponent {
			g.rescale(math.Floor(exponent))
		}
		g.unit.Store(math.Float32bits(float32(math.Exp2(g.exponent(t)))))
	}
	return float32(math.Exp2(g.exponent(t)))
}

func (g *Graph) exponent(t int64) float64 {
	return (float64(t) - float64(g.origin)) / float64(g.options.HalfLife.Microseconds())
}

// rescale moves the origin by so many half-lives. Readers that run meanwhile may
// see lists on both scales; it happens once in forty half-lives.
func (g *Graph) rescale(halfLives float64) {
	g.origin += int64(halfLives * float64(g.options.HalfLife.Microseconds()))
	factor := float32(math.Exp2(-halfLives))
	for i := range g.chunks {
		c := g.chunks[i].Load()
		if c == nil {
			continue
		}
		c.mu.Lock()
		for at := range c.lists {
			l := &c.lists[at]
			for k := range l.evidence {
				l.evidence[k].after *= factor
				l.evidence[k].before *= factor
			}
			l.forget() // what differed may be equal now
			total := &c.totals[at]
			total.Store(math.Float32bits(math.Float32frombits(total.Load()) * factor))
		}
		c.mu.Unlock()
	}
}
