package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/remote/internal/wire"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// limits are what a worker takes in one request, and the model that it serves.
type limits struct {
	info            embed.Info // as the worker has it, bounds included
	backend         string
	texts, bytes    int
	window          int
	replyAndRequest int // bytes of the largest message either way
}

// worker is one address.
type worker struct {
	addr        string
	conn        *grpc.ClientConn
	service     kindredv1.EmbeddingServiceClient
	breaker     breaker
	outstanding atomic.Int64 // texts sent and not answered
	sent        atomic.Uint64

	mu    sync.Mutex
	known *limits // nil: not asked since it last failed
}

func newWorker(addr string, c Config, j *jitter) (*worker, error) {
	conn, err := connect(addr, c)
	if err != nil {
		return nil, err
	}
	return &worker{
		addr: addr, conn: conn, service: kindredv1.NewEmbeddingServiceClient(conn),
		breaker: breaker{failures: c.BreakerFailures, pause: c.BreakerPause, longest: max(longestBreakerPause, c.BreakerPause), jitter: j},
	}, nil
}

// Connect makes a connection to each of Config.Addrs, in their order, for calls that
// [Client] does not make, and returns the configuration with its defaults. It waits for no
// worker. Errors wrap [ErrConfig].
func Connect(config Config) ([]*grpc.ClientConn, Config, error) {
	config, err := config.resolve()
	if err != nil {
		return nil, config, err
	}
	var conns []*grpc.ClientConn
	for _, addr := range config.Addrs {
		conn, err := connect(addr, config)
		if err != nil {
			for _, c := range conns {
				err = errors.Join(err, c.Close())
			}
			return nil, config, err
		}
		conns = append(conns, conn)
	}
	return conns, config, nil
}

func connect(addr string, c Config) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if c.TLS != nil {
		transport = credentials.NewTLS(c.TLS.Clone())
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		// A machine that vanished does not close its connections.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithDisableRetry(), // we retry, and know more
	}
	if c.Key != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer{key: c.Key, encrypted: c.TLS != nil}))
	}
	conn, err := grpc.NewClient(addr, options...)
	if err != nil {
		return nil, fmt.Errorf("%w: address %q: %w", ErrConfig, addr, err)
	}
	return conn, nil
}

// bearer sends the key with every call.
type bearer struct {
	key       string
	encrypted bool
}

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.key}, nil
}

func (b bearer) RequireTransportSecurity() bool { return b.encrypted }

// ask returns the worker's limits, from memory unless it failed since they were asked for.
func (w *worker) ask(ctx context.Context) (*limits, error) {
	w.mu.Lock()
	known := w.known
	w.mu.Unlock()
	if known != nil {
		return known, nil
	}
	w.conn.ResetConnectBackoff() // the breaker paces the tries
	reply, err := w.service.Info(ctx, &kindredv1.EmbeddingServiceInfoRequest{})
	if err != nil {
		return nil, err
	}
	known, err = limitsOf(reply)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %s", ErrProtocol, w.addr, err)
	}
	w.mu.Lock()
	w.known = known
	w.mu.Unlock()
	return known, nil
}

// limitsOf checks what a worker says of itself.
func limitsOf(r *kindredv1.EmbeddingServiceInfoResponse) (*limits, error) {
	if r.GetModel() == "" || len(r.GetModel()) > 1024 {
		return nil, fmt.Errorf("info: model of %d bytes, want 1 to 1,024", len(r.GetModel()))
	}
	for _, field := range []struct {
		name        string
		value       int32
		least, most int32
	}{
		{"dimension", r.GetDimension(), 1, 1 << 16},
		{"max_tokens", r.GetMaxTokens(), 0, 1 << 30},
		{"max_bytes", r.GetMaxBytes(), 1, 64 << 20},
		{"max_texts", r.GetMaxTexts(), 1, 1 << 16},
		{"max_request_bytes", r.GetMaxRequestBytes(), 1, 64 << 20},
		{"stream_window", r.GetStreamWindow(), 1, 256},
	} {
		if field.value < field.least || field.value > field.most {
			return nil, fmt.Errorf("info: %s is %d, want %d to %d", field.name, field.value, field.least, field.most)
		}
	}
	if r.GetMaxRequestBytes() < r.GetMaxBytes() {
		return nil, fmt.Errorf("info: max_request_bytes is %d and max_bytes %d: one text must fit", r.GetMaxRequestBytes(), r.GetMaxBytes())
	}
	texts, dim := int(r.GetMaxTexts()), int(r.GetDimension())
	texts = min(texts, max(1, MaxReplyBytes/(dim*wire.Float32Bytes)))
	return &limits{
		info:    embed.Info{Model: r.GetModel(), Dim: dim, MaxTokens: int(r.GetMaxTokens()), MaxBytes: int(r.GetMaxBytes())},
		backend: r.GetBackend(), texts: texts, bytes: int(r.GetMaxRequestBytes()), window: int(r.GetStreamWindow()),
		replyAndRequest: max(texts*dim*wire.Float32Bytes, int(r.GetMaxRequestBytes())) + messageOverhead(texts),
	}, nil
}

func (l *limits) callOptions() []grpc.CallOption {
	return []grpc.CallOption{grpc.MaxCallRecvMsgSize(l.replyAndRequest), grpc.MaxCallSendMsgSize(l.replyAndRequest)}
}

// forget makes the worker be asked again: it may come back as another one.
func (w *worker) forget() {
	w.mu.Lock()
	w.known = nil
	w.mu.Unlock()
}

// report tells the breaker how a call ended. A call whose own caller gave up says
// nothing; a worker that is full is a good worker.
func (w *worker) report(caller context.Context, err error) {
	switch code := status.Code(err); {
	case err == nil, errors.Is(err, errSmaller):
		w.breaker.success()
	case caller.Err() != nil:
		w.breaker.neither()
	case errors.Is(err, ErrModelMismatch), errors.Is(err, ErrProtocol), code == codes.Unauthenticated, code == codes.PermissionDenied, code == codes.Unimplemented:
		w.forget()
		w.breaker.failure(time.Now(), err, true)
	case code == codes.ResourceExhausted, code == codes.InvalidArgument:
		w.breaker.success()
	default: // it cannot be reached, hangs, or fails
		w.forget()
		w.breaker.failure(time.Now(), err, false)
	}
}
