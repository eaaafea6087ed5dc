package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
)

// ErrServerLost is wrapped by the error of a run whose server stopped answering. The run is over, and what was measured
// until then comes with the error.
var ErrServerLost = errors.New("the server stopped answering")

// contact is what calls tell of whether the server is there.
type contact struct {
	last time.Duration // end of the last call that the server answered, since the start of the run
	away int64         // calls since then that found no server, or no answer in time
}

// note takes one call's outcome. A refusal is an answer.
func (c *contact) note(code codes.Code, end time.Duration) {
	switch code {
	case codes.Unavailable, codes.DeadlineExceeded:
		c.away++
	default:
		c.last, c.away = max(c.last, end), 0
	}
}

func (c *contact) add(other contact) {
	if other.last > c.last {
		c.last = other.last
	}
	c.away += other.away
}

// lost says whether nothing was answered for a time while calls were made, and the server does not answer an empty call
// either: overload alone is no loss.
func (g *generator) lost(ctx context.Context, c contact, now, silence time.Duration) bool {
	if c.away == 0 || now-c.last < silence {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, g.client.target.Timeout)
	defer cancel()
	return g.client.check(ctx, 0) != nil && ctx.Err() != context.Canceled
}

// lostError says when the server was lost and what it cost.
func lostError(addr string, s *Step, sent int64) error {
	return fmt.Errorf("load: %w: %s was last heard %.1f s into the run; %d of %d measured calls failed: %v %v",
		ErrServerLost, addr, *s.ServerLostS, s.failed(), sent, s.Errors, s.ErrorSamples)
}
