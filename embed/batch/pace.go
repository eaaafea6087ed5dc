package batch

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// pace knows how fast the encoder is and what of its work is left, and so how long a
// call would wait. The queue's lock guards it.
//
// Batches that run at once share the encoder: each is charged the time that passes,
// divided by how many run. The rate is then that of all runners together, whether they
// have cores of their own or not.
type pace struct {
	latency time.Duration
	runners int
	now     func() time.Time
	jitter  *rand.Rand

	rate float64 // tokens a second of late; 0: not known

	at      time.Time // of the last change of what runs
	clock   float64   // seconds charged to a batch that ran all the time
	running int       // batches
	begun   float64   // sum of the clock at their begins
	tokens  int       // in them
}

// unknownTokens is what may wait, and half of it what a batch may take, before the rate
// is known.
const unknownTokens = 1024

// newPace takes a fixed seed: that calls of one worker differ from each other is enough.
func newPace(config Config) pace {
	return pace{latency: config.Latency, runners: config.Runners, now: time.Now, jitter: rand.New(rand.NewPCG(1, 2))}
}

// pass charges the time since the last change to what runs.
func (p *pace) pass() {
	now := p.now()
	if p.running > 0 {
		p.clock += max(0, now.Sub(p.at).Seconds()) / float64(p.running)
	}
	p.at = now
}

// begin starts a batch; the result is for its end.
func (p *pace) begin(tokens int) (since float64) {
	p.pass()
	p.running++
	p.begun += p.clock
	p.tokens += tokens
	return p.clock
}

// end takes a batch away and returns the seconds that it was charged.
func (p *pace) end(since float64, tokens int) float64 {
	p.pass()
	p.running--
	p.begun -= since
	p.tokens -= tokens
	return p.clock - since
}

// learn moves the rate towards that of one batch. A small batch shows only how fast the
// encoder is at least, since much of its time is the same for any size: it can raise the
// rate, and be the first that is known if it says more than is let in anyway. Full says that the batch was of the size that matters. A raise is bounded, since
// texts without words cost next to nothing.
func (p *pace) learn(tokens int, seconds float64, full bool) {
	now := float64(tokens) / max(seconds, 1e-6)
	switch {
	case p.rate == 0:
		if full || now*p.latency.Seconds() >= unknownTokens {
			p.rate = now
		}
	case now > p.rate || full:
		p.rate += (min(now, 2*p.rate) - p.rate) / 4
	}
}

// batch bounds the tokens of one batch, so that it takes half of the latency even if all
// runners are busy.
func (p *pace) batch() int {
	if p.rate == 0 {
		return unknownTokens / 2
	}
	// The bound keeps the conversion in range; no budget is as large.
	return int(min(max(1, p.rate*p.latency.Seconds()/2/float64(p.runners)), 1<<30))
}

// wait is the time until the tokens that wait and what runs now are done; false: the rate
// is not known.
func (p *pace) wait(waiting float64) (time.Duration, bool) {
	if p.rate == 0 {
		return 0, false
	}
	p.pass()
	left := float64(p.tokens)/p.rate - (float64(p.running)*p.clock - p.begun)
	return time.Duration((waiting/p.rate + max(0, left)) * float64(time.Second)), true
}

// admits reports whether a call may come behind so many tokens. One that has nothing
// before it always may.
func (p *pace) admits(waiting float64) bool {
	wait, known := p.wait(waiting)
	if !known {
		return waiting+float64(p.tokens) <= unknownTokens
	}
	return wait <= p.latency
}

// retryAfter is the wait and up to as much again, so that callers who were refused
// together do not come back together.
func (p *pace) retryAfter(wait time.Duration) time.Duration {
	if wait == 0 {
		wait = p.latency
	}
	wait += time.Duration(p.jitter.Float64() * float64(wait))
	return min(max(wait, shortestRetry), longestRetry).Round(time.Millisecond)
}

const (
	shortestRetry = 10 * time.Millisecond
	longestRetry  = 5 * time.Second
)

// Bounds of [Config.Latency].
const (
	shortestLatency = time.Millisecond
	longestLatency  = time.Hour
)

func checkLatency(d time.Duration) error {
	if d < shortestLatency || d > longestLatency {
		return fmt.Errorf("%w: Latency is %v; want %v to %v, or 0 for the default", ErrConfig, d, shortestLatency, longestLatency)
	}
	return nil
}

// waiting are the tokens that would go before another interactive call, without those
// that run. While bulk work is ready it has its turns between them.
func (q *queue) waiting() float64 {
	tokens := float64(q.lanes[Interactive].untaken + q.lanes[Interactive].pooled)
	if len(q.lanes[Bulk].pool) > 0 {
		tokens *= float64(turnsOfInteractive+1) / turnsOfInteractive
	}
	return tokens
}

// bound is the present one on a batch's rows times length.
func (q *queue) bound() int { return min(q.fits, q.pace.batch()) }

// late refuses an interactive call that would wait for too long.
func (q *queue) late() error {
	wait, _ := q.pace.wait(q.waiting())
	now := &q.lanes[Interactive]
	return &OverloadError{
		RetryAfter: q.pace.retryAfter(wait), Wait: wait, MaxWait: q.config.Latency,
		Texts: now.texts, MaxTexts: laneShare(q.config.MaxTexts),
		Bytes: now.bytes, MaxBytes: laneShare(q.config.MaxBytes),
	}
}
