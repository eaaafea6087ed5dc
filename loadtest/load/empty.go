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
	// RPS is the highest rate of empty calls held, found as saturation is: arrivals by schedule, p99 under the bound.
	RPS float64 `json:"empty_rps"`
	// ClosedRPS is what callers reach that each wait for their answer, at full throttle: more, since with nothing to keep to
	// they fall into step and share system calls. Callers is the number of them that gave it.
	ClosedRPS float64 `json:"empty_closed_rps"`
	Callers   int     `json:"empty_callers"`
}

// emptyCallers are the numbers of callers tried: few keep caches warm, many make the writes of connections share calls.
var emptyCallers = []int{16, 64, 256}

// emptyStart is the first rate tried, below what any machine that runs a service holds.
const emptyStart = 4000

// Empty measures empty calls: the highest rate held in steps of the length given, under the bound on p99, with the arrivals
// and the in-flight bound of the plan; and callers at full throttle, for as long as one step. An error of any call ends it.
func (c *Client) Empty(ctx context.Context, step, p99 time.Duration, plan Plan, progress func(share float64)) (Empty, error) {
	plan.Mix = Mix{KindEmpty: 1}
	plan.WarmUp = min(plan.WarmUp, step/4)
	search := Search{Start: emptyStart, Step: step, P99: p99, Tolerance: 0.05, Attempts: 2}
	nobody := Traffic{Users: Population{Count: 1, Exponent: 2}}
	_, best, err := c.Saturate(ctx, search, plan, nobody, nil, progress)
	if err != nil {
		return Empty{}, fmt.Errorf("load: empty call: %w", err)
	}
	empty := Empty{RPS: best.AchievedRPS}
	for _, callers := range emptyCallers {
		rps, err := c.emptyAt(ctx, callers, step/time.Duration(len(emptyCallers)))
		if err != nil {
			return Empty{}, fmt.Errorf("load: empty call: %w", err)
		}
		if rps > empty.ClosedRPS {
			empty.ClosedRPS, empty.Callers = rps, callers
		}
	}
	return empty, nil
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
