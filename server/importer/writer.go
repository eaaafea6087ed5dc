package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// writer sends the batches of its queue one after another over a stream of its own, and waits for the answer to each: so
// the events of its users arrive in order, also when a batch has to be sent again.
type writer struct {
	client   kindredv1.EventServiceClient
	patience patience // the pattern for each batch
	bad      *rejects
	books    *eventBooks
	bar      progress

	stream kindredv1.EventService_StreamEventsClient // nil: none open
	cancel context.CancelFunc                        // ends stream
	asked  int64                                     // requests sent on stream
	sent   bool                                      // whether the last exchange got as far as sending
}

// run empties the queue. After too many rejected rows it lets the rest go unsent.
func (w *writer) run(ctx context.Context, queue <-chan eventBatch) error {
	defer w.hangUp()
	for b := range queue {
		if w.bad.enough() {
			continue
		}
		if err := w.deliver(ctx, b); err != nil {
			return err
		}
	}
	return w.finish()
}

// deliver sends one batch until it is answered or patience ends.
func (w *writer) deliver(ctx context.Context, b eventBatch) error {
	patient := w.patience
	patient.since = time.Now()
	var resent int64
	for {
		reply, err := w.exchange(ctx, b)
		if err == nil && reply.GetRetryAfterMs() == 0 {
			return w.book(b, reply, resent)
		}
		hint := time.Duration(reply.GetRetryAfterMs()) * time.Millisecond
		if err == nil {
			err = status.Error(codes.ResourceExhausted, "the service's queue is full")
		} else {
			// Whether the batch has landed is not known.
			w.hangUp()
			if hint = retryHint(err); w.sent {
				resent = int64(len(b.events))
			}
			if !retryable(err) {
				return refusal("the events", err)
			}
		}
		if err := patient.wait(ctx, err, hint); err != nil {
			return err
		}
	}
}

// exchange sends the batch and receives its answer.
func (w *writer) exchange(ctx context.Context, b eventBatch) (*kindredv1.StreamEventsResponse, error) {
	w.sent = false
	if w.stream == nil {
		if err := w.dial(ctx); err != nil {
			return nil, err
		}
	}
	var late atomic.Bool
	cancel := w.cancel
	// A service that takes the request and never answers must not hold the import for ever.
	watchdog := time.AfterFunc(w.patience.limit, func() { late.Store(true); cancel() })
	defer watchdog.Stop()
	reply, err := w.sendAndReceive(b)
	if err != nil && late.Load() {
		return nil, status.Errorf(codes.Unavailable, "no answer within %s", w.patience.limit)
	}
	if err == nil && reply.GetRequest() != w.asked-1 {
		return nil, status.Errorf(codes.Internal, "request %d was answered as number %d", w.asked-1, reply.GetRequest())
	}
	return reply, err
}

func (w *writer) sendAndReceive(b eventBatch) (*kindredv1.StreamEventsResponse, error) {
	// On a stream that has ended Send says io.EOF, and Recv says why.
	if err := w.stream.Send(&kindredv1.StreamEventsRequest{Events: b.events}); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	w.asked++
	w.sent = true
	reply, err := w.stream.Recv()
	if errors.Is(err, io.EOF) {
		return nil, status.Error(codes.Unavailable, "the service ended the stream before its answer")
	}
	return reply, err
}

func (w *writer) dial(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := w.client.StreamEvents(ctx)
	if err != nil {
		cancel()
		return err
	}
	w.stream, w.cancel, w.asked = stream, cancel, 0
	return nil
}

// hangUp drops the stream, if there is one.
func (w *writer) hangUp() {
	if w.stream != nil {
		w.cancel()
		w.stream, w.cancel = nil, nil
	}
}

// finish ends the stream in good order. Every batch has its answer already, so what goes wrong here changes nothing.
func (w *writer) finish() error {
	if w.stream == nil || w.stream.CloseSend() != nil {
		return nil
	}
	watchdog := time.AfterFunc(goodbye, w.cancel)
	defer watchdog.Stop()
	if reply, err := w.stream.Recv(); err == nil {
		return fmt.Errorf("importer: the service answered request %d, which was not sent", reply.GetRequest())
	}
	return nil
}

// goodbye is how long a writer waits for the service to end an empty stream.
const goodbye = time.Second

// book takes over the service's counts, which must cover every event of the batch.
func (w *writer) book(b eventBatch, reply *kindredv1.StreamEventsResponse, resent int64) error {
	rejected := int64(len(reply.GetErrors()))
	if answered := reply.GetAdded() + reply.GetDuplicates() + rejected; answered != int64(len(b.events)) {
		return fmt.Errorf("importer: the service answered for %s of %s in a batch", grouped(answered), count(int64(len(b.events)), "event"))
	}
	for _, e := range reply.GetErrors() {
		if e.GetRow() < 0 || e.GetRow() >= int64(len(b.events)) {
			return fmt.Errorf("importer: the service names row %d in a batch of %s", e.GetRow(), count(int64(len(b.events)), "event"))
		}
		w.bad.add(fromService(kindEvent, b.numbers[e.GetRow()], e))
	}
	w.books.mu.Lock()
	c := &w.books.counts
	c.Added += reply.GetAdded()
	c.Duplicates += reply.GetDuplicates()
	c.Unjoined += reply.GetUnjoined()
	c.Rejected += rejected
	c.Resent += resent
	w.books.mu.Unlock()
	w.bar.add(len(b.events))
	return nil
}
