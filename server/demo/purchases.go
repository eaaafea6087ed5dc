package demo

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// buy puts an item into the cart and perhaps pays. What goes with it is looked for now or later.
func (v *visitor) buy(g *good) {
	v.emit(kindredv1.EventType_EVENT_TYPE_ADD_TO_CART, g, "product")
	if v.user == "" || !v.chance(pPurchase) {
		return
	}
	e := v.emit(kindredv1.EventType_EVENT_TYPE_PURCHASE, g, "cart")
	e.Value = proto.Float64(1)
	bought := v.clock
	if g.shelf.usedUp {
		v.owned = append(v.owned, owned{g, bought})
	}
	for i := range g.shelf.then {
		w := v.next(g, i)
		switch {
		case i == 0 && v.chance(pThenNow):
			v.browse(w)
		case v.chance(pThenLater):
			v.wants = append(v.wants, w)
		}
	}
	if v.chance(pRate) {
		v.rate(g, bought)
	}
}

// next is the i-th thing that goes with an item.
func (v *visitor) next(g *good, i int) want {
	w := want{shelf: g.shelf.then[i]}
	if v.stock.shelves[w.shelf].allMake {
		w.brand = g.item.GetBrand()
	}
	if at := slices.IndexFunc(g.shelf.fits, func(f fit) bool { return strings.Contains(g.item.GetTitle(), f.title) }); i == 0 && at >= 0 {
		w.word = g.shelf.fits[at].next
	}
	return w
}

// rate is an opinion two to nine days after the purchase.
func (v *visitor) rate(g *good, bought time.Time) {
	back := v.clock
	v.clock = bought.Add(time.Duration(48+v.rng.IntN(168)) * time.Hour)
	stars := 1 + v.pick(5, func(i int) float64 { return []float64{1, 1, 3, 8, 12}[i] })
	e := v.emit(kindredv1.EventType_EVENT_TYPE_RATING, g, "product")
	e.Value, e.SessionId = proto.Float64(float64(stars)), ""
	if v.chance(pComment) {
		c := v.emit(kindredv1.EventType_EVENT_TYPE_COMMENT, g, "product")
		c.Text, c.SessionId = opinions[stars-1][v.rng.IntN(len(opinions[stars-1]))], ""
	}
	v.clock = back
}

// opinions by stars, from one.
var opinions = [5][]string{
	{"Broke within a week. It went back.", "Not what the description says."},
	{"Smaller than I thought, and rather loud in colour.", "Works, but I would not buy it again."},
	{"Fine for the price.", "Does its work. The box was larger than needed."},
	{"Good, and here after two days.", "Just as described. I like it.", "Solid. I would have liked another colour."},
	{"Exactly what I was looking for.", "My second one, the first is with my sister now.", "Better than I hoped, and well packed.", "I use it every day."},
}
