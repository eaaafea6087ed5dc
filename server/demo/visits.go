package demo

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// visitor is one user, or one anonymous session, walking through the simulated weeks.
type visitor struct {
	rng   *rand.Rand
	stock *assortment
	end   time.Time // nothing happens after it

	user    string // empty: anonymous
	who     *User  // nil: anonymous, without a taste
	session string
	visits  int
	clock   time.Time

	wants []want  // what goes with earlier purchases, oldest first
	owned []owned // what is used up
	log   []*kindredv1.Event
	name  string // the stem of event ids
}

// want is a shelf to visit soon, and what fits there: a brand, and a word of the title. Empty: all fit.
type want struct{ shelf, brand, word string }

func (w want) fits(item *kindredv1.Item) bool {
	return (w.brand == "" || w.brand == item.GetBrand()) && strings.Contains(item.GetTitle(), w.word)
}

type owned struct {
	good *good
	at   time.Time
}

// Probabilities of a visit. They are made up, in the order of what shops report: some one in ten visits buys.
const (
	pSearch    = 0.25 // a visit begins with a search
	pWant      = 0.6  // a pending want is the aim of the visit
	pRebuy     = 0.35 // something used up is
	pFavourite = 0.85 // a favourite shelf, rather than any of the department
	pLike      = 0.08 // of a viewed item
	pDislike   = 0.015
	pCart      = 0.6  // of the best item viewed
	pPurchase  = 0.8  // of the cart
	pThenNow   = 0.65 // what goes with a purchase is looked for at once
	pThenLater = 0.7  // or at a later visit
	pRate      = 0.3  // of a purchase
	pComment   = 0.3  // of a rating
	fitting    = 60   // how much more what fits is looked at
	rebuyAfter = 9 * 24 * time.Hour
)

// visit is one session that begins at start.
func (v *visitor) visit(start time.Time) {
	v.visits++
	v.clock = start
	if v.user != "" {
		v.session = fmt.Sprintf("%s-s%02d", v.name, v.visits)
	}
	if v.who == nil {
		d := departments[v.rng.IntN(len(departments))]
		v.browse(want{shelf: d.shelves[v.rng.IntN(len(d.shelves))].name})
		return
	}
	if len(v.wants) > 0 && v.chance(pWant) {
		w := v.wants[0]
		v.wants = v.wants[1:]
		v.browse(w)
		return
	}
	if g := v.usedUp(); g != nil && v.chance(pRebuy) {
		v.emit(kindredv1.EventType_EVENT_TYPE_VIEW, g, "home")
		v.buy(g)
		return
	}
	v.browse(want{shelf: v.aim()})
}

// aim is a shelf to the user's taste.
func (v *visitor) aim() string {
	in := v.who.Interests[v.pick(len(v.who.Interests), func(i int) float64 { return v.who.Interests[i].Share })]
	if v.chance(pFavourite) {
		return in.Shelves[v.rng.IntN(len(in.Shelves))]
	}
	at := slices.IndexFunc(departments, func(d department) bool { return d.name == in.Department })
	return departments[at].shelves[v.rng.IntN(len(departments[at].shelves))].name
}

// usedUp is something bought so long ago that it must be empty; nil: nothing.
func (v *visitor) usedUp() *good {
	at := slices.IndexFunc(v.owned, func(o owned) bool { return v.clock.Sub(o.at) > rebuyAfter })
	if at < 0 {
		return nil
	}
	g := v.owned[at].good
	v.owned = slices.Delete(v.owned, at, at+1)
	return g
}

// browse compares a few items of one shelf, and perhaps takes the best.
func (v *visitor) browse(w want) {
	surface := "category"
	if v.chance(pSearch) {
		surface = "search"
		v.append(&kindredv1.Event{Type: kindredv1.EventType_EVENT_TYPE_SEARCH, Text: v.stock.shelves[w.shelf].query, Surface: surface})
	}
	var best *good
	for _, g := range v.compare(w, 1+v.rng.IntN(3)) {
		v.emit(kindredv1.EventType_EVENT_TYPE_VIEW, g, surface)
		switch {
		case v.chance(pLike):
			v.emit(kindredv1.EventType_EVENT_TYPE_LIKE, g, "product")
		case v.chance(pDislike):
			v.emit(kindredv1.EventType_EVENT_TYPE_DISLIKE, g, "product")
			continue
		}
		if best == nil || v.appeal(g, w) > v.appeal(best, w) {
			best = g
		}
	}
	if best != nil && v.chance(pCart) {
		v.buy(best)
	}
}

// compare draws n items of a shelf by their appeal, none twice.
func (v *visitor) compare(w want, n int) []*good {
	left := slices.Clone(v.stock.byShelf[w.shelf])
	var drawn []*good
	for len(drawn) < n && len(left) > 0 {
		at := v.pick(len(left), func(i int) float64 { return v.appeal(left[i], w) })
		drawn = append(drawn, left[at])
		left = slices.Delete(left, at, at+1)
	}
	return drawn
}

// appeal is how much an item draws this visitor: the pull of the item, its price against what is usual on the shelf, and
// whether it fits what was bought before.
func (v *visitor) appeal(g *good, w want) float64 {
	a := g.pull
	if v.who != nil {
		a *= math.Exp(-2 * (v.who.Thrift - 0.5) * math.Log(g.price/v.stock.usual[g.shelf.name]))
	}
	if w.fits(g.item) {
		a *= fitting
	}
	return a
}

// emit records an act on an item and lets some time go by.
func (v *visitor) emit(kind kindredv1.EventType, g *good, surface string) *kindredv1.Event {
	return v.append(&kindredv1.Event{Type: kind, ItemId: g.item.GetId(), Surface: surface})
}

// append gives the event its time, id and actor. What would lie past the end is not kept.
func (v *visitor) append(e *kindredv1.Event) *kindredv1.Event {
	v.clock = v.clock.Add(time.Duration(6+v.rng.IntN(80)) * time.Second)
	e.UserId, e.SessionId, e.Time = v.user, v.session, timestamppb.New(v.clock)
	e.Id = fmt.Sprintf("%s-e%03d", v.name, len(v.log)+1)
	if !v.clock.After(v.end) {
		v.log = append(v.log, e)
	}
	return e
}

func (v *visitor) chance(p float64) bool { return v.rng.Float64() < p }

// pick draws an index by its weight.
func (v *visitor) pick(n int, weight func(int) float64) int {
	sum := 0.0
	for i := range n {
		sum += weight(i)
	}
	x := v.rng.Float64() * sum
	for i := range n {
		if x -= weight(i); x < 0 {
			return i
		}
	}
	return n - 1
}

// starts draws the beginnings of n visits between two times, in order, by day and with room between them.
func starts(rng *rand.Rand, n int, from, to time.Time) []time.Time {
	list := make([]time.Time, n)
	for i := range list {
		t := from.Add(time.Duration(rng.Int64N(int64(to.Sub(from)))))
		if morning := t.Add(7 * time.Hour); t.Hour() < 7 && morning.Before(to) {
			t = morning
		}
		list[i] = t
	}
	slices.SortFunc(list, func(a, b time.Time) int { return a.Compare(b) })
	return slices.CompactFunc(list, func(a, b time.Time) bool { return b.Sub(a).Abs() < time.Hour })
}

func byTime(a, b *kindredv1.Event) int {
	return cmp.Or(a.GetTime().AsTime().Compare(b.GetTime().AsTime()), cmp.Compare(a.GetId(), b.GetId()))
}
