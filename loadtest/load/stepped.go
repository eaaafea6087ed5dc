package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// mostRates bounds the steps of ModeStepped.
const mostRates = 1000

// ParseRates reads the rates of a stepped test: "500,1000,2000", or "500-4000/500" for 500 to 4,000 by 500, or both mixed.
// The order is kept. At most 1,000 rates, each above 0.
func ParseRates(text string) ([]float64, error) {
	var rates []float64
	for part := range strings.SplitSeq(text, ",") {
		more, err := parseRange(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("load: rates %q: %w", text, err)
		}
		if rates = append(rates, more...); len(rates) > mostRates {
			return nil, fmt.Errorf("load: rates %q: more than %d; make the steps wider", text, mostRates)
		}
	}
	return rates, nil
}

func parseRange(part string) ([]float64, error) {
	span, step, isRange := strings.Cut(part, "/")
	if !isRange {
		rate, err := parseRate(part)
		return []float64{rate}, err
	}
	first, last, ok := strings.Cut(span, "-")
	if !ok {
		return nil, fmt.Errorf("%q is not FROM-TO/BY, as 500-4000/500", part)
	}
	from, err1 := parseRate(first)
	to, err2 := parseRate(last)
	by, err3 := parseRate(step)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	if to < from || (to-from)/by > mostRates {
		return nil, fmt.Errorf("%q: must go up in at most %d steps", part, mostRates)
	}
	var rates []float64
	for i := range int(math.Floor((to-from)/by+1e-9)) + 1 {
		rates = append(rates, from+float64(i)*by)
	}
	return rates, nil
}

func parseRate(text string) (float64, error) {
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil || !(rate > 0 && rate <= maxRate) {
		return 0, fmt.Errorf("%q is not a rate: must be a number above 0 and at most 10,000,000", text)
	}
	return rate, nil
}

func (o Options) validateSteps() error {
	if len(o.Rates) < 1 || len(o.Rates) > mostRates || o.Search.P99 <= 0 {
		return fmt.Errorf("load: %d rates under a p99 of %v: must be 1 to %d, as --rates 500-4000/500, and above 0", len(o.Rates), o.Search.P99, mostRates)
	}
	for _, rate := range o.Rates {
		plan := o.Plan
		plan.Rate, plan.Spike = rate, nil
		if err := plan.validate(); err != nil {
			return err
		}
	}
	return nil
}

// stepped offers each rate for the plan's duration, whatever became of the one before.
func (r *runner) stepped(ctx context.Context) error {
	r.result.P99BoundMS, r.result.DurationS = millis(r.Search.P99), r.Plan.Duration.Seconds()
	plan := r.Plan
	plan.Spike = nil
	for i, rate := range r.Rates {
		plan.Rate = rate
		step, err := r.client.Constant(ctx, plan, r.traffic, r.phase(fmt.Sprintf("step %d of %d, %.0f a second", i+1, len(r.Rates), rate)))
		if step == nil {
			return err
		}
		plan.Seed++
		held := r.Search.held(step)
		step.Held = &held
		r.result.full = append(r.result.full, step)
		r.result.Steps = append(r.result.Steps, summarize(step))
		if r.Stepped != nil {
			r.Stepped(step)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
