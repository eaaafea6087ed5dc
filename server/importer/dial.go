package importer

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

func dial(opts Options) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if opts.TLS {
		transport = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		// By default a connection that was lost is tried ever more rarely, up to every two minutes: longer than one batch
		// is tried for.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
	}
	if opts.Key != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer{key: opts.Key, needsTLS: opts.TLS}))
	}
	conn, err := grpc.NewClient(opts.Addr, options...)
	if err != nil {
		return nil, fmt.Errorf("importer: %w at %q: %s", ErrUnreachable, opts.Addr, oneLine(err.Error()))
	}
	return conn, nil
}

// bearer sends the key with every call.
type bearer struct {
	key      string
	needsTLS bool
}

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.key}, nil
}

func (b bearer) RequireTransportSecurity() bool { return b.needsTLS }

// networkCause is what the network said, without the layers that pass it on.
func networkCause(err error) string {
	text := oneLine(status.Convert(err).Message())
	if at := strings.LastIndex(text, "dial tcp "); at >= 0 {
		return strings.TrimSuffix(text[at:], `"`)
	}
	return text
}

const greetTimeout = 5 * time.Second

// greet finds out whether anything answers before files are read. A service without the health service is well enough.
func greet(ctx context.Context, conn *grpc.ClientConn, addr string) error {
	bounded, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	_, err := grpc_health_v1.NewHealthClient(conn).Check(bounded, &grpc_health_v1.HealthCheckRequest{})
	switch status.Code(err) {
	case codes.OK, codes.Unimplemented, codes.NotFound:
		return nil
	case codes.Unauthenticated, codes.PermissionDenied:
		return refusal("the call", err)
	}
	return fmt.Errorf("importer: %w at %s (%s): start one with `go run ./server`, or name another with --addr",
		ErrUnreachable, addr, networkCause(err))
}
