package shop

import (
	"context"
	"math"
	"sync"
	"time"
)

// EncodingStatus says how a catalog gets its vectors.
type EncodingStatus struct {
	// Encoder is the model that is configured; Immediate: it encodes an item as it
	// changes, and nothing ever waits.
	Encoder   string
	Immediate bool
	// Queued items wait for the vector of their present text. Refused ones have a text
	// that the encoder does not take; they have none until it changes.
	Queued, Refused int64
	// Encoded and Reused count texts since the start: those that the encoder was given,
	// and those whose vector was kept from before, or for another item.
	Encoded, Reused int64
	// TextsPerSecond is how fast it encodes now, over the last half minute or so.
	TextsPerSecond float64
	// Failing: the last try failed, and is made again at NextTry.
	Failing  bool
	NextTry  time.Time
	Failures int64 // tries that failed, since the start
	// LastError is how the last failed try ended, at LastErrorTime. Empty: none failed.
	LastError     string
	LastErrorTime time.Time
	// Bridged: the vectors of another encoder serve while too many of this one's are
	// missing. Filled is how many there are in the generation being filled.
	Bridged bool
	Filled  int64
}

func (s *Shop) encodingStatus(g *generation) EncodingStatus {
	st := EncodingStatus{Encoder: s.config.Encoder.Info().Model, Immediate: s.encoding == nil, Bridged: g.bridge}
	e := s.encoding
	if e == nil {
		return st
	}
	st.Queued, st.Refused = e.backlog.len()
	st.Encoded, st.Reused = e.encoded.Load(), e.reused.Load()
	st.TextsPerSecond = e.rate.at(time.Now())
	e.trouble.describe(&st)
	if f := s.filling.Load(); f != nil {
		st.Filled = f.encoded.Load()
	}
	return st
}

// trouble is what was last wrong with an encoder.
type trouble struct {
	mu       sync.Mutex
	failing  bool
	next     time.Time
	failures int64
	last     string
	at       time.Time
}

func (t *trouble) describe(st *EncodingStatus) {
	t.mu.Lock()
	defer t.mu.Unlock()
	st.Failing, st.NextTry, st.Failures, st.LastError, st.LastErrorTime = t.failing, t.next, t.failures, t.last, t.at
}

// set notes a failure and reports whether it is the first in a row.
func (t *trouble) set(err error, next time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := !t.failing
	t.failing, t.next, t.last, t.at = true, next, err.Error(), time.Now()
	t.failures++
	return first
}

// end reports whether there was one.
func (t *trouble) end() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.failing
	t.failing, t.next = false, time.Time{}
	return was
}

// rest waits before the next try after so many failures in a row. The log hears of the
// first alone.
func (s *Shop) rest(ctx context.Context, failures int, err error) {
	if ctx.Err() != nil {
		return
	}
	e := s.encoding
	pause := e.pause(failures)
	if e.trouble.set(err, time.Now().Add(pause)) {
		waiting, _ := e.backlog.len()
		s.config.Log.Warn("the text encoder fails; it is tried again, and other sources find the items meanwhile",
			"tenant", s.tenant, "items", waiting, "error", err)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// worksAgain ends a trouble.
func (s *Shop) worksAgain() {
	if s.encoding.trouble.end() {
		waiting, _ := s.encoding.backlog.len()
		s.config.Log.Info("the text encoder works again", "tenant", s.tenant, "items", waiting)
	}
}

// rate is a mean of events a second in which those of long ago fade.
type rate struct {
	mu    sync.Mutex
	value float64
	last  time.Time
}

// fade is the time in which an event's weight falls to a third.
const fade = 10 * time.Second

func (r *rate) add(now time.Time, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.value = r.faded(now) + float64(n)/fade.Seconds()
	r.last = now
}

func (r *rate) at(now time.Time) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.faded(now)
}

func (r *rate) faded(now time.Time) float64 {
	return r.value * math.Exp(-max(0, now.Sub(r.last).Seconds())/fade.Seconds())
}
