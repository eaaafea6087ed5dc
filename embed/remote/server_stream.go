package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/grpc"

	"github.com/kindred-rec/kindred/embed/batch"
	"github.com/kindred-rec/kindred/embed/remote/internal/wire"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

type embedStream = grpc.BidiStreamingServer[kindredv1.EmbedStreamRequest, kindredv1.EmbedStreamResponse]

// slot is one request of a stream that is under way.
type slot struct {
	id    int64
	done  chan struct{} // closed when reply or err is there
	reply *kindredv1.EmbedResponse
	err   error
}

// EmbedStream answers the requests of a stream in their order, several of them under way
// at once.
func (s *Server) EmbedStream(stream embedStream) error {
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
	var encoders sync.WaitGroup
	defer encoders.Wait()
	defer cancel()
	requests, readErr := s.read(ctx, stream)
	var under []*slot // in order
	draining := s.draining
	for last := int64(0); ; {
		var head chan struct{}
		var in chan *kindredv1.EmbedStreamRequest
		switch {
		case len(under) > 0:
			head = under[0].done
		case requests == nil && draining == nil:
			return errDraining
		case requests == nil:
			return <-readErr
		}
		if len(under) < s.config.StreamWindow {
			in = requests
		}
		select {
		case req, ok := <-in:
			if !ok {
				requests = nil
				continue
			}
			if err := s.checkNext(req, last); err != nil {
				return err
			}
			last = req.Id
			next := &slot{id: req.Id, done: make(chan struct{})}
			under = append(under, next)
			encoders.Go(func() { s.fill(ctx, next, req.Request) })
		case <-head:
			done := under[0]
			if under = under[1:]; done.err != nil {
				return done.err
			}
			if err := stream.Send(&kindredv1.EmbedStreamResponse{Id: done.id, Response: done.reply}); err != nil {
				return err
			}
		case <-draining:
			draining, requests = nil, nil // answer what was read, then end
		}
	}
}

// read hands on what the client sends. The channel is closed at the end of the client's
// part, and then the error tells why; nil is a proper end. The goroutine ends when the
// handler has returned, since that ends the stream.
func (s *Server) read(ctx context.Context, stream embedStream) (chan *kindredv1.EmbedStreamRequest, <-chan error) {
	requests, ended := make(chan *kindredv1.EmbedStreamRequest), make(chan error, 1)
	s.readers.Go(func() {
		defer close(requests)
		for {
			req, err := stream.Recv()
			if err != nil {
				if errors.Is(err, io.EOF) {
					err = nil
				}
				ended <- err
				return
			}
			select {
			case requests <- req:
			case <-ctx.Done():
				ended <- ctx.Err()
				return
			}
		}
	})
	return requests, ended
}

func (s *Server) checkNext(req *kindredv1.EmbedStreamRequest, last int64) error {
	if req.Id <= last {
		return wire.Invalid("id", fmt.Sprintf("%d after %d: ids are at least 1 and rise", req.Id, last))
	}
	return s.check(fmt.Sprintf("(id %d) request.", req.Id), req.Request)
}

// fill encodes one request. It waits for room: that is how a stream is slowed down.
func (s *Server) fill(ctx context.Context, to *slot, req *kindredv1.EmbedRequest) {
	defer close(to.done)
	to.reply, to.err = s.encode(ctx, batch.Call{Lane: batch.Bulk, Texts: s.prefixed(req), Wait: true})
}
