package simulate

import (
	"context"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// again makes a call until it succeeds, fails for good, or has been tried for too long. Tried again is what the contract says
// nothing was done for: a server that is away or has no room. Writes may be repeated, by their ids.
func again[T any](ctx context.Context, patience time.Duration, call func(context.Context) (T, error)) (T, error) {
	start := time.Now()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		answer, err := call(ctx)
		code := status.Code(err)
		if code != codes.Unavailable && code != codes.ResourceExhausted {
			return answer, err
		}
		for _, detail := range status.Convert(err).Details() {
			if info, ok := detail.(*errdetails.RetryInfo); ok {
				pause = max(pause, min(info.GetRetryDelay().AsDuration(), 10*time.Second))
			}
		}
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
