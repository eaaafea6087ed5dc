package histories

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/embed/remote/internal/wire"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Session makes vectors by one bundle on one worker, which learns of each item once. It is
// for one goroutine at a time. After an error it is of no use but to be closed.
type Session struct {
	config  remote.Config
	addr    string
	service kindredv1.EmbeddingServiceClient
	hash    bundle.Hash
	limits  *kindredv1.HistoriesInfo

	outer  context.Context // of Open
	ctx    context.Context // of the stream
	stream grpc.BidiStreamingClient[kindredv1.EmbedHistoriesRequest, kindredv1.EmbedHistoriesResponse]
	cancel context.CancelCauseFunc // of the stream
	err    error                   // ended the session
	watch  *time.Timer             // ends the stream when no answer comes

	dim, textDim int
	mostUsers    int // of a request

	id    int64       // of the last request
	under [][]float32 // where the vectors of requests under way go, in order
	rows  map[rowKey]uint32
	bytes int64 // of the table
}

// rowKey tells items of the table apart: one whose text has another vector is another. It
// holds on to the vector, so that no other can have its place.
type rowKey struct {
	id   string
	text *float32 // its first component; nil: none
}

func (s *Session) keyOf(e *learned.Event) rowKey {
	if len(e.Text) == 0 || s.textDim == 0 {
		return rowKey{id: e.Item}
	}
	return rowKey{e.Item, &e.Text[0]}
}

// Dim is the number of components of a user's vector.
func (s *Session) Dim() int { return s.dim }

var errSilent = errors.New("no answer within the time for one request")

// begin opens a stream with an empty table and learns of the bundle.
func (s *Session) begin(outer context.Context) error {
	ctx, cancel := context.WithCancelCause(outer)
	s.outer, s.ctx, s.cancel = outer, ctx, cancel
	s.id, s.rows, s.bytes, s.under = 0, map[rowKey]uint32{}, 0, nil
	s.watch = time.AfterFunc(s.config.Timeout, func() { cancel(errSilent) })
	defer s.watch.Stop()
	err := s.greet(ctx)
	if err != nil {
		s.cancel(nil)
		if errors.Is(context.Cause(ctx), errSilent) {
			err = status.Error(codes.Unavailable, errSilent.Error())
		}
	}
	return err
}

func (s *Session) greet(ctx context.Context) (err error) {
	most := remote.MaxReplyBytes + 1<<12
	s.stream, err = s.service.EmbedHistories(ctx, grpc.MaxCallRecvMsgSize(most), grpc.MaxCallSendMsgSize(int(s.limits.MaxRequestBytes)))
	if err != nil {
		return err
	}
	s.id++
	if err := s.stream.Send(&kindredv1.EmbedHistoriesRequest{Id: s.id, Bundle: string(s.hash)}); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	reply, err := s.stream.Recv()
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: the stream ended without an answer", remote.ErrProtocol)
	case err != nil:
		return err
	}
	s.dim, s.textDim = int(reply.GetDimension()), int(reply.GetTextDimension())
	if s.dim < 1 || s.dim > 1<<16 || s.textDim < 0 || s.textDim > 1<<16 || reply.GetId() != s.id {
		return fmt.Errorf("%w: answer %d to request %d, dimension %d, text_dimension %d", remote.ErrProtocol, reply.GetId(), s.id, s.dim, s.textDim)
	}
	s.mostUsers = min(int(s.limits.MaxUsers), max(1, remote.MaxReplyBytes/(s.dim*wire.Float32Bytes)))
	return nil
}

// Encode writes [len(users), Dim] float32, as learned.Encoder.User makes them in process; a
// row of zeros where events say nothing. Events are in time order, the newest last; they
// are not kept, but vectors of texts are until the session ends, and must not change.
// Errors wrap embed.ErrUnavailable and others of package remote, or embed.ErrRefused where
// a history is beyond the worker's bounds.
func (s *Session) Encode(users [][]learned.Event, out []float32) error {
	if s.err != nil {
		return s.err
	}
	if len(out) != len(users)*s.dim {
		return fmt.Errorf("%w: room for %d components, %d users have %d each", learned.ErrEvent, len(out), len(users), s.dim)
	}
	s.watch.Reset(s.config.Timeout)
	defer func() { s.watch.Stop() }() // reopening makes another
	if err := s.encode(users, out); err != nil {
		s.err = s.public(err)
		s.cancel(nil)
	}
	return s.err
}

// public is the error for the caller.
func (s *Session) public(err error) error {
	switch {
	case s.outer.Err() != nil:
		return fmt.Errorf("histories: given up: %w", s.outer.Err())
	case errors.Is(err, embed.ErrRefused), errors.Is(err, learned.ErrEvent), errors.Is(err, remote.ErrProtocol):
		return fmt.Errorf("histories: %w", err)
	case errors.Is(context.Cause(s.ctx), errSilent):
		err = status.Error(codes.Unavailable, errSilent.Error())
	}
	return remote.ErrorOf(s.addr, err)
}

func (s *Session) encode(users [][]learned.Event, out []float32) error {
	r := s.newRequest(out)
	for i, events := range users {
		if len(events) > int(s.limits.MaxRequestEvents) {
			return fmt.Errorf("%w: user %d of %d has %d events, the worker takes %d", embed.ErrRefused, i, len(users), len(events), s.limits.MaxRequestEvents)
		}
		if err := s.introduce(r, events); errors.Is(err, errTableFull) {
			if err := s.restart(r); err != nil {
				return err
			}
			if err = s.introduce(r, events); errors.Is(err, errTableFull) {
				return fmt.Errorf("%w: user %d of %d has more items than a table of %d items and %d bytes holds", embed.ErrRefused, i, len(users), s.limits.MaxTableItems, s.limits.MaxTableBytes)
			} else if err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		if r.fits(events) {
			r.add(events)
			continue
		}
		if err := s.send(r); err != nil {
			return err
		}
		if !r.fits(events) {
			return fmt.Errorf("%w: user %d of %d has more than a request of %d bytes and %d types holds", embed.ErrRefused, i, len(users), s.limits.MaxRequestBytes, s.limits.MaxTypes)
		}
		r.add(events)
	}
	if err := s.send(r); err != nil {
		return err
	}
	return s.settle()
}

var errTableFull = errors.New("table full")

// introduce has the table hold the items of some events: by the request that is being
// made, or by ones before it.
func (s *Session) introduce(r *request, events []learned.Event) error {
	for i := range events {
		e := &events[i]
		if s.textDim > 0 && len(e.Text) > 0 && len(e.Text) != s.textDim {
			return fmt.Errorf("%w: a text vector of %d components, the bundle reads %d", learned.ErrEvent, len(e.Text), s.textDim)
		}
		key := s.keyOf(e)
		if _, ok := s.rows[key]; ok {
			continue
		}
		bytes := len(e.Item) + rowBytes + s.textDim*wire.Float32Bytes
		if len(s.rows) >= int(s.limits.MaxTableItems) || s.bytes+int64(bytes) > s.limits.MaxTableBytes {
			return errTableFull
		}
		if r.bytes+bytes > int(s.limits.MaxRequestBytes) {
			if err := s.send(r); err != nil {
				return err
			}
		}
		s.rows[key] = uint32(len(s.rows))
		s.bytes += int64(bytes)
		r.introduce(e, bytes)
	}
	return nil
}

// restart goes on with an empty table, on another stream.
func (s *Session) restart(r *request) error {
	if err := errors.Join(s.send(r), s.settle()); err != nil {
		return err
	}
	s.watch.Stop()
	s.finish()
	err := s.begin(s.outer)
	s.watch.Reset(s.config.Timeout)
	return err
}

// send sends a request, unless it is empty, and makes it empty. It waits while as many are
// under way as may be.
func (s *Session) send(r *request) error {
	if r.empty() {
		return nil
	}
	for len(s.under) >= int(s.limits.StreamWindow) {
		if err := s.receive(); err != nil {
			return err
		}
	}
	message, to := r.take(s.dim)
	s.id++
	message.Id = s.id
	s.under = append(s.under, to)
	if err := s.stream.Send(message); errors.Is(err, io.EOF) {
		return s.settle() // the answers tell why the stream ended
	} else if err != nil {
		return err
	}
	return nil
}

// settle takes all answers that are due.
func (s *Session) settle() error {
	for len(s.under) > 0 {
		if err := s.receive(); err != nil {
			return err
		}
	}
	return nil
}

// receive takes the next answer.
func (s *Session) receive() error {
	reply, err := s.stream.Recv()
	switch {
	case errors.Is(err, io.EOF):
		return status.Error(codes.Unavailable, "the worker ended the stream")
	case err != nil:
		return err
	}
	if want := s.id - int64(len(s.under)) + 1; reply.GetId() != want || int(reply.GetDimension()) != s.dim {
		return fmt.Errorf("%w: answer %d of dimension %d, expected is %d of dimension %d", remote.ErrProtocol, reply.GetId(), reply.GetDimension(), want, s.dim)
	}
	if err := wire.UnpackVectors(reply.GetVectors(), s.under[0]); err != nil {
		return err
	}
	s.under = s.under[1:]
	s.watch.Reset(s.config.Timeout)
	return nil
}

// Close ends the session. It waits a moment for the worker to end it too.
func (s *Session) Close() {
	if s.err == nil {
		s.finish()
		s.err = fmt.Errorf("%w: the session is closed", embed.ErrUnavailable)
	}
	s.cancel(nil)
}

// finish ends a stream on which nothing is under way, so that it does not count as broken.
func (s *Session) finish() {
	s.watch = time.AfterFunc(min(s.config.Timeout, time.Second), func() { s.cancel(nil) })
	defer s.watch.Stop()
	if s.stream.CloseSend() == nil {
		_, _ = s.stream.Recv()
	}
	s.cancel(nil)
}
