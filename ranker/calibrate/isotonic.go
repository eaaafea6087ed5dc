package calibrate

import (
	"cmp"
	"slices"
)

// pool is a run of impressions with one probability.
type pool struct {
	score, acted, weight float64 // sums, by weight
}

func (p *pool) rate() float64 { return p.acted / p.weight }

// Isotonic fits by pooling adjacent violators.
func Isotonic(list []Impression) (*Curve, error) {
	if _, err := check(list); err != nil {
		return nil, err
	}
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b Impression) int { return cmp.Compare(a.Score, b.Score) })
	var pools []pool
	for i := 0; i < len(sorted); {
		var p pool
		for score := sorted[i].Score; i < len(sorted) && sorted[i].Score == score; i++ { // equal scores are one
			w := sorted[i].weight()
			p.weight += w
			p.score += w * score
			if sorted[i].Acted {
				p.acted += w
			}
		}
		pools = append(pools, p)
		for n := len(pools); n > 1 && pools[n-2].rate() >= pools[n-1].rate(); n-- {
			last := pools[n-1]
			pools[n-2].score += last.score
			pools[n-2].acted += last.acted
			pools[n-2].weight += last.weight
			pools = pools[:n-1]
		}
	}
	return curveOf(thin(pools)), nil
}

// thin joins neighbours until a curve can hold them.
func thin(pools []pool) []pool {
	for len(pools) > maxPoints {
		half := pools[:0]
		for i := 0; i < len(pools); i += 2 {
			p := pools[i]
			if i+1 < len(pools) {
				p.score += pools[i+1].score
				p.acted += pools[i+1].acted
				p.weight += pools[i+1].weight
			}
			half = append(half, p)
		}
		pools = half
	}
	return pools
}

// curveOf has a point at the middle of each pool.
func curveOf(pools []pool) *Curve {
	var c Curve
	for i := range pools {
		score := pools[i].score / pools[i].weight
		if n := len(c.Scores); n > 0 && score <= c.Scores[n-1] { // by rounding
			c.Probabilities[n-1] = pools[i].rate()
			continue
		}
		c.Scores, c.Probabilities = append(c.Scores, score), append(c.Probabilities, pools[i].rate())
	}
	return &c
}
