package store

import (
	"fmt"
	"slices"
	"sync"

	"github.com/kindred-rec/kindred/server/record"
)

// request is what waits for the committer: exactly one of batch, rows and
// control is set.
type request struct {
	tenant *Tenant

	// batch is answered after the sync, by outcomes and token.
	batch    []prepared
	outcomes []record.Outcome
	token    record.Token

	// rows are written as they are and answered before the sync.
	rows []row

	// control changes what belongs to the store itself; answered after the sync.
	control func(w *writer) error

	bytes int64
	err   error
	done  chan struct{} // closed when err, outcomes and token stand
}

// mutations is the weight of a request in the queue.
func (r *request) mutations() int { return max(1, len(r.batch)+len(r.rows)) }

// answer ends a request.
func (r *request) answer(err error) {
	r.err = err
	close(r.done)
}

// queue holds requests until the committer takes a group. It refuses at once
// what goes past its bounds.
type queue struct {
	mu         sync.Mutex
	some       sync.Cond
	waiting    []*request
	mutations  int
	bytes      int64
	closed     bool
	maxCount   int
	maxBytes   int64
	groupCount int
	groupBytes int64
}

func newQueue(o Options) *queue {
	q := &queue{
		maxCount: o.QueueMutations, maxBytes: o.QueueBytes,
		groupCount: o.GroupMutations, groupBytes: o.GroupBytes,
	}
	q.some.L = &q.mu
	return q
}

// put hands a request over, or says why not.
func (q *queue) put(r *request) error {
	n := r.mutations()
	if n > q.maxCount || r.bytes > q.maxBytes {
		return fmt.Errorf("store: a batch of %d mutations and %d bytes exceeds the queue of %d and %d: split it: %w",
			n, r.bytes, q.maxCount, q.maxBytes, record.ErrLimit)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return fmt.Errorf("store: %w", record.ErrClosed)
	case q.mutations+n > q.maxCount || q.bytes+r.bytes > q.maxBytes:
		return fmt.Errorf("store: %d mutations and %d bytes wait to be written, at most %d and %d may: retry later: %w",
			q.mutations, q.bytes, q.maxCount, q.maxBytes, record.ErrOverloaded)
	}
	q.waiting = append(q.waiting, r)
	q.mutations += n
	q.bytes += r.bytes
	q.some.Signal()
	return nil
}

// withdraw takes a request back and reports whether it still waited.
func (q *queue) withdraw(r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, r)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	q.mutations -= r.mutations()
	q.bytes -= r.bytes
	return true
}

// take waits for requests and returns a group in the order they came: at least
// one, further ones up to the bounds. It returns nil when the queue is closed
// and empty.
func (q *queue) take() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && !q.closed {
		q.some.Wait()
	}
	if len(q.waiting) == 0 {
		return nil
	}
	var n, count int
	var bytes int64
	for n < len(q.waiting) {
		r := q.waiting[n]
		if n > 0 && (count+r.mutations() > q.groupCount || bytes+r.bytes > q.groupBytes) {
			break
		}
		n++
		count += r.mutations()
		bytes += r.bytes
	}
	group := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	q.mutations -= count
	q.bytes -= bytes
	return group
}

// size returns what waits.
func (q *queue) size() (mutations int, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mutations, q.bytes
}

// close refuses further requests; those that wait are still taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.some.Broadcast()
}
