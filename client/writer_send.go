package client

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// run sends what is queued until the queue is closed and empty.
func (w *Writer) run() {
	defer close(w.done)
	defer w.abandon()
	batch := make([]*kindredv1.Event, 0, w.options.Batch)
	for {
		select {
		case e, open := <-w.queue:
			if !open {
				return
			}
			batch = append(batch[:0], e)
			w.gather(&batch)
			w.send(batch)
		case flushed := <-w.flushes:
			w.drain(batch, len(w.queue))
			close(flushed)
		}
	}
}

// gather adds to a batch what comes within Linger.
func (w *Writer) gather(batch *[]*kindredv1.Event) {
	timer := time.NewTimer(w.options.Linger)
	defer timer.Stop()
	for len(*batch) < w.options.Batch {
		select {
		case e, open := <-w.queue:
			if !open {
				return
			}
			*batch = append(*batch, e)
		case flushed := <-w.flushes:
			w.drain(*batch, len(w.queue))
			*batch = (*batch)[:0]
			close(flushed)
			return
		case <-timer.C:
			return
		}
	}
}

// drain sends a batch and the next n events of the queue.
func (w *Writer) drain(batch []*kindredv1.Event, n int) {
	for {
		for n > 0 && len(batch) < w.options.Batch {
			e, open := <-w.queue
			if !open {
				n = 0
				break
			}
			batch, n = append(batch, e), n-1
		}
		if len(batch) == 0 {
			return
		}
		w.send(batch)
		batch = batch[:0]
	}
}

// send brings a batch to its end. Where one event spoils a call, or what became of each is
// not told, the batch is parted until each has an answer of its own.
func (w *Writer) send(batch []*kindredv1.Event) {
	if len(batch) == 0 {
		return
	}
	reply, err := w.deliver(batch)
	if len(batch) > 1 && (spoiled(err, batch) || err == nil && untold(reply, batch)) {
		w.send(batch[:len(batch)/2])
		w.send(batch[len(batch)/2:])
		return
	}
	if len(batch) == 1 && status.Code(err) == codes.InvalidArgument {
		err = refusal(batch[0], err)
	}
	w.settle(batch, reply, err)
}

// spoiled reports whether a call failed for what it holds: malformed events alone, text that
// is not UTF-8 (which fails as INTERNAL before it is sent), more bytes than a message may have.
func spoiled(err error, batch []*kindredv1.Event) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.Internal:
		return true
	case codes.ResourceExhausted:
		return retryHint(err) == 0 && proto.Size(&kindredv1.WriteEventsRequest{Events: batch}) > 1<<20
	}
	return false
}

// untold reports whether a reply lists too few errors: the service bounds its list.
func untold(reply *kindredv1.WriteEventsResponse, batch []*kindredv1.Event) bool {
	refused := map[int64]bool{}
	for _, fault := range reply.GetErrors() {
		refused[fault.GetRow()] = true
	}
	return reply.GetAdded()+reply.GetDuplicates()+int64(len(refused)) < int64(len(batch))
}

// refusal is the fault of a call of one event as that of its row.
func refusal(e *kindredv1.Event, err error) error {
	fault := &kindredv1.RowError{
		Id: e.GetId(), Description: status.Convert(err).Message(), Code: kindredv1.RowErrorCode_ROW_ERROR_CODE_INVALID,
	}
	for _, detail := range status.Convert(err).Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok && len(bad.GetFieldViolations()) > 0 {
			fault.Field, fault.Description = bad.FieldViolations[0].GetField(), bad.FieldViolations[0].GetDescription()
		}
	}
	return &RowFault{fault}
}

// deliver calls until the batch is answered, its time is up, or nothing can help.
func (w *Writer) deliver(batch []*kindredv1.Event) (*kindredv1.WriteEventsResponse, error) {
	ctx, cancel := context.WithTimeout(w.ctx, w.options.GiveUp)
	defer cancel()
	for try := 1; ; try++ {
		reply, err := w.call(ctx, batch)
		if err == nil {
			return reply, nil
		}
		pause, again := pauseAfter(err, try)
		if status.Code(err) == codes.DeadlineExceeded && ctx.Err() == nil {
			pause, again = longestPause, true // of one try, not of the batch
		}
		if !again || !sleep(ctx, pause) {
			return nil, err
		}
	}
}

// perTry bounds one call, so that a connection that hangs is left for another.
const perTry = 10 * time.Second

func (w *Writer) call(ctx context.Context, batch []*kindredv1.Event) (*kindredv1.WriteEventsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, perTry)
	defer cancel()
	return w.client.Events.WriteEvents(ctx, &kindredv1.WriteEventsRequest{Events: batch})
}

// settle counts what became of a batch, tells losses, and makes room.
func (w *Writer) settle(batch []*kindredv1.Event, reply *kindredv1.WriteEventsResponse, err error) {
	lost := 0
	lose := func(e *kindredv1.Event, err error) {
		lost++
		if w.options.Lost != nil {
			w.options.Lost(e, err)
			return
		}
		w.mu.Lock()
		if w.fault == nil {
			w.fault = fmt.Errorf("event %q was lost: %w", e.GetId(), err)
		}
		w.mu.Unlock()
	}
	if err != nil {
		for _, e := range batch {
			lose(e, err)
		}
	}
	refused := int64(-1)
	for _, fault := range reply.GetErrors() {
		// A row may have several faults, one after the other: it is lost once.
		if fault.GetRow() != refused && fault.GetRow() < int64(len(batch)) {
			refused = fault.GetRow()
			lose(batch[refused], &RowFault{fault})
		}
	}
	w.mu.Lock()
	w.stats.Added += reply.GetAdded()
	w.stats.Duplicates += reply.GetDuplicates()
	w.stats.Lost += int64(lost)
	w.stats.Waiting -= len(batch)
	w.mu.Unlock()
	for range batch {
		<-w.room
	}
}
