package shop

import (
	"math"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// Thresholds must hold for a promotion. One that is set must be measured and hold; one
// that is nil has the default named, and is passed over where it cannot be measured.
type Thresholds struct {
	MinOverlap *float64 // 0 to 1; nil: any
	// MinNDCGRatio is of the candidate by what serves (ndcg_ratio), by what serves with no model
	// (ndcg_ratio_untrained), and by the best that served before: the ratios of the promotions
	// since, multiplied (ndcg_ratio_since_best), so that many small losses do not add up to a
	// large one. nil: 0.9, and the candidate must not be worse than what serves, nor than no
	// model, by more than chance explains: the upper end of the 95% interval of the paired
	// difference over the cases is not below 0 (ndcg_ratio_high, ndcg_ratio_high_untrained).
	MinNDCGRatio    *float64
	MinHitRateRatio *float64 // nil: any
	MinRecall       *float64 // 0 to 1; nil: 0.95
	// MaxP99 bounds the slowest hundredth (latency_p99_us). nil: the median is at most 50 ms
	// (latency_p50_us); on a machine that does other work, too, the slowest hundredth is of that.
	MaxP99 *time.Duration
	// MinCases is how many persons a figure must be of. 0: 50.
	MinCases int
}

const (
	defaultNDCGRatio = 0.9
	defaultRecall    = 0.95
	defaultP50       = 50 * time.Millisecond
	defaultMinCases  = 50
)

// checks are thresholds compared with what was measured.
type checks []record.Check

// atLeast adds one that fails below its bound. Where it is not known, it fails if asked for.
func (c *checks) atLeast(name string, measured, bound float64, known, asked bool) {
	c.add(record.Check{Name: name, Bound: bound, Measured: measured}, known, asked)
}

// atMost adds one that fails above its bound.
func (c *checks) atMost(name string, measured, bound float64, known, asked bool) {
	c.add(record.Check{Name: name, Bound: bound, Measured: measured, AtMost: true}, known, asked)
}

func (c *checks) add(k record.Check, known, asked bool) {
	switch {
	case !known:
		k.Measured, k.Unmeasured, k.Failed = 0, true, asked
	case k.AtMost:
		k.Failed = k.Measured > k.Bound
	default:
		k.Failed = k.Measured < k.Bound
	}
	*c = append(*c, k)
}

// or is a bound, or the default.
func or(bound *float64, byDefault float64) float64 {
	if bound != nil {
		return *bound
	}
	return byDefault
}

// check compares what was measured with the thresholds. kept is what share of the best NDCG
// what serves has kept, at most 1.
func (t *Thresholds) check(c *Comparison, kept float64) []record.Check {
	least := t.MinCases
	if least == 0 {
		least = defaultMinCases
	}
	enough := c.Cases >= least
	var out checks
	if t.MinOverlap != nil {
		out.atLeast("overlap_at_10", c.Overlap, *t.MinOverlap, enough, true)
	}
	t.checkNDCG(&out, c, kept, enough)
	if t.MinHitRateRatio != nil {
		hits := ratio(c.Of.HitRate, c.Now.HitRate)
		out.atLeast("hit_rate_ratio", hits, *t.MinHitRateRatio, enough, true)
	}
	out.atLeast("index_recall", c.Of.Recall, or(t.MinRecall, defaultRecall), true, t.MinRecall != nil)
	if t.MaxP99 != nil {
		out.atMost("latency_p99_us", microseconds(c.Of.P99), float64(t.MaxP99.Microseconds()), enough, true)
	} else {
		out.atMost("latency_p50_us", microseconds(c.Of.P50), microseconds(defaultP50), enough, false)
	}
	return out
}

// checkNDCG compares with what serves, with no model, and with the best before.
func (t *Thresholds) checkNDCG(out *checks, c *Comparison, kept float64, enough bool) {
	bound, asked := or(t.MinNDCGRatio, defaultNDCGRatio), t.MinNDCGRatio != nil
	now := ratio(c.Of.NDCG, c.Now.NDCG)
	out.atLeast(checkNDCGRatio, now, bound, enough, asked)
	if kept < 1 {
		out.atLeast("ndcg_ratio_since_best", now*kept, bound, enough, asked)
	}
	if !asked {
		out.atLeast("ndcg_ratio_high", c.Gain.high(c.Now.NDCG), 1, enough, false)
	}
	if c.Untrained == nil {
		return
	}
	out.atLeast("ndcg_ratio_untrained", ratio(c.Of.NDCG, c.Untrained.NDCG), bound, enough, asked)
	if !asked {
		out.atLeast("ndcg_ratio_high_untrained", c.GainUntrained.high(c.Untrained.NDCG), 1, enough, false)
	}
}

// checkNDCGRatio is the check whose measure a later promotion reads.
const checkNDCGRatio = "ndcg_ratio"

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// ratio is a by b. Nothing found by both sides is no difference.
func ratio(a, b float64) float64 {
	switch {
	case b > 0:
		return a / b
	case a > 0:
		return 1 + a // what serves finds nothing: any gain is one
	}
	return 1
}

// Paired is the mean of a difference over cases, and its standard error; 0 for fewer than two.
type Paired struct {
	Mean, Error float64
}

// difference is of a from b, case by case.
func difference(a, b []float64) Paired {
	n := float64(len(a))
	if n == 0 {
		return Paired{}
	}
	var p Paired
	for i := range a {
		p.Mean += (a[i] - b[i]) / n
	}
	if n < 2 {
		return p
	}
	sum := 0.0
	for i := range a {
		off := a[i] - b[i] - p.Mean
		sum += off * off
	}
	p.Error = math.Sqrt(sum / (n - 1) / n)
	return p
}

// high is the ratio to what the difference is from at the upper end of the 95% interval.
func (p Paired) high(from float64) float64 {
	const width = 1.96 // standard errors
	return ratio(max(0, from+p.Mean+width*p.Error), from)
}

// keptOf is what share of the best NDCG the promoted bundle has kept, by the checks of the
// promotions that led to it, newest first: 1 for the best itself and where nothing was measured.
// What was forced is what somebody wanted, and begins anew.
func keptOf(history []record.Promoted, bundle string) float64 {
	kept := map[string]float64{}
	of := func(bundle string) float64 {
		if k, ok := kept[bundle]; ok {
			return k
		}
		return 1
	}
	for i := len(history) - 1; i >= 0; i-- {
		switch p := &history[i]; {
		case p.Rollback:
		case p.Forced:
			kept[p.Bundle] = 1
		default:
			kept[p.Bundle] = min(1, of(p.Previous)*measuredRatio(p.Checks))
		}
	}
	return of(bundle)
}

// measuredRatio is what a promotion's NDCG was by what served; 1: it was not measured.
func measuredRatio(list []record.Check) float64 {
	for _, c := range list {
		if c.Name == checkNDCGRatio && !c.Unmeasured {
			return c.Measured
		}
	}
	return 1
}
