package ranker

import (
	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/rerank"
)

// Verdict says where an item ended up.
type Verdict uint8

const (
	// Shown: in the reply, at Rank.
	Shown Verdict = iota + 1
	// RankedBelow: ranked, past the limit.
	RankedBelow
	// NotRetrieved: no source proposed it.
	NotRetrieved
	// NotInCatalog: there is no such item.
	NotInCatalog
	// HiddenItem: the merchant hid it.
	HiddenItem
	// OutOfStock: its stock is 0.
	OutOfStock
	// Unavailable: outside its dates.
	Unavailable
	// Filtered: refused by Allow or Match.
	Filtered
	// Seen: by the seen policy, or hidden by the user.
	Seen
	// Excluded: named in Exclude, or a context item.
	Excluded
	// ExcludedByRule: by a rule of the policy.
	ExcludedByRule
	// DailyCapReached: it was shown today as often as a rule allows.
	DailyCapReached
	// OverCap: it would be shown, were it not for a cap.
	OverCap
	// AnotherVariant: another variant of the product stands in the list.
	AnotherVariant
	// LostDraw: it would be shown, were nothing left to chance.
	LostDraw
	// PushedByDiversity: it would be shown, were it not for variety.
	PushedByDiversity
	// PushedByRule: it would be shown, were it not for boosts, burials, pins or reserved
	// shares.
	PushedByRule
	// PushedByFatigue: it would be shown, had the user not passed it over.
	PushedByFatigue
)

var verdictTexts = [...]string{"", "shown", "ranked below the limit", "no source proposed it", "not in the catalog", "hidden by the merchant",
	"out of stock", "outside its dates", "refused by the filter", "seen by the user before, or hidden by them", "excluded by the request, or an item of the page",
	"excluded by a rule", "shown today as often as a rule allows", "kept out by a cap", "another variant of it is shown", "lost the draw",
	"pushed down by diversity", "pushed down by rules", "passed over by the user before"}

// String is the verdict in words.
func (v Verdict) String() string {
	if int(v) < len(verdictTexts) {
		return verdictTexts[v]
	}
	return "unknown"
}

// ranked reports whether the item had a score.
func (v Verdict) ranked() bool { return v == Shown || v == RankedBelow || v >= OverCap }

// verdict of an item without what the policy did to its place.
func (r *run) verdict(item uint32) Verdict {
	row := r.world.Catalog.Row(item)
	switch {
	case row == nil || !r.known(item):
		return NotInCatalog
	case r.at(item).candidate >= 0:
		if r.at(item).mark&returned != 0 {
			return Shown
		}
		return RankedBelow
	case r.at(item).mark&excluded != 0:
		return Excluded
	}
	switch row.Withheld(r.req.Now) {
	case catalog.Hidden:
		return HiddenItem
	case catalog.OutOfStock:
		return OutOfStock
	case catalog.NotYetAvailable, catalog.NoLongerAvailable:
		return Unavailable
	}
	switch {
	case !r.allowed(item) || r.req.Match != nil && !r.req.Match.Match(row):
		return Filtered
	case r.at(item).mark&seen != 0:
		return Seen
	}
	if rule := r.excludedBy(row); rule >= 0 {
		if r.req.Policy.Rules[rule].Action == rerank.CapPerDay {
			return DailyCapReached
		}
		return ExcludedByRule
	}
	return NotRetrieved
}

// parts of a policy, each with what it is to an item that it kept out. Where several kept
// it out, each by itself, the first counts.
var parts = [...]struct {
	part    rerank.Part
	verdict Verdict
}{
	{rerank.Limits, OverCap},
	{rerank.Chance | rerank.NewFloor, LostDraw},
	{rerank.Variety, PushedByDiversity},
	{rerank.Tiredness, PushedByFatigue},
	{rerank.Burials, PushedByRule},
	{rerank.Boosts, PushedByRule},
	{rerank.Pins, PushedByRule},
	{rerank.Reserves, PushedByRule},
	{rerank.Boosts | rerank.Burials | rerank.Pins | rerank.Reserves, PushedByRule},
}

// arranged reports whether the engine made the list.
func (r *run) arranged() bool { return r.req.Policy != nil || r.req.Diversity > 0 }

// whatIf finds, for the explanations of items that were ranked and not shown, the part of
// the policy without which they would be: the list is made again without each. The last
// list is lost.
func (r *run) whatIf(out []Explanation) {
	if !r.arranged() {
		return
	}
	a := &r.arranging
	for _, p := range parts {
		open := false
		for i := range out {
			open = open || out[i].Verdict == RankedBelow
		}
		if !open || !r.active(p.part) {
			continue
		}
		a.input.Without = p.part | rerank.Exclusions
		a.engine.Rerank(&a.input, &a.list)
		for i := range out {
			if out[i].Verdict == RankedBelow && a.list.Has(out[i].Item) {
				out[i].Verdict = p.verdict
			}
		}
	}
}

// active reports whether the policy has such a part at all.
func (r *run) active(part rerank.Part) bool {
	p := r.arranging.input.Policy
	switch part {
	case rerank.Limits:
		return len(p.Caps) > 0
	case rerank.Chance | rerank.NewFloor:
		return p.Explore.Temperature > 0 || p.NewItems.Share > 0
	case rerank.Variety:
		return r.arranging.input.Diversity > 0
	case rerank.Tiredness:
		return p.Fatigue.Weight > 0
	}
	return len(p.Rules) > 0
}
