package shop

import (
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// Thresholds must hold for a promotion. One that is set must be measured and hold; one
// that is nil has the default named, and is passed over where it cannot be measured.
type Thresholds struct {
	MinOverlap      *float64       // 0 to 1; nil: any
	MinNDCGRatio    *float64       // candidate by what serves; nil: 0.9
	MinHitRateRatio *float64       // nil: any
	MinRecall       *float64       // 0 to 1; nil: 0.95
	MaxP99          *time.Duration // nil: 50 ms
	// MinCases is how many persons a figure must be of. 0: 50.
	MinCases int
}

const (
	defaultNDCGRatio = 0.9
	defaultRecall    = 0.95
	defaultP99       = 50 * time.Millisecond
	defaultMinCases  = 50
)

// check compares what was measured with the thresholds.
func (t *Thresholds) check(c *Comparison) []record.Check {
	least := t.MinCases
	if least == 0 {
		least = defaultMinCases
	}
	enough := c.Cases >= least
	var checks []record.Check
	add := func(name string, bound *float64, byDefault float64, has bool, measured float64, known, atMost bool) {
		if bound == nil && !has {
			return
		}
		k := record.Check{Name: name, Bound: byDefault, Measured: measured, AtMost: atMost, Unmeasured: !known}
		if bound != nil {
			k.Bound = *bound
		}
		switch {
		case !known:
			k.Measured, k.Failed = 0, bound != nil
		case atMost:
			k.Failed = measured > k.Bound
		default:
			k.Failed = measured < k.Bound
		}
		checks = append(checks, k)
	}
	add("overlap_at_10", t.MinOverlap, 0, false, c.Overlap, enough, false)
	ndcg, ok := ratio(c.Of.NDCG, c.Now.NDCG)
	add("ndcg_ratio", t.MinNDCGRatio, defaultNDCGRatio, true, ndcg, enough && ok, false)
	hits, ok := ratio(c.Of.HitRate, c.Now.HitRate)
	add("hit_rate_ratio", t.MinHitRateRatio, 0, false, hits, enough && ok, false)
	add("index_recall", t.MinRecall, defaultRecall, true, c.Of.Recall, true, false)
	var p99 *float64
	if t.MaxP99 != nil {
		us := float64(t.MaxP99.Microseconds())
		p99 = &us
	}
	add("latency_p99_us", p99, float64(defaultP99.Microseconds()), true, float64(c.Of.P99.Nanoseconds())/1e3, enough, true)
	return checks
}

// ratio is a by b; false: there is none. Nothing found by both sides is no difference.
func ratio(a, b float64) (float64, bool) {
	switch {
	case b > 0:
		return a / b, true
	case a > 0:
		return 1 + a, true // what serves finds nothing: any gain is one
	}
	return 1, true
}
