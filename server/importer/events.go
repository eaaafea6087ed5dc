package importer

import (
	"context"
	"fmt"
	"sync"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// queuedBatches is how many batches may wait for one writer. A log in time order often has one user at a time; the queue
// lets the reader run ahead to the next users, so that the other writers have work.
const queuedBatches = 16

// eventBatch is what one request carries.
type eventBatch struct {
	events  []*kindredv1.Event
	numbers []int64 // 1-based place of each among the events read
	bytes   int
}

// eventBooks is the part of a summary that writers share.
type eventBooks struct {
	mu     sync.Mutex
	counts EventCounts
}

// importEvents reads the log and deals it to the writers. It returns after all writers have ended.
func (t *transfer) importEvents(ctx context.Context) error {
	bar := newProgress(t.progressOut, "events")
	defer bar.finish()
	books := &eventBooks{}
	queues := make([]chan eventBatch, t.opts.InFlight)
	group, ctx := errgroup.WithContext(ctx)
	for i := range queues {
		queues[i] = make(chan eventBatch, queuedBatches)
		w := &writer{client: t.events, patience: *t.patience(uint64(i) + 1), bad: t.bad, books: books, bar: bar}
		group.Go(func() error { return w.run(ctx, queues[i]) })
	}
	// What is wrong with the files must not cut off the batches under way: it is told apart from what ends the group.
	reading := t.deal(ctx, queues)
	err := group.Wait()
	read, rejected, user := t.sum.Events.Read, t.sum.Events.Rejected, t.sum.User
	t.sum.Events = books.counts
	t.sum.Events.Read, t.sum.User = read, user
	t.sum.Events.Rejected += rejected
	switch {
	case err != nil:
		return err
	case reading != nil:
		return reading
	case t.bad.enough():
		return fmt.Errorf("importer: %w: %s", ErrTooManyErrors, count(t.bad.total, "row"))
	}
	return nil
}

// deal reads the log to its end and closes the queues. It stops early when the context ends or too many rows are bad.
func (t *transfer) deal(ctx context.Context, queues []chan eventBatch) error {
	defer func() {
		for _, q := range queues {
			close(q)
		}
	}()
	open := make([]eventBatch, len(queues))
	for e, err := range t.source.Events() {
		row, isRow := rowError(err)
		switch {
		case err != nil && !isRow:
			return fmt.Errorf("importer: %w", err)
		case isRow:
			t.badEvent(row)
		default:
			t.sum.Events.Read++
			m := EventMessage(e)
			t.remember(m)
			at := lane(m, len(queues))
			if !t.put(ctx, &open[at], m, queues[at]) {
				return nil
			}
		}
		if t.bad.enough() {
			return nil
		}
	}
	for i := range open {
		if !handOver(ctx, &open[i], queues[i]) {
			return nil
		}
	}
	return nil
}

func (t *transfer) put(ctx context.Context, b *eventBatch, m *kindredv1.Event, queue chan<- eventBatch) bool {
	size := proto.Size(m) + framing
	if len(b.events) > 0 && b.bytes+size > maxBatchBytes && !handOver(ctx, b, queue) {
		return false
	}
	if b.events == nil {
		b.events, b.numbers = make([]*kindredv1.Event, 0, t.opts.Batch), make([]int64, 0, t.opts.Batch)
	}
	b.events, b.numbers, b.bytes = append(b.events, m), append(b.numbers, t.sum.Events.Read), b.bytes+size
	return len(b.events) < t.opts.Batch || handOver(ctx, b, queue)
}

// handOver queues a batch and empties it; false: the import is over.
func handOver(ctx context.Context, b *eventBatch, queue chan<- eventBatch) bool {
	if len(b.events) == 0 {
		return true
	}
	select {
	case queue <- *b:
		*b = eventBatch{}
		return true
	case <-ctx.Done():
		return false
	}
}

// lane is the writer of an event: the same for all events of a user, and so their order is kept.
func lane(m *kindredv1.Event, lanes int) int {
	who := m.GetUserId()
	if who == "" {
		who = m.GetSessionId()
	}
	return int(xxhash.Sum64String(who) % uint64(lanes))
}

func (t *transfer) badEvent(row *dataset.RowError) {
	t.sum.Events.Read++
	t.sum.Events.Rejected++
	t.bad.add(fromFile(kindEvent, t.sum.Events.Read, row))
}

// remember keeps one user of the log, to try a recommendation with.
func (t *transfer) remember(m *kindredv1.Event) {
	if t.sum.User == "" {
		t.sum.User = m.GetUserId()
	}
}
