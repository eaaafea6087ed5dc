package shop

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/server/record"
)

// Shift is the places of an item or a label under two policies.
type Shift struct {
	Name        string
	Base, Tried int
}

// shiftsTold bounds each list of shifts: half of them gain, half lose.
const shiftsTold = 20

// exposed counts places by what stands in them, [base, tried].
type exposed struct {
	items, sellers, brands, categories map[uint32]*[2]int
}

func newExposed() exposed {
	return exposed{map[uint32]*[2]int{}, map[uint32]*[2]int{}, map[uint32]*[2]int{}, map[uint32]*[2]int{}}
}

func bump(m map[uint32]*[2]int, key uint32, side int) {
	if m[key] == nil {
		m[key] = new([2]int)
	}
	m[key][side]++
}

// compare books two lists for one request.
func (t *trial) compare(before, after []uint32) {
	t.out.Requests++
	if !slices.Equal(before, after) {
		t.out.Changed++
	}
	for slot, item := range before {
		to := slices.Index(after, item)
		if to < 0 {
			t.out.Displaced++
			continue
		}
		t.out.Both++
		t.out.Moved += max(slot-to, to-slot)
	}
	t.book(before, 0, &t.out.Base)
	t.book(after, 1, &t.out.Tried)
}

// book adds a list to one side.
func (t *trial) book(list []uint32, side int, sum *TrialSide) {
	fresh := t.now().Add(-newAge).UnixMicro()
	var categories []uint32
	for _, item := range list {
		sum.Places++
		bump(t.exposed.items, item, side)
		row := t.table.Row(item)
		if row == nil {
			continue // it was removed while we ranked
		}
		if row.Created >= fresh {
			sum.New++
		}
		if row.Seller != 0 {
			bump(t.exposed.sellers, row.Seller, side)
		}
		if row.Brand != 0 {
			bump(t.exposed.brands, row.Brand, side)
		}
		if row.Category != 0 {
			bump(t.exposed.categories, row.Category, side)
			if !slices.Contains(categories, row.Category) {
				categories = append(categories, row.Category)
			}
		}
	}
	sum.Categories += len(categories)
}

// finish makes the figures of the sums.
func (t *trial) finish() *Trial {
	for _, n := range t.exposed.items {
		t.out.Base.Items += min(1, n[0])
		t.out.Tried.Items += min(1, n[1])
	}
	t.out.Items = shifts(t.exposed.items, t.ItemID)
	t.out.Sellers = shifts(t.exposed.sellers, t.table.Sellers.Text)
	t.out.Brands = shifts(t.exposed.brands, t.table.Brands.Text)
	t.out.Categories = shifts(t.exposed.categories, t.table.Categories.Text)
	t.out.Effect = t.offPolicy.effect()
	return &t.out
}

// shifts returns what gains most and what loses most.
func shifts(counts map[uint32]*[2]int, name func(uint32) string) []Shift {
	var list []Shift
	for key, n := range counts {
		if n[0] != n[1] {
			list = append(list, Shift{strings.Clone(name(key)), n[0], n[1]})
		}
	}
	slices.SortFunc(list, func(a, b Shift) int {
		if d := (b.Tried - b.Base) - (a.Tried - a.Base); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	if len(list) > shiftsTold {
		list = slices.Concat(list[:shiftsTold/2], list[len(list)-shiftsTold/2:])
	}
	return list
}

// TrialEffect is the off-policy estimate of clicks a list.
type TrialEffect struct {
	Refusal       string // why there are no figures; empty: there are
	Lists, Shared int
	Effective     float64
	Logged, Tried float64
	StandardError float64
}

const (
	// fewLists and fewEffective are how many lists that chance had a part in, and how large
	// an effective sample, an estimate takes.
	fewLists     = 100
	fewEffective = 30
	// draws is how many lists of a policy that leaves something to chance stand for its
	// probability of the logged one.
	draws = 8
)

// offPolicy sums up weights and clicks of logged lists.
type offPolicy struct {
	unread           bool // clicks, past the bound
	certain          int  // lists that nothing was left to chance in
	lists, shared    int
	clicks           float64
	weights, rewards []float64 // of shared lists
}

// weigh adds a logged list, by how often the policy makes it too. Its probability under
// the policy is the share of lists, drawn afresh, that are the same: an estimate without
// bias whatever the policy leaves to chance, exact where it leaves nothing.
func (t *trial) weigh(req ranker.Request, d *record.Decision, logged *policy, clicks int) error {
	o, by := &t.offPolicy, 1.0
	for i := range d.Items {
		by *= float64(d.Items[i].Propensity)
	}
	if !(by > 0 && by < 1) {
		o.certain++
		return nil
	}
	times, same := draws, 0
	if t.policy.Temperature == 0 && t.policy.NewItems.Share == 0 {
		times = 1
	}
	for range times {
		list, err := t.rank(req, d, t.policy, logged, max(1, t.rng.Uint64()))
		if err != nil {
			return err
		}
		if slices.EqualFunc(list, d.Items, func(a uint32, b record.Shown) bool { return a == b.Item }) {
			same++
		}
	}
	o.lists++
	o.clicks += float64(clicks)
	if same > 0 {
		o.shared++
		o.weights = append(o.weights, float64(same)/float64(times)/by)
		o.rewards = append(o.rewards, float64(clicks))
	}
	return nil
}

// effect estimates, or says in words why it does not.
func (o *offPolicy) effect() TrialEffect {
	e := TrialEffect{Lists: o.lists, Shared: o.shared}
	var sum, squares, gain float64
	for i, w := range o.weights {
		sum, squares, gain = sum+w, squares+w*w, gain+w*o.rewards[i]
	}
	if squares > 0 {
		e.Effective = sum * sum / squares
	}
	switch {
	case o.unread:
		e.Refusal = fmt.Sprintf("the log has more than %d entries since the first list, and clicks past them were not read: give a later from_time", clicksBound)
		return e
	case o.lists < fewLists:
		e.Refusal = fmt.Sprintf("chance had a part in %d of %d lists, an estimate takes %d: have the policy that serves explore, or draw more requests",
			o.lists, o.lists+o.certain, fewLists)
		return e
	case e.Effective < fewEffective:
		e.Refusal = fmt.Sprintf("the policy makes %d of %d lists that chance gave too, which weigh as much as %.1f, an estimate takes %d: "+
			"shorter lists are shared more often; draw more requests, or run an experiment", o.shared, o.lists, e.Effective, fewEffective)
		return e
	}
	e.Logged, e.Tried = o.clicks/float64(o.lists), gain/sum
	var spread float64
	for i, w := range o.weights {
		spread += w * w * (o.rewards[i] - e.Tried) * (o.rewards[i] - e.Tried)
	}
	e.StandardError = math.Sqrt(spread) / sum
	return e
}
