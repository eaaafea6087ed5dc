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
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/embed/remote/internal/wire"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// ErrUnsupported: no worker that answers makes vectors of histories.
var ErrUnsupported = errors.New("histories: the worker makes no vectors of histories: start it with --bundles DIR")

// Client opens sessions on workers. It is safe for concurrent use.
type Client struct {
	config  remote.Config
	workers []*grpc.ClientConn
}

// Dial prepares the connections; it waits for no worker, and calls none. Of the
// configuration Addrs, Key, TLS, PlaintextKey, Timeout (for one answer) and Attempts count.
// Errors wrap remote.ErrConfig.
func Dial(config remote.Config) (*Client, error) {
	workers, config, err := remote.Connect(config)
	if err != nil {
		return nil, err
	}
	return &Client{config: config, workers: workers}, nil
}

// Close closes the connections. Sessions fail with embed.ErrUnavailable.
func (c *Client) Close() error {
	var errs []error
	for _, w := range c.workers {
		errs = append(errs, w.Close())
	}
	return errors.Join(errs...)
}

// Open begins a session with the first worker, in the order of Config.Addrs, that has room
// for one, and gives it the bundle if it does not have it. Where none has room it is asked
// again when they say, Config.Attempts times in all. The session ends with ctx. Errors wrap
// [ErrUnsupported], embed.ErrUnavailable, embed.ErrOverloaded, or others of package remote.
func (c *Client) Open(ctx context.Context, b *bundle.Bundle) (*Session, error) {
	for n := 1; ; n++ {
		var errs []error
		var wait time.Duration
		for _, conn := range c.workers {
			s, err := c.openOn(ctx, conn, b)
			if err == nil {
				return s, nil
			}
			if hint, ok := wire.RetryHint(err); ok {
				wait = max(wait, hint, wire.RetryAfter)
			}
			if errors.Is(err, ErrUnsupported) || errors.Is(err, embed.ErrRefused) || errors.Is(err, remote.ErrProtocol) {
				errs = append(errs, fmt.Errorf("%s: %w", conn.Target(), err))
				continue
			}
			errs = append(errs, remote.ErrorOf(conn.Target(), err))
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("histories: given up: %w", ctx.Err())
		}
		if wait == 0 || n >= c.config.Attempts {
			return nil, errors.Join(errs...)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// openOn begins a session with one worker.
func (c *Client) openOn(ctx context.Context, conn *grpc.ClientConn, b *bundle.Bundle) (*Session, error) {
	service := kindredv1.NewEmbeddingServiceClient(conn)
	bounded, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	reply, err := service.Info(bounded, &kindredv1.EmbeddingServiceInfoRequest{})
	if err != nil {
		return nil, err
	}
	if reply.GetHistories() == nil {
		return nil, ErrUnsupported
	}
	limits := reply.GetHistories()
	if err := checkLimits(limits); err != nil {
		return nil, err
	}
	s := &Session{config: c.config, addr: conn.Target(), service: service, hash: b.Hash(), limits: limits}
	err = s.begin(ctx)
	if status.Code(err) == codes.FailedPrecondition {
		if n := b.Manifest(); n.Bytes() > limits.MaxBundleBytes {
			return nil, fmt.Errorf("%w: bundle %s has %d bytes, the worker takes %d: start it with a larger bound", embed.ErrRefused, b.Hash().Short(), n.Bytes(), limits.MaxBundleBytes)
		}
		if err := upload(ctx, service, b); err != nil {
			return nil, err
		}
		err = s.begin(ctx)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// checkLimits refuses what no worker says.
func checkLimits(l *kindredv1.HistoriesInfo) error {
	for _, bound := range []struct {
		name  string
		value int64
	}{
		{"max_users", int64(l.MaxUsers)}, {"max_request_events", int64(l.MaxRequestEvents)}, {"max_request_bytes", int64(l.MaxRequestBytes)},
		{"max_types", int64(l.MaxTypes)}, {"max_table_items", int64(l.MaxTableItems)}, {"max_table_bytes", l.MaxTableBytes},
		{"stream_window", int64(l.StreamWindow)}, {"max_bundle_bytes", l.MaxBundleBytes},
	} {
		if bound.value < 1 {
			return fmt.Errorf("%w: info: histories.%s is %d, want at least 1", remote.ErrProtocol, bound.name, bound.value)
		}
	}
	return nil
}

// upload gives a worker a bundle.
func upload(ctx context.Context, service kindredv1.EmbeddingServiceClient, b *bundle.Bundle) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := service.UploadBundle(ctx)
	if err != nil {
		return err
	}
	if err := b.Stream(sender{stream}); err != nil && !errors.Is(err, io.EOF) { // the end of a stream tells why below
		return fmt.Errorf("%w: sending bundle %s: %w", embed.ErrUnavailable, b.Hash().Short(), err)
	}
	_, err = stream.CloseAndRecv()
	return err
}

// sender sends the bytes of a bundle.
type sender struct {
	stream grpc.ClientStreamingClient[kindredv1.UploadBundleRequest, kindredv1.UploadBundleResponse]
}

// Write implements io.Writer.
func (s sender) Write(p []byte) (n int, err error) {
	for n < len(p) {
		end := min(len(p), n+1<<20)
		if err := s.stream.Send(&kindredv1.UploadBundleRequest{Chunk: p[n:end]}); err != nil {
			return n, err
		}
		n = end
	}
	return n, nil
}
