package importer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/server/internal/pause"
)

// patience paces the tries for one request: pauses that double up to a ceiling, spread by jitter so that writers do not
// come back in step, never shorter than what the service asks for, and an end after limit. Not safe for concurrent use.
type patience struct {
	limit time.Duration // from the first failure on
	rand  *rand.Rand

	since time.Time // of the first failure; zero: none yet
	tries int       // failures so far
}

const (
	firstPause   = 50 * time.Millisecond
	longestPause = 2 * time.Second
	// longestHint bounds what a service may ask for, so that a wrong figure does not stall the import.
	longestHint = 10 * time.Second
)

// wait pauses before the next try. It returns an error wrapping ErrGaveUp when the next try would come after the limit,
// or that of the context.
func (p *patience) wait(ctx context.Context, cause error, hint time.Duration) error {
	now := time.Now()
	if p.since.IsZero() {
		p.since = now
	}
	length := p.pause(hint)
	p.tries++
	if now.Add(length).Sub(p.since) > p.limit {
		return fmt.Errorf("importer: %w after %s tries in %s: %s", ErrGaveUp, grouped(int64(p.tries)), p.limit, oneLine(status.Convert(cause).Message()))
	}
	return pause.For(ctx, length)
}

// pause is between half and the whole of the doubled pause, or the hint and up to half more.
func (p *patience) pause(hint time.Duration) time.Duration {
	pause := min(firstPause<<min(p.tries, 10), longestPause)
	if hint = min(hint, longestHint); hint > 0 {
		return hint + time.Duration(p.rand.Int64N(int64(hint)/2+1))
	}
	return pause/2 + time.Duration(p.rand.Int64N(int64(pause)/2+1))
}

// retryHint is what the error says about when to come back; 0: nothing.
func retryHint(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}
