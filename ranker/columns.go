package ranker

import (
	"math"

	"github.com/viterin/vek/vek32"
)

// A column computes one feature of all candidates: len(out) is their number, and
// out holds zeros.
type column func(r *run, out []float32)

// columns, by Feature.
var columns = [FeatureCount]column{
	CoVisited: func(r *run, out []float32) { r.ofEvidence(out, func(e *evidence) float32 { return logShare(e.after) }) },
	CoVisitedBefore: func(r *run, out []float32) {
		r.ofEvidence(out, func(e *evidence) float32 { return logShare(e.before) })
	},
	Association:      association,
	UserSimilarity:   userSimilarity,
	LastSimilarity:   lastSimilarity,
	RecentSimilarity: recentSimilarity,
	ColdSimilarity:   coldSimilarity,
	LabelSimilarity:  labelSimilarity,
	Popularity:       popularityColumn,
	Trend:            trendColumn,
	Repeat:           repeatColumn,
	RepeatCount:      repeatCountColumn,
	Freshness:        freshnessColumn,
}

// sharpness says from where on a share counts in proportion to its logarithm:
// from about 1/50.
const sharpness = 50

func logShare(share float32) float32 {
	if share == 0 { // most of what came before never comes after
		return 0
	}
	return ln1p(sharpness * share)
}

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

func (r *run) ofEvidence(out []float32, value func(*evidence) float32) {
	for i := range r.candidates {
		if at := r.candidates[i].evidence; at >= 0 {
			out[i] = value(&r.evidence[at])
		}
	}
}

func association(r *run, out []float32) {
	r.ofEvidence(out, func(e *evidence) float32 { return e.both / sqrt(r.world.CoVisited.Total(e.item)+r.shrink) })
}

// similarity is the inner product of two vectors of unit length, 0 where one is
// missing, of another length or not finite.
func similarity(a, b []float32) float32 {
	if len(a) == 0 || len(a) != len(b) {
		return 0
	}
	if dot := vek32.Dot(a, b); dot >= -2 && dot <= 2 {
		return dot
	}
	return 0
}

// coldSimilarity comes after recentSimilarity. The square lets only close likeness
// speak for an item that nobody chose yet.
func coldSimilarity(r *run, out []float32) {
	shrink, factor := r.world.Settings.Shrink, 0.0
	if r.world.Popular != nil {
		factor = r.world.Popular.Factor(r.req.Now)
	}
	for i, recent := range r.columns[RecentSimilarity] {
		if recent <= 0 {
			continue
		}
		acts := 0.0
		if factor > 0 {
			acts = factor * r.world.Popular.Raw(r.candidates[i].item)
		}
		out[i] = recent * recent * float32(shrink/(shrink+acts))
	}
}

func popularityColumn(r *run, out []float32) {
	if r.world.Popular == nil {
		return
	}
	factor := r.world.Popular.Factor(r.req.Now)
	for i := range r.candidates {
		out[i] = ln1p(float32(factor * r.world.Popular.Raw(r.candidates[i].item)))
	}
}

func trendColumn(r *run, out []float32) {
	if r.world.Trending == nil {
		return
	}
	factor := r.world.Trending.Factor(r.req.Now)
	for i := range r.candidates {
		if raw := r.world.Trending.Raw(r.candidates[i].item); raw > 0 {
			out[i] = ln1p(float32(factor * raw))
		}
	}
}

func repeatColumn(r *run, out []float32) {
	if r.reason.Events == 0 {
		return
	}
	for i := range r.candidates {
		if r.at(r.candidates[i].item).mark&inHistory != 0 {
			out[i] = 1
		}
	}
}

func repeatCountColumn(r *run, out []float32) {
	if r.reason.Events == 0 {
		return
	}
	for i := range r.candidates {
		if n := r.at(r.candidates[i].item).purchases; n > 1 {
			out[i] = float32(math.Log(float64(n)))
		}
	}
}

func freshnessColumn(r *run, out []float32) {
	halfLife := float64(r.world.Settings.FreshHalfLife.Microseconds())
	for i := range r.candidates {
		created := r.world.Catalog.Brief(r.candidates[i].item).Created()
		if created == 0 || created > r.req.Now {
			continue
		}
		if age := float64(r.req.Now-created) / halfLife; age < 40 {
			out[i] = halved(float32(age))
		}
	}
}

// score fills the columns and the scores of all candidates.
func (r *run) score() {
	n := len(r.candidates)
	r.scores = zeros(r.scores, n)
	r.compare()
	for f := range columns {
		r.columns[f] = zeros(r.columns[f], n)
		columns[f](r, r.columns[f])
	}
	r.model.Score(&r.columns, r.scores)
}

// features gathers the row of one candidate.
func (r *run) features(at int32) (x Features) {
	for f := range x {
		x[f] = r.columns[f][at]
	}
	return x
}

func zeros[T float32 | float64](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	s = s[:n]
	clear(s)
	return s
}
