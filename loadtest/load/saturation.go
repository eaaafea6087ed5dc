package load

import (
	"context"
	"fmt"
	"time"
)

// Search looks for the highest rate that a server holds.
type Search struct {
	// Start is the first rate tried, above 0; it doubles until a rate is not held, then the interval is halved.
	Start float64
	// Step is how long a rate must hold, above 0. Figures are quoted at 10 s.
	Step time.Duration
	// P99 is the bound that the 99th percentile must stay under, above 0. Figures are quoted at 50 ms.
	P99 time.Duration
	// Tolerance ends the search when the lowest rate that failed is within it of the highest that held, 0.001 to 1.
	Tolerance float64
	// Attempts is how often a rate may fail before it counts as not held, 1 to 10: other work on the machine makes a step
	// fail that the server could hold.
	Attempts int
}

func (s Search) validate() error {
	if !(s.Start > 0 && s.Start <= 1e6) || s.Step <= 0 || s.P99 <= 0 {
		return fmt.Errorf("load: search from %v/s with steps of %v under %v: all must be above 0, the rate at most 1,000,000",
			s.Start, s.Step, s.P99)
	}
	if !(s.Tolerance >= 0.001 && s.Tolerance <= 1) || s.Attempts < 1 || s.Attempts > 10 {
		return fmt.Errorf("load: search with tolerance %v and %d attempts: must be 0.001 to 1, and 1 to 10", s.Tolerance, s.Attempts)
	}
	return nil
}

// lowestRate is where a search gives up.
const lowestRate = 1.0

// Saturate gives every step it made, in order and also with an error, and the best: the one of the highest rate held. A rate is held if its step
// kept the bound on p99, no call failed, none was left unsent, and the answers kept up with the arrivals. The plan's own
// rate and duration are not used. each, if not nil, is told of each step when it is done.
func (c *Client) Saturate(ctx context.Context, search Search, plan Plan, traffic Traffic, each func(*Step), progress func(float64)) (steps []*Step, best *Step, err error) {
	if err := search.validate(); err != nil {
		return nil, nil, err
	}
	plan.Duration = search.Step
	try := func(rate float64) (bool, error) {
		for range search.Attempts {
			plan.Rate = rate
			step, err := c.Constant(ctx, plan, traffic, progress)
			if step == nil {
				return false, err
			}
			plan.Seed++ // another schedule, so that a chance cluster of arrivals does not come again
			held := search.held(step)
			step.Held = &held
			steps = append(steps, step)
			if each != nil {
				each(step)
			}
			if err != nil {
				return false, err
			}
			if held {
				best = step
				return true, nil
			}
		}
		return false, nil
	}
	if err := bisect(search.Start, search.Tolerance, try); err != nil {
		return steps, nil, err
	}
	if best == nil {
		return steps, nil, fmt.Errorf("load: not even %v a second is held with p99 under %v: %s", lowestRate, search.P99, whyNot(steps[len(steps)-1]))
	}
	return steps, best, nil
}

// keptUp is the share of the arrivals that must have been answered in time.
const keptUp = 0.98

func (s Search) held(step *Step) bool {
	return step.failed() == 0 && step.ClientLimited == 0 && step.OfferedRPS > 0 &&
		step.AchievedRPS >= keptUp*step.OfferedRPS && step.P99 < millis(s.P99)
}

func whyNot(s *Step) string {
	if s.failed() > 0 {
		return fmt.Sprintf("errors %v %v", s.Errors, s.ErrorSamples)
	}
	if s.ClientLimited > 0 {
		return fmt.Sprintf("%d arrivals found too many calls in flight", s.ClientLimited)
	}
	return fmt.Sprintf("p99 %.1f ms at %.1f a second", s.P99, s.Rate)
}

// bisect calls try with rates: doubling from start until one fails (or halving until one holds), then the middle, until
// the two are within the tolerance.
func bisect(start, tolerance float64, try func(rate float64) (held bool, err error)) error {
	low, high := 0.0, 0.0
	for rate := start; low == 0 || high == 0; {
		held, err := try(rate)
		if err != nil {
			return err
		}
		if held {
			low, rate = rate, rate*2
		} else {
			high, rate = rate, rate/2
		}
		if low == 0 && rate < lowestRate {
			return nil
		}
	}
	for (high-low)/low > tolerance {
		middle := (low + high) / 2
		held, err := try(middle)
		if err != nil {
			return err
		}
		if held {
			low = middle
		} else {
			high = middle
		}
	}
	return nil
}
