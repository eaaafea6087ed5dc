package ranker

import (
	"math"

	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/conversion"
	"github.com/kindred-rec/kindred/ranker/rerank"
)

// arranging is the part of a run that makes a list of the candidates.
type arranging struct {
	excluding bool // a rule of the policy may keep items out
	engine    rerank.Engine
	input     rerank.Input
	list      rerank.List
	lineup    []rerank.Candidate // [candidates that are lined up]
	of        []int32            // [the same] index in run.candidates
	evidence  conversions
}

func (a *arranging) begin(r *run) {
	a.excluding = r.req.Policy != nil && r.req.Policy.Excluding()
}

// end forgets the request.
func (a *arranging) end() {
	a.engine.Release()
	a.input, a.evidence = rerank.Input{Candidates: a.input.Candidates[:0]}, conversions{}
}

// conversions are what a policy reads of clicks.
type conversions struct {
	counter *conversion.Counter
	now     int64
	factor  float64
}

// Evidence are the clicks and impressions of an item.
func (c *conversions) Evidence(item uint32) (clicks, impressions float64) {
	counts := c.counter.Raw(item)
	return c.factor * counts[conversion.Clicked], c.factor * counts[conversion.Shown]
}

// Overall are those of the shop.
func (c *conversions) Overall() (clicks, impressions float64) {
	counts := c.counter.Totals(c.now)
	return counts[conversion.Clicked], counts[conversion.Shown]
}

// onlyDiverse is the policy of a request that has none.
var onlyDiverse = rerank.Policy{KeepVariants: true}

// diversity that counts: the request's before the policy's.
func (q *Request) diversity() float64 {
	if q.Policy == nil || q.DiversitySet || q.Diversity > 0 {
		return float64(q.Diversity)
	}
	return q.Policy.Diversity
}

// excludedBy is the rule by which a row may not be shown, -1 for none.
func (r *run) excludedBy(row *catalog.Row) int {
	if !r.arranging.excluding {
		return -1
	}
	return r.req.Policy.Excludes(row, r.world.Exposures, r.req.Now)
}

// proposePins proposes the items that rules pin by name.
func (r *run) proposePins() {
	if r.req.Policy == nil {
		return
	}
	for i := range r.req.Policy.Rules {
		rule := &r.req.Policy.Rules[i]
		if rule.Action == rerank.Pin && rule.HasItem && rule.Slot <= r.req.Limit && rule.Holds(r.req.Now) {
			r.propose(rule.Item, FromPolicy)
		}
	}
}

// write orders the candidates and writes the reply.
func (r *run) write(res *Response) {
	res.Model, res.Tier, res.Reason, res.Candidates = r.model, r.reason.Tier, r.reason, len(r.candidates)
	res.Items, res.Losers, res.Conflicts = res.Items[:0], res.Losers[:0], res.Conflicts[:0]
	if r.req.Policy == nil && r.req.Diversity == 0 {
		r.writeBest(res)
	} else {
		r.lineUp(0)
		r.arranging.engine.Rerank(&r.arranging.input, &r.arranging.list)
		r.writeList(res)
	}
	for i := range res.Items {
		r.at(res.Items[i].Item).mark |= returned
	}
	r.drawLosers(res)
}

// writeBest writes the largest scores, which needs no engine.
func (r *run) writeBest(res *Response) {
	for _, pick := range r.top(r.req.Limit) {
		res.Items = append(res.Items, r.ranked(pick.at))
	}
}

// top are the candidates with the largest scores, in order, valid until the next use of
// r.best.
func (r *run) top(most int) []entry {
	r.best.reset(most)
	for i := range r.candidates {
		r.best.offer(r.entry(i))
	}
	return r.best.sorted()
}

// entry is a candidate as it is ordered by score.
func (r *run) entry(i int) entry {
	return entry{score: r.scores[i], item: r.candidates[i].item, at: int32(i), filler: r.isFiller(i)}
}

func (r *run) isFiller(i int) bool { return r.fillers >= 0 && i >= r.fillers }

// lineUp makes the engine's input.
func (r *run) lineUp(without rerank.Part) {
	a, req := &r.arranging, r.req
	policy := req.Policy
	a.lineup, a.of = a.lineup[:0], a.of[:0]
	if policy == nil {
		policy = &onlyDiverse
		for _, pick := range r.top(max(req.Limit, r.world.Settings.MaxDiversified)) { // no more can have a place
			a.lineup, a.of = append(a.lineup, rerank.Candidate{Item: pick.item, Score: pick.score, Filler: pick.filler}), append(a.of, pick.at)
		}
	} else {
		for i := range r.candidates {
			a.lineup, a.of = append(a.lineup, rerank.Candidate{Item: r.candidates[i].item, Score: r.scores[i], Filler: r.isFiller(i)}), append(a.of, int32(i))
		}
		r.addShowings(policy)
	}
	a.input = rerank.Input{
		Candidates: a.lineup, Policy: policy, Diversity: req.diversity(), Limit: req.Limit,
		Window: r.world.Settings.MaxDiversified, Seed: req.Seed, Now: req.Now,
		Rows: r.world.Catalog, Exposures: r.world.Exposures, Without: without | rerank.Exclusions,
	}
	if r.world.Vectors != nil {
		a.input.Vectors = r.world.Vectors
	}
	if c := r.world.Conversion; c != nil {
		a.evidence = conversions{counter: c, now: req.Now, factor: c.Factor(req.Now)}
		a.input.Evidence = &a.evidence
	}
}

// addShowings counts what the user passed over, each time by its age. One whose time is
// unknown counts in full.
func (r *run) addShowings(policy *rerank.Policy) {
	if policy.Fatigue.Weight == 0 {
		return
	}
	halfLife := float64(policy.Fatigue.HalfLife.Microseconds())
	for _, s := range r.req.Impressions {
		if !r.known(s.Item) {
			continue
		}
		at := r.at(s.Item).candidate
		if at < 0 {
			continue
		}
		weight := 1.0
		if age := r.req.Now - s.Time; s.Time != 0 && age > 0 {
			weight = math.Exp2(-float64(age) / halfLife)
		}
		r.arranging.lineup[at].Shown += weight
	}
}

// writeList writes what the engine made.
func (r *run) writeList(res *Response) {
	a := &r.arranging
	for i := range a.list.Slots {
		s := &a.list.Slots[i]
		x := r.ranked(a.of[s.At])
		x.Propensity, x.Value, x.Penalty, x.Fill, x.Rule = s.Propensity, s.Value, s.Penalty, s.Fill, s.Rule
		res.Items = append(res.Items, x)
	}
	res.Conflicts = append(res.Conflicts, a.list.Conflicts...)
}

// refill adds candidates where a policy left a list shorter than there are items: variants
// of one product take one place.
func (r *run) refill(res *Response) {
	for r.req.Policy != nil && r.req.Candidates == nil && len(res.Items) < r.req.Limit {
		before := len(r.candidates)
		r.fill(2*before + 2*(r.req.Limit-len(res.Items)))
		if len(r.candidates) == before {
			return
		}
		for i := range res.Items {
			r.at(res.Items[i].Item).mark &^= returned
		}
		r.score()
		r.write(res)
	}
}
