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

	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/remote/internal/wire"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

type embedStream = grpc.BidiStreamingServer[kindredv1.EmbedHistoriesRequest, kindredv1.EmbedHistoriesResponse]

// answer is one request of a stream that is under way.
type answer struct {
	done  chan struct{} // closed when reply or err is there
	reply *kindredv1.EmbedHistoriesResponse
	err   error // ends the stream
}

// EmbedHistories answers the requests of a stream in their order, several of them under way
// at once.
func (s *Server) EmbedHistories(stream embedStream) error {
	if s.stopping() {
		return errDraining
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return wire.Exhausted(fmt.Sprintf("%d streams are open, as many as may be", s.config.MaxStreams))
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	// With the one that is waited for below there are as many as the window holds.
	queue := make(chan *answer, s.config.StreamWindow-1)
	s.tasks.Go(func() { s.read(ctx, stream, queue) })
	draining := s.draining
	for {
		var next *answer
		ok := true
		select {
		case next, ok = <-queue:
		case <-draining:
			select {
			case next, ok = <-queue: // it was read before
			default:
				return errDraining
			}
		}
		if !ok {
			return nil
		}
		select {
		case <-next.done:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
		if next.err != nil {
			return next.err
		}
		if err := stream.Send(next.reply); err != nil {
			return err
		}
	}
}

// read takes what the client sends until it ends, or a request ends the stream, and closes
// the queue. It returns once the handler has, since that ends the stream.
func (s *Server) read(ctx context.Context, stream embedStream, queue chan<- *answer) {
	defer close(queue)
	from := conversation{server: s}
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return
		}
		begin := time.Now()
		next := &answer{done: make(chan struct{})}
		var users [][]learned.Event
		switch {
		case err != nil:
			next.err = err
		case s.stopping():
			next.err = errDraining
		default:
			users, next.err = from.take(req)
		}
		if next.err != nil {
			close(next.done)
		}
		select {
		case queue <- next:
		case <-ctx.Done():
			return
		}
		if next.err != nil {
			return
		}
		encoder := from.encoder
		s.tasks.Go(func() {
			defer close(next.done)
			next.reply, next.err = s.encode(ctx, encoder, req.GetId(), users, begin)
		})
	}
}

// encode computes the answer to one request.
func (s *Server) encode(ctx context.Context, e Encoder, id int64, users [][]learned.Event, begin time.Time) (*kindredv1.EmbedHistoriesResponse, error) {
	out := make([]float32, len(users)*e.Dim())
	failed, err := e.Encode(ctx, users, out)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	case err != nil:
		s.config.Log.Error("histories not encoded", "error", err)
		return nil, status.Error(codes.Internal, "the encoder failed; the worker's log has the cause")
	}
	events := 0
	for _, u := range users {
		events += len(u)
	}
	s.users.Add(int64(len(users)))
	s.events.Add(int64(events))
	return &kindredv1.EmbedHistoriesResponse{
		Id: id, Dimension: int32(e.Dim()), TextDimension: int32(e.TextDim()), Vectors: wire.PackVectors(out), Failed: int32(failed),
		RunTimeNs: time.Since(begin).Nanoseconds(),
	}, nil
}

// open loads the bundle that a stream is of.
func (s *Server) open(hash string) (Encoder, error) {
	h, err := bundle.ParseHash(hash)
	if err != nil {
		return nil, wire.Invalid("bundle", err.Error())
	}
	e, err := s.shelf.take(h)
	switch {
	case err == nil:
		return e, nil
	case errors.Is(err, bundle.ErrNotFound):
		return nil, status.Errorf(codes.FailedPrecondition,
			"this worker does not have bundle %s: send it with UploadBundle, or put it into the folder of --bundles, and open another stream", hash)
	}
	s.config.Log.Error("bundle cannot be used", "bundle", hash, "error", err)
	return nil, status.Errorf(codes.FailedPrecondition, "bundle %s cannot be used: %v: send it again with UploadBundle if it is damaged", hash, err)
}
