package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// Empty is what client, server and the wire between them can do at most: Health/Check, which does nothing, through the
// same interceptors and connections and from the same process as the load. It is the ceiling of every other figure.
type Empty struct {
	// RPS is the highest of the rates that the concurrencies tried gave.
	RPS float64 `json:"empty_rps"`
	// Concurrency is the number of callers, each with one call at a time, that gave it.
	Concurrency int `json:"empty_concurrency"`
}

// emptyConcurrency are the numbers of callers tried: few keep caches warm, many make the writes of connections share calls.
var emptyConcurrency = []int{16, 64, 256}

// Empty measures for about the time given, closed-loop at full throttle. An error of any call ends it.
func (c *Client) Empty(ctx context.Context, total time.Duration, progress func(share float64)) (Empty, error) {
	if total <= 0 {
		return Empty{}, fmt.Errorf("load: %v for the empty call: must be above 0", total)
	}
	var best Empty
	each := total / time.Duration(len(emptyConcurrency))
	for i, callers := range emptyConcurrency {
		rps, err := c.emptyAt(ctx, callers, each)
		if err != nil {
			return Empty{}, fmt.Errorf("load: empty call: %w", err)
		}
		if rps > best.RPS {
			best = Empty{RPS: rps, Concurrency: callers}
		}
		if progress != nil {
			progress(float64(i+1) / float64(len(emptyConcurrency)))
		}
	}
	return best, nil
}

func (c *Client) emptyAt(ctx context.Context, callers int, span time.Duration) (rps float64, err error) {
	ctx, cancel := context.WithCancelCause(c.authorize(ctx))
	defer cancel(nil)
	var count atomic.Int64
	var wait sync.WaitGroup
	start := time.Now()
	for i := range callers {
		wait.Go(func() {
			done := int64(0)
			for time.Since(start) < span && ctx.Err() == nil {
				if err := c.emptyCall(ctx, i%len(c.conns)); err != nil {
					cancel(err)
					return
				}
				done++
			}
			count.Add(done)
		})
	}
	wait.Wait()
	took := time.Since(start)
	if ctx.Err() != nil {
		return 0, errors.Join(context.Cause(ctx))
	}
	return float64(count.Load()) / took.Seconds(), nil
}

// emptyCall is made like the calls of a load: with a deadline, and the reply read on the wire.
func (c *Client) emptyCall(ctx context.Context, conn int) error {
	ctx, cancel := context.WithTimeout(ctx, c.target.Timeout)
	defer cancel()
	return c.conns[conn].Invoke(ctx, healthpb.Health_Check_FullMethodName, emptyRequest, &reply{layout: &layout{}})
}

var emptyRequest = &healthpb.HealthCheckRequest{}
