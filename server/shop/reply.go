package shop

import (
	"fmt"
	"slices"
	"time"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/rerank"
	"github.com/kindred-rec/kindred/server/record"
)

// list converts the pipeline's answer.
func (c *call) list(surface string, req *ranker.Request, explain bool) List {
	res := &c.response
	list := List{
		Surface: surface, Items: make([]Item, 0, len(res.Items)), Tier: res.Tier, Why: c.why(),
		Policy: c.made.policy.id, Assignment: c.made.assignment,
	}
	for _, x := range res.Conflicts {
		list.Conflicts = append(list.Conflicts, x.Text(c.made.rules))
	}
	if len(res.Items) == 0 {
		list.Why += c.nothing(req)
	}
	calibrated, tells := res.Model.(ranker.Calibrated)
	for k := range res.Items {
		r := &res.Items[k]
		row := c.shop.table.Row(r.Item)
		if row == nil {
			continue // deleted while it was being recommended
		}
		it := Item{
			ID: row.ID, Number: r.Item, Score: r.Score, Propensity: r.Propensity,
			Sources: r.Sources, Slot: slotKinds[r.Fill],
		}
		if tells {
			it.Probability, it.Calibrated = calibrated.Probability(r.Score), true
		}
		if explain {
			c.reasons = c.gen.pipeline.Reasons(req, res, k, c.reasons[:0])
			it.Reasons = c.shop.reasons(c.reasons)
		}
		list.Items = append(list.Items, it)
	}
	return list
}

// why says why the answer is of its tier, and which items of the page it ignores.
func (c *call) why() string {
	why := c.response.Reason.String()
	for _, id := range c.unknown {
		why += fmt.Sprintf("; context item %.40q is not known", id)
	}
	return why
}

// nothing says why a list is empty.
func (c *call) nothing(req *ranker.Request) string {
	switch {
	case c.shop.table.Count() == 0:
		return "; the catalog is empty"
	case req.Match != nil:
		return "; no item that may be shown passes the filter"
	}
	return "; no item may be shown: all are hidden, out of stock, outside their dates, seen or excluded"
}

// reasons converts the ranker's reasons.
func (s *Shop) reasons(from []ranker.Reason) []Reason {
	out := make([]Reason, 0, len(from))
	for _, r := range from {
		reason := Reason{Feature: r.Feature.String(), Contribution: r.Contribution}
		title := ""
		if r.HasBecause {
			if row := s.table.Row(r.Because); row != nil {
				reason.Because, title = row.ID, row.Title
			}
		}
		reason.Text = r.Text(title)
		out = append(out, reason)
	}
	return out
}

// finish closes the reply's account.
func (c *call) finish() Info {
	c.info.Times.Total = time.Since(c.begin).Microseconds()
	return c.info
}

// decide hands what was shown in one row to the decision log, and counts it. The first row
// goes by the reply's id; further ones add their number to it.
func (c *call) decide(kind record.DecisionKind, row int, surface string, context []string) {
	mark := time.Now()
	res := &c.response
	d := c.shop.decisions.take()
	*d = record.Decision{
		ID: rowID(c.info.RecommendationID, row), Time: c.begin, UserNumber: c.person.number, Surface: surface, Context: context,
		Policy: c.made.policy.id, Generation: c.info.Generation, Seed: c.info.Seed, Tier: res.Tier.String(),
		Profile: c.info.Profile, Candidates: int32(res.Candidates),
		Items: d.Items[:0], Losers: d.Losers[:0],
		Kind: kind, Assignment: c.made.assignment, Filter: c.made.filter, Limit: int32(c.made.limit), Ranked: int32(c.made.ranked), Seen: seenNames[c.made.seen],
		Diversity: c.made.diversity, Exclude: append(d.Exclude[:0], c.exclude[:c.asked]...), AsOf: c.asOf, Applied: c.applied,
		Degraded: uint8(c.degrade),
	}
	if c.again != nil && c.again.logged.Load() {
		d.Again = c.again.id
	} else {
		d.Items, d.Losers, d.FeatureNames = shown(d.Items, res.Items), shown(d.Losers, res.Losers), featureNames
	}
	if !c.now.Equal(c.begin) {
		d.Clock = c.now
	}
	c.log(d, row, len(res.Items), func(i int) uint32 { return res.Items[i].Item })
	c.info.Times.Log += time.Since(mark).Microseconds()
}

// rowID is the recommendation id of a row.
func rowID(id string, row int) string {
	if row == 0 {
		return id
	}
	return fmt.Sprintf("%s.%d", id, row)
}

// log hands a decision over and counts the n items that it shows, which it need not hold.
func (c *call) log(d *record.Decision, row, n int, item func(i int) uint32) {
	if !c.asOf {
		c.shop.expose(n, item, c.now)
	}
	if o := c.shop.config.Outcomes; o != nil && !c.asOf && d.Kind != record.DecisionBulk {
		o.Served(c.shop.tenant, d.ID, d.Policy, c.begin)
	}
	logged := c.shop.decisions.put(d, c.first)
	c.info.Logged = logged && (row == 0 || c.info.Logged)
}

// seenNames and slotKinds hold what records call the ranker's values.
var (
	seenNames = [...]string{
		ranker.Keep: record.SeenKeep, ranker.HidePurchased: record.SeenHidePurchased, ranker.HideInteracted: record.SeenHideInteracted,
	}
	slotKinds = [...]record.SlotKind{
		rerank.ByRank: record.SlotScore, rerank.Drawn: record.SlotExplored, rerank.Pinned: record.SlotPinned,
		rerank.Reserved: record.SlotReserved, rerank.NewItem: record.SlotNewItem,
	}
)

// shown copies what was ranked into dst, whose memory it reuses.
func shown(dst []record.Shown, from []ranker.Ranked) []record.Shown {
	dst = slices.Grow(dst[:0], len(from))[:len(from)]
	for i := range from {
		r := &from[i]
		dst[i] = record.Shown{
			Item: r.Item, Score: float32(r.Score), Propensity: float32(r.Propensity),
			Features: append(dst[i].Features[:0], r.Features[:]...), Slot: slotKinds[r.Fill],
		}
	}
	return dst
}

// featureNames are the columns of a decision's features.
var featureNames = func() []string {
	names := make([]string, ranker.FeatureCount)
	for f := range ranker.FeatureCount {
		names[f] = f.String()
	}
	return names
}()
