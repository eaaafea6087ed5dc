package batch

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// queue holds all calls that are accepted and not answered, and hands their texts to
// the two stages. One lock guards it; no work is done under that lock.
type queue struct {
	config   Config
	shapes   *shapes // nil: a plain encoder
	maxBytes int     // of a text that the encoder reads; 0: all of it
	maxToken int     // bounds estimates; 0: none

	mu         sync.Mutex
	untaken    sync.Cond // a text may be taken, or the queue was closed
	ready      sync.Cond // a pool has texts, or nothing more will come
	lanes      [lanes]lane
	free       []*text // finished, to be used again
	tokenizing int     // texts between the two stages
	takes      turns
	runs       turns
	closed     bool
	aborted    error // why nothing is computed any more

	fits  int     // batches within so many rows times length fit the encoder's memory
	good  int     // batches since fits was changed
	speed float64 // texts a second of late; 0: not known
	pace  pace
	stats counters
}

// lane is one of the two ways in.
type lane struct {
	calls        []*call   // with texts to take, oldest first
	waiters      []*waiter // for room, oldest first
	texts, bytes int       // reserved
	pool         []*text   // ready to run, oldest first
	untaken      int       // tokens estimated of texts that were not taken
	pooled       int       // tokens in the pool and on their way to it
	admitted     uint64
	refused      uint64
	abandoned    uint64
}

// waiter is a call that waits for room.
type waiter struct {
	call     *call
	admitted chan struct{} // closed when the call was admitted or the queue closed
	err      error         // set before that
}

// turns gives every ninth turn to the bulk lane.
type turns struct{ interactive int }

const turnsOfInteractive = 8

func (t *turns) pick(can func(Lane) bool) (Lane, bool) {
	first, second := Interactive, Bulk
	if t.interactive >= turnsOfInteractive {
		first, second = second, first
	}
	for _, l := range []Lane{first, second} {
		if can(l) {
			if l == Interactive {
				t.interactive++
			} else {
				t.interactive = 0
			}
			return l, true
		}
	}
	return 0, false
}

// laneShare of the bounds is the most that one lane can use; a piece is what one call
// holds at most.
func laneShare(n int) int { return n / 4 * 3 }
func piece(n int) int     { return laneShare(n) / 4 }

// admit takes a call in, or says at once that there is no room.
func (q *queue) admit(c *call) error {
	q.reserve(c)
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.refusal(c); err != nil {
		return err
	}
	if len(q.lanes[c.lane].waiters) > 0 || !q.hasRoom(c) {
		q.lanes[c.lane].refused++
		return q.overloaded(c.lane)
	}
	if !q.inTime(c) {
		q.lanes[c.lane].refused++
		return q.late()
	}
	q.enter(c)
	return nil
}

// await takes a call in when there is room. Calls that wait are admitted in their
// order, before any that does not wait.
func (q *queue) await(ctx context.Context, c *call) error {
	q.reserve(c)
	q.mu.Lock()
	if err := q.refusal(c); err != nil {
		q.mu.Unlock()
		return err
	}
	l := &q.lanes[c.lane]
	if len(l.waiters) == 0 && q.fitsIn(c) {
		q.enter(c)
		q.mu.Unlock()
		return nil
	}
	w := &waiter{call: c, admitted: make(chan struct{})}
	l.waiters = append(l.waiters, w)
	q.mu.Unlock()
	select {
	case <-w.admitted:
		return w.err
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(l.waiters, w); i >= 0 {
		l.waiters = slices.Delete(l.waiters, i, i+1)
		q.letIn()
	} else if w.err == nil {
		q.leave(c)
	}
	return ctx.Err()
}

// reserve computes what a call holds of the bounds.
func (q *queue) reserve(c *call) {
	total, largest := 0, 0
	for _, t := range c.texts {
		n := q.accounted(t)
		c.untaken += q.estimate(n)
		total, largest = total+n, max(largest, n)
	}
	c.reserved.texts = min(len(c.texts), piece(q.config.MaxTexts))
	c.reserved.bytes = max(largest, min(total, piece(q.config.MaxBytes)))
	c.left = len(c.texts)
}

// accounted is the part of a text that the encoder reads.
func (q *queue) accounted(text string) int {
	if q.maxBytes > 0 {
		return min(len(text), q.maxBytes)
	}
	return len(text)
}

// estimate is what is taken for the tokens of a text of so many bytes.
func (q *queue) estimate(bytes int) int {
	tokens := bytes/4 + 2
	if q.maxToken > 0 {
		tokens = min(tokens, q.maxToken)
	}
	return tokens
}

func (q *queue) refusal(c *call) error {
	if q.closed {
		return errClosed
	}
	if bound := laneShare(q.config.MaxBytes); c.reserved.bytes > bound {
		return fmt.Errorf("%w: a text has %d bytes, at most %d fit; shorten it or raise MaxBytes",
			ErrTooLarge, c.reserved.bytes, bound)
	}
	return nil
}

func (q *queue) fitsIn(c *call) bool { return q.hasRoom(c) && q.inTime(c) }

// inTime reports whether a call would not wait for too long. Only interactive ones hurry.
func (q *queue) inTime(c *call) bool {
	return c.lane != Interactive || q.pace.admits(q.waiting())
}

func (q *queue) hasRoom(c *call) bool {
	texts, bytes := c.reserved.texts, c.reserved.bytes
	l, all := &q.lanes[c.lane], &q.lanes
	return l.texts+texts <= laneShare(q.config.MaxTexts) && l.bytes+bytes <= laneShare(q.config.MaxBytes) &&
		all[0].texts+all[1].texts+texts <= q.config.MaxTexts && all[0].bytes+all[1].bytes+bytes <= q.config.MaxBytes
}

func (q *queue) enter(c *call) {
	l := &q.lanes[c.lane]
	l.texts += c.reserved.texts
	l.bytes += c.reserved.bytes
	l.untaken += c.untaken
	l.admitted++
	l.calls = append(l.calls, c)
	if c.reserved.texts > chunkTexts {
		q.untaken.Broadcast() // work for several
	} else {
		q.untaken.Signal()
	}
}

func (q *queue) overloaded(l Lane) error {
	now := &q.lanes[l]
	return &OverloadError{
		RetryAfter: q.hint(),
		Texts:      now.texts, MaxTexts: laneShare(q.config.MaxTexts),
		Bytes: now.bytes, MaxBytes: laneShare(q.config.MaxBytes),
	}
}

// hint is the time in which half of what waits is done at the speed of late.
func (q *queue) hint() time.Duration {
	if q.speed == 0 {
		return 100 * time.Millisecond
	}
	texts := q.lanes[0].texts + q.lanes[1].texts
	seconds := float64(texts) / 2 / q.speed
	return time.Duration(min(max(seconds, 0.01), 5) * float64(time.Second)).Round(time.Millisecond)
}

// abandon forgets a call whose caller has gone.
func (q *queue) abandon(c *call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !c.gone {
		q.lanes[c.lane].abandoned++
		q.leave(c)
	}
}

// fail answers a call with an error.
func (q *queue) fail(c *call, err error) {
	if c.gone {
		return
	}
	c.err = err
	q.leave(c)
	close(c.done)
}

// leave throws away what was not begun of a call and frees its room once nothing of it
// is under way.
func (q *queue) leave(c *call) {
	c.gone = true
	l := &q.lanes[c.lane]
	l.untaken -= c.untaken
	c.untaken = 0
	if i := slices.Index(l.calls, c); i >= 0 {
		l.calls = slices.Delete(l.calls, i, i+1)
	}
	kept := l.pool[:0]
	for _, t := range l.pool {
		if t.call == c {
			l.pooled -= t.tokens
			q.drop(t)
			continue
		}
		kept = append(kept, t)
	}
	clear(l.pool[len(kept):])
	l.pool = kept
	c.texts = nil
	q.release(c)
	q.wake()
}

// drop ends a text, whether it got its vector or not.
func (q *queue) drop(t *text) {
	t.call.underWay.texts--
	t.call.underWay.bytes -= t.bytes
	*t = text{ids: t.ids[:0]}
	q.free = append(q.free, t)
}

// release gives back the room of a call that is over.
func (q *queue) release(c *call) {
	if c.underWay.texts > 0 || !c.gone || c.reserved.texts == 0 {
		return
	}
	l := &q.lanes[c.lane]
	l.texts -= c.reserved.texts
	l.bytes -= c.reserved.bytes
	c.reserved.texts, c.reserved.bytes = 0, 0
	q.letIn()
}

// letIn admits waiters while they fit, or turns them away from a closed queue.
func (q *queue) letIn() {
	for i := range q.lanes {
		l := &q.lanes[i]
		for len(l.waiters) > 0 {
			w := l.waiters[0]
			if w.err = q.refusal(w.call); w.err == nil {
				if !q.fitsIn(w.call) {
					break
				}
				q.enter(w.call)
			}
			l.waiters = slices.Delete(l.waiters, 0, 1)
			close(w.admitted)
		}
	}
}

// wake lets both stages look again.
func (q *queue) wake() {
	q.untaken.Broadcast()
	q.ready.Broadcast()
}

// close refuses what comes from now on.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.letIn()
	q.wake()
}

// abort fails whatever is not answered.
func (q *queue) abort(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.aborted = err
	for i := range q.lanes {
		l := &q.lanes[i]
		for len(l.calls) > 0 {
			q.fail(l.calls[0], err)
		}
		for len(l.pool) > 0 {
			q.fail(l.pool[0].call, err)
		}
	}
	q.wake()
}
