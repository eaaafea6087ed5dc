package simulate

import (
	"cmp"
	"math"
	"slices"
)

// oracle finds the best list of all that can be shown, by the truth. Not safe for concurrent use.
//
// Under the position-based model a list is worth the sum of click × reward over its slots, weighted by how often slots are looked at, and
// the best is the items of the largest products in falling order (the rearrangement inequality).
//
// Under the cascade, a list that begins with an item of value v = click × reward, after which reading goes on with probability
// s, is worth v + s × (the rest). Exchanging two neighbours shows that the best order of any set falls in v/(1-s), so that a
// dynamic program over the items in that order, with the slots left as its state, finds the best set: items × slots steps.
// All is exact over all items; no candidates are left out but those whose click probability alone is too small.
type oracle struct {
	*shelves
	best  []option // a heap of at most limit items, the least on top
	all   []option // of cascade
	takes []uint64 // of cascade: for each item in order, a bit for each number of slots left
	list  []int
}

// option is an item that can be shown.
type option struct {
	item  int
	value float64 // click × reward
	goes  float64 // of cascade: probability to read on
}

func newOracle(s *shelves) *oracle { return &oracle{shelves: s} }

// show gives the numbers of the best list for a mood on a day, given the products that the user has. It is lent until the next
// call.
func (o *oracle) show(m *mood, has []int32, day int) []int {
	if o.Clicks.Model == ModelCascade {
		return o.cascade(m, has, day)
	}
	return o.position(m, has, day)
}

// worse says whether a stands behind b; among equals the lower number leads.
func worse(a, b option) bool {
	return a.value < b.value || a.value == b.value && a.item > b.item
}

func (o *oracle) position(m *mood, has []int32, day int) []int {
	o.best = o.best[:0]
	bound := math.Inf(-1) // log odds of a click below which no item can be among the best, since a reward is at most 1
	for i := range o.OnShelf(day) {
		g := &o.goods[i]
		affinity := m.affinity(g)
		odds := m.clickOdds(g, affinity)
		if odds < bound {
			continue
		}
		click, purchase := m.chances(g, slices.Contains(has, o.products[i]))
		c := option{item: i, value: click * o.Goal.reward(purchase)}
		switch {
		case len(o.best) < o.Limit:
			o.best = append(o.best, c)
			if len(o.best) == o.Limit {
				slices.SortFunc(o.best, o.fallingOrder) // kept in order: the limit is small
			}
		case worse(o.best[len(o.best)-1], c):
			o.insert(c)
		default:
			continue
		}
		if len(o.best) == o.Limit {
			if least := o.best[o.Limit-1].value; least > 0 && least < 1 {
				bound = math.Log(least/(1-least)) - 1e-9 // a little lower: rounding must not lose an equal
			}
		}
	}
	slices.SortFunc(o.best, o.fallingOrder)
	o.list = o.list[:0]
	for _, c := range o.best {
		o.list = append(o.list, c.item)
	}
	return o.list
}

func (o *oracle) fallingOrder(a, b option) int {
	return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(a.item, b.item))
}

// insert puts an option in its place and drops the least.
func (o *oracle) insert(c option) {
	k := len(o.best) - 1
	for ; k > 0 && worse(o.best[k-1], c); k-- {
		o.best[k] = o.best[k-1]
	}
	o.best[k] = c
}

func (o *oracle) cascade(m *mood, has []int32, day int) []int {
	o.all = o.all[:0]
	for i := range o.OnShelf(day) {
		click, purchase := m.chances(&o.goods[i], slices.Contains(has, o.products[i]))
		o.all = append(o.all, option{i, click * o.Goal.reward(purchase), o.Clicks.goesOn(click)})
	}
	slices.SortFunc(o.all, func(a, b option) int {
		return cmp.Or(cmp.Compare(b.value*(1-a.goes), a.value*(1-b.goes)), cmp.Compare(a.item, b.item))
	})
	o.takes = append(o.takes[:0], make([]uint64, len(o.all))...)
	var worth [maxLimit + 1]float64 // of the best list of at most k of the items from i on
	for i := len(o.all) - 1; i >= 0; i-- {
		c := o.all[i]
		for k := o.Limit; k > 0; k-- {
			if with := c.value + c.goes*worth[k-1]; with > worth[k] {
				worth[k] = with
				o.takes[i] |= 1 << k
			}
		}
	}
	o.list = o.list[:0]
	for i, left := 0, o.Limit; i < len(o.all) && left > 0; i++ {
		if o.takes[i]>>left&1 == 1 {
			o.list = append(o.list, o.all[i].item)
			left--
		}
	}
	return o.list
}
