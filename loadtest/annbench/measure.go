package annbench

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/kindred-rec/kindred/index"
)

const passes = 3

// measure asks all queries with r.Ef and fills r.
func measure(ctx context.Context, idx index.Index, s set, r *Result) error {
	hits := make([]index.Hit, 0, k)
	best := time.Duration(math.MaxInt64)
	for range passes {
		if err := ctx.Err(); err != nil {
			return err
		}
		start := time.Now()
		for i := range s.queries.rows {
			var err error
			hits, err = idx.Search(index.Query{Vector: s.queries.row(i), K: k, Effort: r.Ef}, hits[:0])
			if err != nil {
				return fmt.Errorf("query %d: %w", i, err)
			}
		}
		best = min(best, time.Since(start))
	}
	held, err := recalled(idx, s, r.Ef)
	if err != nil {
		return err
	}
	stats := idx.Stats()
	n := float64(s.base.rows)
	r.Engine, r.Storage, r.Kernel = stats.Engine, stats.Storage, stats.Kernel
	r.RecallAt10 = round(held, 4)
	r.MicrosPerQuery = round(best.Seconds()*1e6/float64(s.queries.rows), 2)
	r.BytesPerVector = round(float64(stats.VectorBytes+stats.LinkBytes)/n, 1)
	r.OtherBytesPerVector = round(float64(stats.OtherBytes)/n, 1)
	r.MappedBytesPerVector = round(float64(stats.MappedBytes)/n, 1)
	return nil
}

// recalled is the share of the true ten that are found, over all queries.
func recalled(idx index.Index, s set, ef int) (float64, error) {
	found := 0
	for i := range s.queries.rows {
		hits, err := idx.Search(index.Query{Vector: s.queries.row(i), K: k, Effort: ef}, nil)
		if err != nil {
			return 0, fmt.Errorf("query %d: %w", i, err)
		}
		for _, want := range s.truth[i*s.truthWidth:][:k] {
			for _, h := range hits {
				if h.ID == uint32(want) {
					found++
				}
			}
		}
	}
	return float64(found) / float64(k*s.queries.rows), nil
}

func round(x float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(x*p) / p
}
