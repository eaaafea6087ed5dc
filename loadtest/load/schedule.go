package load

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Arrivals says how the arrivals of an open loop are spread in time.
type Arrivals string

const (
	// Poisson arrivals are independent of each other, as those of many visitors are: the gaps are exponential. The default.
	Poisson Arrivals = "poisson"
	// Fixed arrivals have equal gaps, the first at once.
	Fixed Arrivals = "fixed"
)

func (a Arrivals) validate() error {
	if a != Poisson && a != Fixed {
		return fmt.Errorf("load: arrivals %q: must be %s or %s", a, Poisson, Fixed)
	}
	return nil
}

// arrival is one call that is due. All that is random about it was drawn when it was scheduled, in one place and one
// order, so that a run is the same whatever the server does.
type arrival struct {
	due      time.Duration // since the start of the run
	seed     uint64        // for what the call alone needs (which items to rank, which stock)
	user     uint32        // rank in the population
	item     uint32        // number in the item list; 0 where there are no items
	kind     Kind
	measured bool // false during the warm-up
}

// sequence draws arrivals. Two sequences of one plan and population are equal.
type sequence struct {
	random   *rand.Rand
	arrivals Arrivals
	mix      Mix
	users    *rand.Zipf
	items    int
	gap      float64 // mean gap in seconds
	drawn    int     // arrivals so far
	next     float64 // seconds since the start
	warmUp   time.Duration
	end      time.Duration
}

func newSequence(plan Plan, people Population, items int) *sequence {
	random := rand.New(rand.NewPCG(plan.Seed, 0x6c6f6164))
	s := &sequence{
		random: random, arrivals: plan.Arrivals, mix: plan.Mix, items: items,
		users: rand.NewZipf(random, people.Exponent, 1, uint64(people.size()-1)),
		gap:   1 / plan.Rate, warmUp: plan.WarmUp, end: plan.WarmUp + plan.Duration,
	}
	if s.arrivals == Poisson {
		s.advance()
	}
	return s
}

func (s *sequence) advance() {
	s.drawn++
	if s.arrivals == Poisson {
		s.next += s.random.ExpFloat64() * s.gap
	} else {
		s.next = float64(s.drawn) * s.gap // not a sum, which would drift
	}
}

// draw gives the next arrival; false: the run is over.
func (s *sequence) draw() (arrival, bool) {
	due := time.Duration(s.next * float64(time.Second))
	if due >= s.end {
		return arrival{}, false
	}
	a := arrival{due: due, kind: s.mix.pick(s.random), user: uint32(s.users.Uint64()), seed: s.random.Uint64(),
		measured: due >= s.warmUp}
	if s.items > 0 {
		a.item = uint32(s.random.Uint64N(uint64(s.items)))
	}
	s.advance()
	return a, true
}
