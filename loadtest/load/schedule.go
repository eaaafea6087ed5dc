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
	act      act   // of an event
	phase    phase // of a spike
	page     bool  // a session's: the item is the page that the user is on
	measured bool  // false during the warm-up
}

// sequence draws arrivals. Two sequences of one plan and population are equal.
type sequence struct {
	random *rand.Rand
	mix    Mix
	users  *rand.Zipf
	items  int
	gaps   gaps      // between calls, or between sessions
	visits *visitors // nil: calls come one by one
	spike  *Spike    // nil: none
	warmUp time.Duration
	end    time.Duration
}

func newSequence(plan Plan, people Population, items int) *sequence {
	random := rand.New(rand.NewPCG(plan.Seed, 0x6c6f6164))
	s := &sequence{
		random: random, mix: plan.Mix, items: items, spike: plan.Spike,
		users:  rand.NewZipf(random, people.Exponent, 1, uint64(people.size()-1)),
		warmUp: plan.WarmUp, end: plan.WarmUp + plan.Duration,
	}
	rate, from := plan.Rate, 0.0
	if plan.Sessions != nil {
		s.visits = &visitors{plan: *plan.Sessions}
		rate, from = plan.Rate/plan.Sessions.meanCalls(), -plan.Sessions.lead().Seconds()
	}
	s.gaps = newGaps(random, plan.Arrivals, plan.Spike.curve(rate, from, plan.WarmUp))
	return s
}

// draw gives the next arrival; false: the run is over.
func (s *sequence) draw() (arrival, bool) {
	if s.visits != nil {
		return s.drawVisit()
	}
	due := s.gaps.due()
	if due >= s.end {
		return arrival{}, false
	}
	a := arrival{due: due, kind: s.mix.pick(s.random), user: uint32(s.users.Uint64()), seed: s.random.Uint64()}
	a.item = s.drawItem()
	s.stamp(&a)
	s.gaps.advance()
	return a, true
}

func (s *sequence) drawItem() uint32 {
	if s.items == 0 {
		return 0
	}
	return uint32(s.random.Uint64N(uint64(s.items)))
}

// stamp says which part of the run an arrival belongs to.
func (s *sequence) stamp(a *arrival) {
	a.measured = a.due >= s.warmUp
	if s.spike != nil {
		a.phase = s.spike.phase(a.due - s.warmUp)
	}
}

// stretch is a part of a run with one rate.
type stretch struct {
	from float64 // seconds since the start of the run
	rate float64 // arrivals a second, above 0
}

// gaps draws the times of arrivals whose rate may change: it counts the arrivals that are expected so far, which grows
// with the rate, and turns that count into a time.
type gaps struct {
	random   *rand.Rand
	arrivals Arrivals
	curve    []stretch // in order; the last has no end
	drawn    int
	expected float64 // arrivals between the start of the first stretch and the next arrival
	at       int     // the stretch that the next arrival is in
	passed   float64 // expected arrivals before it
}

func newGaps(random *rand.Rand, arrivals Arrivals, curve []stretch) gaps {
	g := gaps{random: random, arrivals: arrivals, curve: curve}
	if arrivals == Poisson {
		g.advance()
	}
	return g
}

func (g *gaps) advance() {
	g.drawn++
	if g.arrivals == Poisson {
		g.expected += g.random.ExpFloat64()
	} else {
		g.expected = float64(g.drawn) // not a sum, which would drift
	}
	for g.at+1 < len(g.curve) {
		here, next := g.curve[g.at], g.curve[g.at+1]
		share := (next.from - here.from) * here.rate
		if g.expected < g.passed+share {
			return
		}
		g.at, g.passed = g.at+1, g.passed+share
	}
}

// due is when the next arrival is due, since the start of the run.
func (g *gaps) due() time.Duration {
	here := g.curve[g.at]
	return time.Duration((here.from + (g.expected-g.passed)/here.rate) * float64(time.Second))
}
