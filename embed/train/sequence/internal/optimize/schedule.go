package optimize

import "math"

// Schedule is how the learning rate changes.
type Schedule int

const (
	Constant Schedule = iota // it does not
	Linear                   // it falls to 0
	Cosine                   // it falls to a twentieth along half a wave
)

// Rate is what the learning rate is multiplied by at a step, from 1, of so many in all:
// it rises over the first warm steps.
func (s Schedule) Rate(step, warm, steps int) float64 {
	if step <= warm {
		return float64(step) / float64(warm+1)
	}
	done := 1.0
	if steps > warm {
		done = min(1, float64(step-warm-1)/float64(steps-warm))
	}
	switch s {
	case Linear:
		return 1 - done
	case Cosine:
		return 0.05 + 0.95*0.5*(1+math.Cos(math.Pi*done))
	}
	return 1
}
