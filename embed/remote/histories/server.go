package histories

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/embed/remote/internal/wire"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Server is a worker's part that makes vectors of histories. All methods are safe for
// concurrent use.
type Server struct {
	config        Config
	shelf         *shelf
	streams       chan struct{} // a place for each open stream
	uploading     chan struct{} // one place
	draining      chan struct{}
	drain         sync.Once
	tasks         sync.WaitGroup // readers of streams, and requests being computed
	users, events atomic.Int64
}

var _ remote.Histories = (*Server)(nil)

// NewServer opens the folder of bundles, which need not exist. Errors wrap
// remote.ErrConfig, or are of the folder.
func NewServer(c Config) (*Server, error) {
	c, err := c.resolve()
	if err != nil {
		return nil, err
	}
	shelf, err := newShelf(c)
	if err != nil {
		return nil, err
	}
	return &Server{
		config: c, shelf: shelf, streams: make(chan struct{}, c.MaxStreams), uploading: make(chan struct{}, 1), draining: make(chan struct{}),
	}, nil
}

// MaxMessage is the size of the largest message that it takes.
func (s *Server) MaxMessage() int { return max(s.config.MaxRequestBytes, uploadChunk) + 1<<10 }

// Drain ends the open streams once what they sent is answered, and refuses what comes
// later with UNAVAILABLE.
func (s *Server) Drain() { s.drain.Do(func() { close(s.draining) }) }

// Wait returns when no goroutine of a stream is left. Call it after the gRPC server stopped.
func (s *Server) Wait() { s.tasks.Wait() }

var errDraining = status.Error(codes.Unavailable, "the worker stops: ask another")

func (s *Server) stopping() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}

// Info tells the bounds and the counters.
func (s *Server) Info() *kindredv1.HistoriesInfo {
	c := s.config
	info := &kindredv1.HistoriesInfo{
		Backend: c.Backend, MaxUsers: int32(c.MaxUsers), MaxRequestEvents: int32(c.MaxRequestEvents), MaxRequestBytes: int32(c.MaxRequestBytes),
		MaxTypes: maxTypes, MaxTableItems: int32(c.MaxTableItems), MaxTableBytes: c.MaxTableBytes,
		MaxStreams: int32(c.MaxStreams), StreamWindow: int32(c.StreamWindow), MaxBundleBytes: c.BundleBytes,
		Users: s.users.Load(), Events: s.events.Load(),
	}
	for _, h := range s.shelf.hashes() {
		info.Loaded = append(info.Loaded, string(h))
	}
	return info
}

// uploadChunk bounds a message of an upload.
const uploadChunk = 4 << 20

// UploadBundle takes a bundle. Old ones beyond Config.Keep go.
func (s *Server) UploadBundle(stream grpc.ClientStreamingServer[kindredv1.UploadBundleRequest, kindredv1.UploadBundleResponse]) error {
	if s.stopping() {
		return errDraining
	}
	select {
	case s.uploading <- struct{}{}:
		defer func() { <-s.uploading }()
	default:
		return wire.Exhausted("another bundle is being uploaded")
	}
	b, err := s.shelf.bundles.Receive(&chunks{stream: stream})
	if err != nil {
		return s.uploadStatus(stream.Context(), err)
	}
	s.config.Log.Info("bundle received", "bundle", string(b.Hash()))
	if removed, err := s.shelf.bundles.Prune(append(s.shelf.hashes(), b.Hash())...); err != nil {
		s.config.Log.Warn("old bundles not removed", "error", err)
	} else if len(removed) > 0 {
		s.config.Log.Info("old bundles removed", "bundles", removed)
	}
	return stream.SendAndClose(&kindredv1.UploadBundleResponse{Hash: string(b.Hash())})
}

// uploadStatus is the status of a bundle that was not taken.
func (s *Server) uploadStatus(ctx context.Context, err error) error {
	if status.Code(err) != codes.Unknown {
		return err // of the stream, or of a chunk
	}
	switch {
	case errors.Is(err, bundle.ErrDiskFull):
		return status.Error(codes.ResourceExhausted, err.Error())
	case errors.Is(err, bundle.ErrDamaged), errors.Is(err, bundle.ErrLimit), errors.Is(err, bundle.ErrNewer), errors.Is(err, bundle.ErrInvalid):
		return wire.Invalid("chunk", err.Error())
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	}
	s.config.Log.Error("bundle not taken", "error", err)
	return status.Error(codes.Internal, "the bundle could not be kept; the worker's log has the cause")
}

// chunks reads the bytes of an upload.
type chunks struct {
	stream grpc.ClientStreamingServer[kindredv1.UploadBundleRequest, kindredv1.UploadBundleResponse]
	left   []byte
}

// Read implements io.Reader.
func (c *chunks) Read(p []byte) (int, error) {
	for len(c.left) == 0 {
		msg, err := c.stream.Recv()
		if err != nil {
			return 0, err // io.EOF at the end
		}
		if n := len(msg.GetChunk()); n > uploadChunk {
			return 0, wire.Invalid("chunk", fmt.Sprintf("%d bytes, at most %d may be: send smaller ones", n, uploadChunk))
		}
		c.left = msg.GetChunk()
	}
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}
