package ranker

import (
	"math"

	"github.com/viterin/vek/vek32"
)

// A column computes one feature of all candidates: len(out) is their number, and
// out holds zeros.
type column func(r *run, out []float32)

// columns, by Feature, computed in this order. Position has none: it is 0 here. Several come
// of one pass over what they read, and then the first of them names it.
var columns = [FeatureCount]column{
	CoVisited:         evidenceColumns, // CoVisitedBefore, Association, CoVisitedShare, CoVisitedLast, CoVisitedSecond
	UserSimilarity:    userSimilarity,
	LastSimilarity:    lastSimilarity,
	RecentSimilarity:  recentSimilarity,
	ColdSimilarity:    coldSimilarity,
	LabelSimilarity:   labelColumns, // TagAffinity, CategoryAffinity, BrandAffinity, LabelEvidence
	Popularity:        popularityColumn,
	Trend:             trendColumn,
	Repeat:            repeatColumns, // RepeatCount, RepeatRecency
	Freshness:         ageColumns,    // Age
	UserRank:          userRank,
	NeighbourRank:     neighbourRank,
	SecondSimilarity:  secondSimilarity,
	MeanSimilarity:    meanSimilarity,
	ContextSimilarity: contextSimilarity,
	SpaceSimilarity:   spaceSimilarity,
	SpaceRecent:       spaceRecent,
	PriceDistance:     priceDistance,
	ClickRate:         rateColumns, // PurchaseRate
	Scarcity:          scarcityColumn,
	PassedOver:        passedOver,
	Hour:              hourColumn,
	Weekday:           weekdayColumn,
	Surface:           surfaceColumn,
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

// evidenceColumns fills CoVisited, which is out, and the other columns of co-visitation but
// CoVisitedShare: most candidates have evidence, and it is read once for all.
func evidenceColumns(r *run, out []float32) {
	before, association := r.columns[CoVisitedBefore], r.columns[Association]
	last, second, share := r.columns[CoVisitedLast], r.columns[CoVisitedSecond], r.columns[CoVisitedShare]
	most := float32(0)
	for i := range r.candidates {
		at := r.candidates[i].evidence
		if at < 0 {
			continue
		}
		e := &r.evidence[at]
		out[i], before[i] = logShare(e.after), logShare(e.before)
		last[i], second[i] = logShare(e.near[0]), logShare(e.near[1])
		association[i] = e.both / sqrt(r.world.CoVisited.Total(e.item)+r.shrink)
		share[i] = e.proposes()
		most = max(most, share[i])
	}
	if most > 0 {
		for i := range share {
			share[i] /= most
		}
	}
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

// repeatColumns fills Repeat, which is out, RepeatCount and RepeatRecency of the items of the
// history that are candidates.
func repeatColumns(r *run, out []float32) {
	if r.reason.Events == 0 {
		return
	}
	for _, t := range r.req.History {
		if !r.known(t.Item) {
			continue
		}
		c := r.at(t.Item)
		i := c.candidate
		if i < 0 || out[i] != 0 {
			continue
		}
		out[i] = 1
		r.columns[RepeatRecency][i] = 1 / float32(c.back)
		if c.purchases > 1 {
			r.columns[RepeatCount][i] = float32(math.Log(float64(c.purchases)))
		}
	}
}

// passedOver counts how often the user was shown an item in vain.
func passedOver(r *run, out []float32) {
	if r.req.PersonalizationOff {
		return
	}
	for _, s := range r.req.Impressions {
		if !r.known(s.Item) {
			continue
		}
		if c := r.at(s.Item); c.candidate >= 0 && out[c.candidate] == 0 {
			out[c.candidate] = ln1p(float32(c.shown))
		}
	}
}

// ageColumns fills Freshness, which is out, and Age.
func ageColumns(r *run, out []float32) {
	halfLife := float64(r.world.Settings.FreshHalfLife.Microseconds())
	days := r.columns[Age]
	for i := range r.candidates {
		age := r.age(i)
		if age < 0 {
			continue
		}
		if age < 40*halfLife {
			out[i] = halved(float32(age / halfLife))
		}
		days[i] = ln1p(float32(age / float64(dayMicros)))
	}
}

// age is since candidate i was created, in microseconds, negative when that is unknown or in
// the future.
func (r *run) age(i int) float64 {
	created := r.world.Catalog.Brief(r.candidates[i].item).Created()
	if created == 0 {
		return -1
	}
	return float64(r.req.Now - created)
}

func scarcityColumn(r *run, out []float32) {
	for i, row := range r.rows {
		if row != nil && row.Stock >= 0 {
			out[i] = 1 / (1 + float32(row.Stock))
		}
	}
}

// score fills the columns and the scores of all candidates.
func (r *run) score() {
	n := len(r.candidates)
	r.scores = zeros(r.scores, n)
	r.compare()
	r.findRows()
	r.table = zeros(r.table, n*int(FeatureCount))
	for f := range r.columns {
		r.columns[f] = r.table[f*n : (f+1)*n : (f+1)*n]
	}
	for f, fill := range columns {
		if fill != nil {
			fill(r, r.columns[f])
		}
	}
	r.model.Score(&r.columns, r.scores)
}

// findRows looks the candidates' rows up, once for all columns that read them. In a large
// catalog each row is a miss of the cache, and each row's labels are another; asked for in
// turn, without work between, many are under way at once.
func (r *run) findRows() {
	r.rows = r.rows[:0]
	met := 0
	for i := range r.candidates {
		r.rows = append(r.rows, r.world.Catalog.Row(r.candidates[i].item))
	}
	for _, row := range r.rows {
		if row != nil {
			met += int(row.Stock) + len(row.Tags) + int(row.Brand)
		}
	}
	for _, row := range r.rows {
		if row != nil && len(row.Tags) > 0 {
			met += int(row.Tags[0])
		}
	}
	r.met = met
}

// features gathers the row of one candidate.
func (r *run) features(at int32) (x Features) {
	for f := range x {
		x[f] = r.columns[f][at]
	}
	return x
}

func zeros[T float32 | float64 | labelCell](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	s = s[:n]
	clear(s)
	return s
}
