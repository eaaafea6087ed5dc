package rerank

import (
	"cmp"
	"math"
	"slices"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// A key is what a candidate is ranked by.
type key struct {
	value float64
	rules uint64
	item  uint32
	at    int32
	tier  tier
	isNew bool
}

// compare orders by tier, the larger value, and the smaller item.
func compare(a, b *key) int {
	switch {
	case a.tier != b.tier:
		return cmp.Compare(a.tier, b.tier)
	case a.value > b.value:
		return -1
	case a.value < b.value:
		return 1
	}
	return cmp.Compare(a.item, b.item)
}

// farthest is how far from 0 a score may lie to count as one.
const farthest = 1e100

// admit leaves out what is excluded and gives the others their values.
func (e *Engine) admit() {
	in, p := e.in, e.in.Policy
	holding := p.holding(in.Now, in.Without)
	e.fates = slices.Grow(e.fates[:0], len(in.Candidates))[:len(in.Candidates)]
	watched := in.Rows != nil && (holding != 0 || p.NewItems.Share > 0)
	for i := range in.Candidates {
		c := &in.Candidates[i]
		k := key{item: c.Item, at: int32(i)}
		if watched {
			if row := in.Rows.Row(c.Item); row != nil {
				k.rules = p.matches(row, holding)
				k.isNew = p.NewItems.Share > 0 && e.isNew(row)
			}
		}
		if rule := e.excludedBy(&k); rule >= 0 {
			e.fates[i] = int32(-1 - rule)
			continue
		}
		e.evaluate(&k, c)
		e.keys = append(e.keys, k)
	}
}

// holding are the rules that hold now and are not left out, bit i for rule i.
func (p *Policy) holding(now int64, without Part) (rules uint64) {
	parts := [actionEnd]Part{Exclude: Exclusions, CapPerDay: Exclusions, Pin: Pins, Reserve: Reserves, Boost: Boosts, Bury: Burials}
	for i := range p.Rules[:min(len(p.Rules), MaxRules)] {
		r := &p.Rules[i]
		if r.Holds(now) && r.Action < actionEnd && without&parts[r.Action] == 0 {
			rules |= 1 << i
		}
	}
	return rules
}

// matches are those of some rules that match a row.
func (p *Policy) matches(row *catalog.Row, of uint64) (rules uint64) {
	for i := range p.Rules[:min(len(p.Rules), MaxRules)] {
		r := &p.Rules[i]
		if of&(1<<i) != 0 && r.matches(row) {
			rules |= 1 << i
		}
	}
	return rules
}

// Excludes is the first rule by which a row may not be shown at a time (unix
// microseconds), be it excluded or shown as often today as may be; -1: it may. Exposures
// may be nil: nothing was shown.
func (p *Policy) Excludes(row *catalog.Row, exposures Exposures, now int64) int {
	for i := range p.Rules[:min(len(p.Rules), MaxRules)] {
		if r := &p.Rules[i]; (r.Action == Exclude || r.Action == CapPerDay) && r.Holds(now) && r.matches(row) && r.spent(row.Number, exposures, now) {
			return i
		}
	}
	return -1
}

// Excluding reports whether the policy has a rule that may keep an item out.
func (p *Policy) Excluding() bool {
	for i := range p.Rules {
		if a := p.Rules[i].Action; a == Exclude || a == CapPerDay {
			return true
		}
	}
	return false
}

func (r *Rule) matches(row *catalog.Row) bool {
	return (!r.HasItem || r.Item == row.Number) && (r.Match == nil || r.Match.Match(row))
}

// spent reports whether a rule keeps an item out that it matches.
func (r *Rule) spent(item uint32, exposures Exposures, now int64) bool {
	switch {
	case r.Action == Exclude:
		return true
	case r.Action != CapPerDay:
		return false
	case exposures == nil:
		return r.PerDay == 0
	}
	return exposures.Today(item, now) >= int64(r.PerDay)
}

// excludedBy is the first rule that keeps a candidate out, -1 for none.
func (e *Engine) excludedBy(k *key) int {
	if k.rules == 0 {
		return -1
	}
	for i := range e.in.Policy.Rules {
		if r := &e.in.Policy.Rules[i]; k.rules&(1<<i) != 0 && r.spent(k.item, e.in.Exposures, e.in.Now) {
			return i
		}
	}
	return -1
}

// evaluate gives a candidate its tier and its value.
func (e *Engine) evaluate(k *key, c *Candidate) {
	p := e.in.Policy
	if math.Abs(c.Score) <= farthest {
		k.value = c.Score
	} else {
		k.tier = unscored
	}
	if c.Filler {
		k.tier |= filler
	}
	if k.rules != 0 {
		for i := range p.Rules {
			if k.rules&(1<<i) == 0 {
				continue
			}
			switch p.Rules[i].Action {
			case Boost:
				k.value += math.Log(p.Rules[i].Factor)
			case Bury:
				k.tier |= buried
			}
		}
	}
	if p.Fatigue.Weight > 0 && c.Shown > 0 && e.has(Tiredness) {
		k.value -= p.Fatigue.Weight * math.Log1p(c.Shown)
	}
}

// rank brings what was admitted into order.
func (e *Engine) rank() {
	e.ranked = slices.Grow(e.ranked, len(e.keys))
	for i, x := range e.order.of(e.keys) {
		k := &e.keys[x.at]
		e.fates[k.at] = int32(i)
		e.ranked = append(e.ranked, candidate{value: k.value, rules: k.rules, item: k.item, at: k.at, tier: k.tier, isNew: k.isNew, group: -1})
	}
	e.variety.begin(e)
	e.beliefs.begin(e)
}

// isNew reports whether a row is a new item's.
func (e *Engine) isNew(row *catalog.Row) bool {
	n := &e.in.Policy.NewItems
	if n.MaxAge > 0 && row.Created != 0 && e.in.Now-row.Created < n.MaxAge.Microseconds() {
		return true
	}
	if n.MaxImpressions == 0 || e.in.Evidence == nil {
		return false
	}
	_, impressions := e.in.Evidence.Evidence(row.Number)
	return impressions < float64(n.MaxImpressions)
}
