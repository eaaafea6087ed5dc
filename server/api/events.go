package api

import (
	"context"
	"errors"
	"io"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

type eventService struct {
	kindredv1.UnimplementedEventServiceServer
	*Server
}

func (s *Server) eventBatch(events []*kindredv1.Event) *batch {
	b, now := newBatch("events", len(events), 0), s.Now()
	for i, w := range events {
		e, faults := eventFromWire(w, now)
		b.add(i, w.GetId(), record.Mutation{Event: e}, beside(faults, s.Bounds.event(e)))
	}
	return b
}

func (s *eventService) WriteEvents(ctx context.Context, req *kindredv1.WriteEventsRequest) (*kindredv1.WriteEventsResponse, error) {
	if err := s.Bounds.sized("events", len(req.Events)); err != nil {
		return nil, err
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	b := s.eventBatch(req.Events)
	counts, unjoined, token, err := s.write(ctx, sh, b, false)
	if err != nil {
		return nil, err
	}
	if err := b.malformed(len(req.Events)); err != nil {
		return nil, err
	}
	return &kindredv1.WriteEventsResponse{
		Added: counts.Added, Duplicates: counts.Unchanged, Unjoined: unjoined, Errors: b.errors, WriteToken: token,
	}, nil
}

// streamWindow bounds the requests of one stream that are under way at once; they
// share group commits.
const streamWindow = 16

// StreamEvents reads and submits requests ahead of their answers, which it sends in
// order. The reader is a goroutine that may be waiting for the client: returning ends
// the stream, and that wait with it, so that a failed answer is never held up by a
// client who waits for it.
func (s *eventService) StreamEvents(stream kindredv1.EventService_StreamEventsServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	sh, err := s.shop(ctx)
	if err != nil {
		return err
	}
	window := make(chan submitted, streamWindow)
	read := make(chan error, 1)
	go func() {
		defer close(window)
		read <- s.readRequests(ctx, stream, sh, window)
	}()
	for n := int64(0); ; n++ {
		next, more := <-window
		if !more {
			return <-read
		}
		resp, err := s.await(ctx, sh, n, next)
		if err != nil {
			return err
		}
		if err := stream.Send(resp); err != nil {
			return err
		}
	}
}

// submitted is one request of a stream that waits for its answer.
type submitted struct {
	batch   *batch
	pending *shop.Pending // nil: nothing to wait for
	err     error
}

func (s *eventService) readRequests(ctx context.Context, stream kindredv1.EventService_StreamEventsServer, sh *shop.Shop, window chan<- submitted) error {
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.Bounds.sized("events", len(req.Events)); err != nil {
			return err
		}
		next := submitted{batch: s.eventBatch(req.Events)}
		if len(next.batch.good) > 0 {
			next.pending, next.err = sh.Submit(ctx, next.batch.good)
		}
		select {
		case window <- next:
		case <-ctx.Done():
			return ctx.Err() // the sender has failed
		}
	}
}

func (s *eventService) await(ctx context.Context, sh *shop.Shop, n int64, next submitted) (*kindredv1.StreamEventsResponse, error) {
	var (
		outcomes []record.Outcome
		token    record.Token
		err      = next.err
	)
	if err == nil && next.pending != nil {
		outcomes, token, err = next.pending.Wait(ctx)
	}
	if errors.Is(err, record.ErrOverloaded) {
		return &kindredv1.StreamEventsResponse{Request: n, RetryAfterMs: int32(retryAfter.Milliseconds())}, nil
	}
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	counts, unjoined := next.batch.answer(outcomes)
	return &kindredv1.StreamEventsResponse{
		Request: n, Added: counts.Added, Duplicates: counts.Unchanged, Unjoined: unjoined,
		Errors: next.batch.errors, WriteToken: sh.FormatToken(token),
	}, nil
}
