package batch

import (
	"slices"
	"time"
)

// A chunk is what one tokenizer takes at once: enough to pay for the lock, little
// enough that many cores share a call.
const (
	chunkTexts  = 32
	chunkTokens = 4096
)

// poolBatches is how many batches' worth of tokens a lane's pool holds: enough to find
// texts of one length, and to be never empty while the encoder runs.
const poolBatches = 4

// take waits for texts to tokenize and appends them to chunk. It returns false when
// the queue is closed and nothing is left to take.
func (q *queue) take(chunk []*text) ([]*text, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		if l, ok := q.takes.pick(q.takeable); ok {
			chunk = q.takeFrom(&q.lanes[l], chunk)
			q.tokenizing += len(chunk)
			return chunk, true
		}
		if q.closed && len(q.lanes[0].calls)+len(q.lanes[1].calls) == 0 {
			return chunk, false
		}
		q.untaken.Wait()
	}
}

// takeable reports whether a lane's pool has room and one of its calls a text for it.
func (q *queue) takeable(i Lane) bool {
	l := &q.lanes[i]
	if l.pooled >= poolBatches*q.config.Tokens {
		return false
	}
	for _, c := range l.calls {
		if q.within(c) {
			return true
		}
	}
	return false
}

// within reports whether the next text of a call is within the call's reservation.
func (q *queue) within(c *call) bool {
	if c.underWay.texts == 0 {
		return true
	}
	return c.underWay.texts < c.reserved.texts &&
		c.underWay.bytes+q.accounted(c.texts[c.next]) <= c.reserved.bytes
}

func (q *queue) takeFrom(l *lane, chunk []*text) []*text {
	tokens, seen, kept := 0, 0, 0
	for ; seen < len(l.calls) && len(chunk) < chunkTexts && tokens < chunkTokens; seen++ {
		c := l.calls[seen]
		for c.next < len(c.texts) && len(chunk) < chunkTexts && tokens < chunkTokens && q.within(c) {
			t := q.takeText(c)
			tokens += t.tokens
			chunk = append(chunk, t)
		}
		if c.next < len(c.texts) {
			l.calls[kept] = c
			kept++
		}
	}
	l.calls = slices.Delete(l.calls, kept, seen)
	l.pooled += tokens
	switch {
	case len(l.calls) > 0:
		q.untaken.Signal() // there may be more for another
	case q.closed:
		q.wake() // the other tokenizers may go
	}
	return chunk
}

func (q *queue) takeText(c *call) *text {
	var t *text
	if n := len(q.free); n > 0 {
		t, q.free = q.free[n-1], q.free[:n-1]
	} else {
		t = new(text)
	}
	t.call, t.row, t.value = c, c.next, c.texts[c.next]
	t.bytes = q.accounted(t.value)
	t.tokens = q.estimate(t.bytes)
	c.untaken -= t.tokens
	q.lanes[c.lane].untaken -= t.tokens
	c.next++
	c.underWay.texts++
	c.underWay.bytes += t.bytes
	return t
}

// lay puts tokenized texts into their pool. Estimate is the sum of what was taken for
// their tokens; err fails their calls.
func (q *queue) lay(chunk []*text, estimate int, took time.Duration, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tokenizing -= len(chunk)
	q.stats.tokenize.add(took)
	l := &q.lanes[chunk[0].call.lane]
	l.pooled -= estimate
	share := took / time.Duration(len(chunk))
	if q.aborted != nil {
		err = q.aborted
	}
	for _, t := range chunk {
		c := t.call
		if err != nil {
			q.fail(c, err)
		}
		if c.gone {
			q.drop(t)
			q.release(c)
			continue
		}
		c.receipt.Tokenize += share
		l.pooled += t.tokens
		l.pool = append(l.pool, t)
	}
	q.ready.Signal()
	if q.closed {
		q.wake()
	}
}

// next waits for a batch and writes it to batch, which is overwritten. Since is for ran.
// It returns false when the queue is closed and nothing more will come.
func (q *queue) next(batch []*text) (_ []*text, since float64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		l, ok := q.runs.pick(func(i Lane) bool { return len(q.lanes[i].pool) > 0 })
		if ok {
			batch = q.cut(&q.lanes[l], batch[:0])
			return batch, q.begin(batch), true
		}
		if q.closed && q.tokenizing == 0 && len(q.lanes[0].calls)+len(q.lanes[1].calls) == 0 {
			return batch, 0, false
		}
		q.ready.Wait()
	}
}

func (q *queue) begin(batch []*text) (since float64) {
	since = q.pace.begin(tokensOf(batch))
	now := time.Now()
	for _, t := range batch {
		if t.call.begun.IsZero() {
			t.call.begun = now
		}
	}
	q.untaken.Broadcast() // the pool has room
	for i := range q.lanes {
		if len(q.lanes[i].pool) > 0 {
			q.ready.Signal() // for another runner
			return since
		}
	}
	return since
}

func tokensOf(batch []*text) (sum int) {
	for _, t := range batch {
		sum += t.tokens
	}
	return sum
}

// cut moves a batch out of a lane's pool, the oldest text's with others that suit it.
func (q *queue) cut(l *lane, batch []*text) []*text {
	var chosen func(*text) bool
	if q.shapes == nil {
		chosen = q.byBudget()
	} else {
		chosen = q.byLength(l.pool)
	}
	kept := l.pool[:0]
	for _, t := range l.pool {
		if chosen(t) {
			l.pooled -= t.tokens
			batch = append(batch, t)
		} else {
			kept = append(kept, t)
		}
	}
	clear(l.pool[len(kept):])
	l.pool = kept
	return batch
}

// byBudget chooses the oldest texts while rows times the longest stay within bounds.
func (q *queue) byBudget() func(*text) bool {
	rows, longest, full := 0, 0, false
	most, bound := q.config.Rows[len(q.config.Rows)-1], q.bound()
	return func(t *text) bool {
		wider := max(longest, t.tokens)
		if full = full || rows > 0 && (rows == most || (rows+1)*wider > bound); full {
			return false
		}
		rows, longest = rows+1, wider
		return true
	}
}

// byLength chooses texts of the oldest one's length and then, for the rows that would
// be padding, shorter ones.
func (q *queue) byLength(pool []*text) func(*text) bool {
	bucket := pool[0].bucket
	same := 0
	for _, t := range pool {
		if t.bucket == bucket {
			same++
		}
	}
	same = min(same, q.shapes.most(bucket, q.bound()))
	shorter := q.shapes.fit(bucket, same).Rows - same
	return func(t *text) bool {
		switch {
		case t.bucket == bucket && same > 0:
			same--
			return true
		case t.bucket < bucket && shorter > 0:
			shorter--
			return true
		}
		return false
	}
}

// finish ends the texts of a batch, or of a part of one; with an error their calls fail.
func (q *queue) finish(batch []*text, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range batch {
		c := t.call
		if !c.gone {
			c.receipt.Tokens += t.tokens
			if t.truncated {
				c.receipt.Truncated++
				q.stats.truncated++
			}
			if c.left--; err != nil {
				q.fail(c, err)
			} else if c.left == 0 {
				c.gone = true // answered; its last text is dropped below
				close(c.done)
			}
		}
		q.drop(t)
		q.release(c)
	}
	q.letIn()             // less is before them
	q.untaken.Broadcast() // calls may have more under way
}
