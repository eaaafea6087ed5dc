// Package limit says how many calls of a kind may be under way at once: a fixed number, or
// one that follows how long the calls take.
//
// A fixed number must be found for each machine and catalog: too small, and calls are
// turned away while processors idle; too large, and all calls wait for each other before
// any is turned away. A [Limiter] with a target finds it by additive increase and
// multiplicative decrease (Chiu and Jain, 1989), as TCP finds a rate: after each round of
// calls, if more than a tenth took longer than the target, the number falls by a tenth;
// if fewer did, and the number was reached, it grows by one in twenty, at least one. It
// moves between a least and a most and never past them, so that a target that cannot be
// met costs no more than the least says.
//
// [Classes] holds one limiter for each class of calls of each tenant: what is slow in one class narrows that
// class of that tenant alone.
//
// Acquire and Release take no lock but at the end of a round, and allocate nothing. All
// methods are safe for concurrent use.
package limit

import (
	"sync/atomic"
	"time"
)

// Config says what a limiter allows.
type Config struct {
	// Most is the number, or the largest one with a Target. At least 1.
	Most int
	// Least is the smallest number with a Target, 1 to Most. 0: a sixteenth of Most.
	Least int
	// Target is how long a call should take. 0: the number is Most, always.
	Target time.Duration
}

// round is how many calls make a round: more than the number, so that each round is about
// calls that the number before it admitted.
const round = 64

// Limiter counts calls under way.
type Limiter struct {
	least, most int64
	target      time.Duration

	now      atomic.Int64 // the number
	underWay atomic.Int64
	reached  atomic.Bool  // the number was reached in this round
	slow     atomic.Int64 // calls of this round over the target
	ended    atomic.Int64 // calls of this round
}

// New returns a limiter that begins with the most.
func New(c Config) *Limiter {
	most := int64(max(1, c.Most))
	least := int64(c.Least)
	if least == 0 {
		least = most / 16
	}
	l := &Limiter{least: min(max(1, least), most), most: most, target: c.Target}
	l.now.Store(most)
	return l
}

// Acquire admits a call, which must Release. False: there are as many as may be.
func (l *Limiter) Acquire() bool {
	if n := l.underWay.Add(1); n < l.now.Load() {
		return true
	} else if n == l.now.Load() {
		l.mark()
		return true
	}
	l.underWay.Add(-1)
	l.mark()
	return false
}

// mark notes that the number was reached.
func (l *Limiter) mark() {
	if l.target > 0 && !l.reached.Load() {
		l.reached.Store(true)
	}
}

// Release ends a call that was admitted, and that took so long.
func (l *Limiter) Release(took time.Duration) {
	l.underWay.Add(-1)
	if l.target <= 0 {
		return
	}
	if took > l.target {
		l.slow.Add(1)
	}
	if n := l.ended.Add(1); n == max(round, l.now.Load()) {
		l.adapt(n)
	}
}

// adapt ends a round. The call that counts to the end of it is the only one that is here:
// those that end meanwhile count past it, and into the next round from when it is reset.
func (l *Limiter) adapt(ended int64) {
	now := l.now.Load()
	switch slow := l.slow.Swap(0); {
	case slow*10 > ended:
		now -= max(1, now/10)
	case l.reached.Load():
		now += max(1, now/20)
	}
	l.now.Store(min(max(now, l.least), l.most))
	l.reached.Store(false)
	l.ended.Store(0)
}

// Now is how many calls may be under way.
func (l *Limiter) Now() int { return int(l.now.Load()) }

// UnderWay is how many are.
func (l *Limiter) UnderWay() int { return int(l.underWay.Load()) }
