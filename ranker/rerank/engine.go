package rerank

import (
	"math"
	"math/rand/v2"
)

// An Engine makes lists. It is the scratch memory of one list at a time: keep it and use
// it again. The zero value is ready. It is not safe for concurrent use.
type Engine struct {
	in  *Input
	out *List

	ranked []candidate // that may stand, by tier, value and item
	keys   []key       // the same before they are ranked
	order  order
	fates  []int32 // of each of Input.Candidates: index in ranked, or -1 - rule that excludes it
	placed []int32 // in ranked, in order of slot
	all    lane
	fresh  lane // of new items
	hold   pins
	shares []reserve
	groups groups
	caps   caps

	variety variety
	beliefs beliefs
	ranks   choice // for any slot
	news    choice // for a slot of new items
	pcg     rand.PCG
	rng     *rand.Rand
}

// tier parts candidates: those of one stand before all of the next.
type tier uint8

// A tier is the sum of what is said against a candidate.
const (
	unscored tier = 1 << iota
	filler
	buried
)

type state uint8

const (
	live   state = iota
	parked       // capped for now
	dead         // another variant stands
	held         // pinned to a later slot
	stands
)

// candidate is one that may stand.
type candidate struct {
	value float64
	rules uint64 // that hold and match, bit i for rule i
	item  uint32
	at    int32 // in Input.Candidates
	slot  int32 // where it stands, from 1; 0: nowhere
	tier  tier
	state state
	isNew bool
	known bool // group and counts have been looked up
	group int32
	// counts of its labels, in caps.of
	counts span
}

type span struct{ from, to int32 }

// windowOf is the default of Input.Window.
const windowOf = 200

// Rerank makes the list of an input into out. It never fails: what cannot be met is told
// in out.Conflicts. Nothing of in is kept.
func (e *Engine) Rerank(in *Input, out *List) {
	e.begin(in, out)
	e.admit()
	e.rank()
	e.sortLanes()
	e.pin()
	for slot := 1; slot <= in.Limit; slot++ {
		if !e.fill(slot) {
			break
		}
		e.account(slot)
	}
}

// Release forgets the last input. Call it when the engine comes to rest, after the last
// [Engine.Fate].
func (e *Engine) Release() {
	e.variety.release()
	e.in, e.out = nil, nil
}

func (e *Engine) begin(in *Input, out *List) {
	e.in, e.out = in, out
	out.Slots, out.Conflicts = out.Slots[:0], out.Conflicts[:0]
	e.ranked, e.keys, e.placed = e.ranked[:0], e.keys[:0], e.placed[:0]
	if e.rng == nil {
		e.rng = rand.New(&e.pcg)
	}
	e.pcg.Seed(mix(in.Seed), drawStream)
	e.groups.reset()
	e.groups.on = !in.Policy.KeepVariants && e.has(Variants)
	e.caps.reset(in)
}

// drawStream keeps this use of a seed apart from others.
const drawStream = 0x72657261_6e6b

// mix scatters a seed, so that the draws of seeds that follow one another have nothing in
// common (the finalizer of SplitMix64; Steele et al., 2014).
func mix(seed uint64) uint64 {
	seed += 0x9e3779b97f4a7c15
	seed = (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
	seed = (seed ^ seed>>27) * 0x94d049bb133111eb
	return seed ^ seed>>31
}

func (e *Engine) window() int {
	if e.in.Window > 0 {
		return e.in.Window
	}
	return windowOf
}

func (e *Engine) has(p Part) bool { return e.in.Without&p == 0 }

// temperature of a slot's draw, 0 for none.
func (e *Engine) temperature(slot int) float64 {
	if slot > e.window() || !e.has(Chance) {
		return 0
	}
	return e.in.Policy.Explore.Temperature
}

// share is the chance of a slot to be kept for new items.
func (e *Engine) share(slot int) float64 {
	if slot > e.window() || !e.has(NewFloor) {
		return 0
	}
	return e.in.Policy.NewItems.Share
}

// fill fills a slot; false: nothing is left.
func (e *Engine) fill(slot int) bool {
	e.caps.wake(e, slot)
	if at := e.hold.at(slot); at >= 0 {
		e.place(at, slot, Pinned, e.hold.rule(slot), 1)
		return true
	}
	if e.reserved(slot) {
		return true
	}
	if !e.choose(&e.all, slot, &e.ranks) {
		if e.caps.relax(e) && e.choose(&e.all, slot, &e.ranks) {
			e.open(slot)
			return true
		}
		return e.pullPin(slot)
	}
	e.open(slot)
	return true
}

// open fills a slot that no rule has a claim on, from what ranks holds.
func (e *Engine) open(slot int) {
	share, fill := e.share(slot), ByRank
	if e.temperature(slot) > 0 {
		fill = Drawn
	}
	if share == 0 || !e.choose(&e.fresh, slot, &e.news) {
		at := e.ranks.draw(e.rng)
		e.place(at, slot, fill, -1, e.ranks.chance(at))
		return
	}
	from := &e.ranks
	if e.rng.Float64() < share {
		from, fill = &e.news, NewItem
	}
	at := from.draw(e.rng)
	e.place(at, slot, fill, -1, share*e.news.chance(at)+(1-share)*e.ranks.chance(at))
}

// place puts a candidate into a slot.
func (e *Engine) place(at int32, slot int, fill Fill, rule int, propensity float64) {
	c := &e.ranked[at]
	value, penalty := e.variety.value(e, at, slot)
	e.caps.own(e, c, slot)
	c.state, c.slot = stands, int32(slot)
	if c.group >= 0 {
		e.groups.owner[c.group] = at
	}
	e.placed = append(e.placed, at)
	for i := range e.shares {
		if c.rules&(1<<e.shares[i].rule) != 0 {
			e.shares[i].have++
		}
	}
	e.out.Slots = append(e.out.Slots, Slot{
		At: c.at, Item: c.item, Fill: fill, Rule: int16(rule), Place: at + 1,
		Value: value, Penalty: penalty, Propensity: min(propensity, 1),
	})
}

// choose fills a choice with those of a lane that may stand in a slot, and their weights;
// false: none may.
func (e *Engine) choose(l *lane, slot int, to *choice) bool {
	to.reset()
	temperature := e.temperature(slot)
	byRate := l == &e.fresh && e.in.Policy.NewItems.Method != ByScore
	if temperature == 0 && !byRate {
		if at := e.largest(l, slot); at >= 0 {
			to.add(at, 1)
		}
		return len(to.at) > 0
	}
	most := e.window()
	if byRate {
		most = min(most, mostBelieved)
	}
	e.gather(l, slot, most, to)
	if len(to.at) == 0 {
		return false
	}
	switch {
	case !byRate:
		e.soften(to, slot, temperature)
	case e.in.Policy.NewItems.Method == Thompson:
		e.beliefs.thompson(e, to)
	default:
		e.beliefs.ucb(e, to)
	}
	return true
}

// gather adds the first of a lane that may stand in a slot, at most so many, all of one
// tier and of each group of variants the first.
func (e *Engine) gather(l *lane, slot, most int, to *choice) {
	e.groups.round++
	for w := l.walk(); w.next(e); {
		c := &e.ranked[w.at]
		if len(to.at) == most || len(to.at) > 0 && c.tier != e.ranked[to.at[0]].tier {
			return
		}
		if e.eligible(w.at, slot) && e.groups.first(c.group) {
			to.add(w.at, 0)
		}
	}
}

// largest is the first of a lane with the largest value, -1 for none. Values without the
// cost of diversity only fall along a lane, so that the walk ends early.
func (e *Engine) largest(l *lane, slot int) int32 {
	found, most, looked := int32(-1), 0.0, 0
	e.groups.round++
	for w := l.walk(); w.next(e); {
		c := &e.ranked[w.at]
		if found >= 0 && (looked == e.window() || c.tier != e.ranked[found].tier || e.variety.bound(e, w.at, slot) <= most) {
			break
		}
		if !e.eligible(w.at, slot) || !e.groups.first(c.group) {
			continue
		}
		looked++
		if value, _ := e.variety.value(e, w.at, slot); found < 0 || value > most {
			found, most = w.at, value
		}
	}
	return found
}

// soften weighs a choice by exp(value/temperature).
func (e *Engine) soften(to *choice, slot int, temperature float64) {
	most := math.Inf(-1)
	for i, at := range to.at {
		to.weight[i], _ = e.variety.value(e, at, slot)
		most = max(most, to.weight[i])
	}
	for i, v := range to.weight {
		to.weight[i] = math.Exp((v - most) / temperature)
	}
	to.sum()
}

// eligible reports whether a candidate may stand in a slot, and notes it where it may not
// for longer.
func (e *Engine) eligible(at int32, slot int) bool {
	c := &e.ranked[at]
	e.know(at)
	if c.group >= 0 && e.groups.owner[c.group] >= 0 {
		c.state = dead
		return false
	}
	if e.caps.over(c, slot) >= 0 {
		c.state = parked
		return false
	}
	return true
}

// know looks up the group and the labels of a candidate.
func (e *Engine) know(at int32) {
	c := &e.ranked[at]
	if c.known {
		return
	}
	c.known, c.group = true, -1
	if !e.groups.on && len(e.caps.list) == 0 || e.in.Rows == nil {
		return
	}
	row := e.in.Rows.Row(c.item)
	if row == nil {
		return
	}
	if e.groups.on && row.Group != 0 {
		c.group = e.groups.number(row.Group)
	}
	c.counts = e.caps.labels(row)
}
