// Package retry repeats calls to a service that is away or has no room.
package retry

import (
	"context"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	firstPause   = 20 * time.Millisecond
	longestPause = time.Second
	longestHint  = 10 * time.Second // that a server may ask for
)

// Until makes a call until it succeeds, fails for good, or has been tried for too long. What is tried again is what the
// contract says nothing was done for: a server that is away or has no room. Writes are safe to repeat by their ids.
func Until[T any](ctx context.Context, patience time.Duration, call func(context.Context) (T, error)) (T, error) {
	start := time.Now()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		answer, err := call(ctx)
		code := status.Code(err)
		if code != codes.Unavailable && code != codes.ResourceExhausted {
			return answer, err
		}
		pause = max(pause, min(Hint(err), longestHint))
		if time.Since(start)+pause > patience {
			return answer, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return answer, ctx.Err()
		}
	}
}

// Hint is how long the server asks to wait; 0: it does not say.
func Hint(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}
