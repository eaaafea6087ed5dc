package remote

import (
	"math/rand/v2"
	"sync"
	"time"
)

// breaker keeps calls from a worker that fails. It opens after several failures in a row,
// lets one call through as a trial once its pause is over, and closes when a call goes
// well. Each trial that fails doubles the pause. Safe for concurrent use.
type breaker struct {
	failures int           // in a row, that open it
	pause    time.Duration // after which the first trial is made
	longest  time.Duration
	jitter   *jitter

	mu     sync.Mutex
	row    int // failures in a row
	state  breakerState
	now    time.Duration // pause of this opening
	until  time.Time     // open until then
	cause  error         // last failure
	opened uint64
}

type breakerState int

const (
	closed   breakerState = iota // calls go through
	open                         // none does, until the pause is over
	halfOpen                     // one does, as a trial
)

func (s breakerState) String() string {
	return [...]string{"closed", "open", "half-open"}[s]
}

// allow reports whether a call may go through; it must be answered with success, failure
// or neither. If not, wait is when to ask again.
func (b *breaker) allow(at time.Time) (ok bool, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.state == closed:
		return true, 0
	case b.state == open && !at.Before(b.until):
		b.state = halfOpen
		return true, 0
	case b.state == halfOpen:
		return false, b.pause // the trial is under way
	}
	return false, b.until.Sub(at)
}

// success: the worker answered.
func (b *breaker) success() {
	b.mu.Lock()
	b.row, b.now, b.state = 0, 0, closed
	b.mu.Unlock()
}

// failure: the worker did not answer, or not as it must. A grave one opens the breaker at
// once.
func (b *breaker) failure(at time.Time, cause error, grave bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cause = cause
	b.row++
	if b.state == closed && b.row < b.failures && !grave {
		return
	}
	if b.state != open {
		b.opened++
		b.now = min(max(b.pause, 2*b.now), b.longest)
		b.until = at.Add(b.jitter.spread(b.now))
	}
	b.state = open
}

// neither: the call ended without saying anything about the worker, as when its caller
// gave up. A trial may be made again.
func (b *breaker) neither() {
	b.mu.Lock()
	if b.state == halfOpen {
		b.state = open
	}
	b.mu.Unlock()
}

// snapshot is the state, how often it opened, and the last failure.
func (b *breaker) snapshot() (state breakerState, opened uint64, cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state, b.opened, b.cause
}

// jitter spreads pauses so that many callers do not come back in step. Safe for
// concurrent use.
type jitter struct {
	mu   sync.Mutex
	rand *rand.Rand
}

func newJitter(seed uint64) *jitter {
	return &jitter{rand: rand.New(rand.NewPCG(seed, 0x6b696e64726564))}
}

// spread is between three quarters and five quarters of d.
func (j *jitter) spread(d time.Duration) time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	return d - d/4 + time.Duration(j.rand.Int64N(int64(d)/2+1))
}

const (
	firstPause   = 50 * time.Millisecond
	longestPause = 2 * time.Second
)

// backoff is the pause before try number n, from 1; not shorter than a worker's hint, and
// up to half longer.
func (j *jitter) backoff(n int, hint time.Duration) time.Duration {
	if hint > 0 {
		return hint + j.spread(hint)/3
	}
	return j.spread(min(firstPause<<min(n-1, 10), longestPause))
}
