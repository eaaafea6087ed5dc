package simulate

import (
	"math"
	"slices"
	"time"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// customer is a user in one copy of the world: what depends on what was shown there.
type customer struct {
	items, products []int32 // bought, the item and its product
	satisfaction    float64 // 0 to 1, a running mean of visits that ended with a click
	left            bool    // for good
}

const (
	satisfactionAtStart = 0.5
	satisfactionStep    = 0.2
	browsedItems        = 24
	ratingShare         = 0.4
	commentShare        = 0.25 // of those who rate
	cartShare           = 0.4  // of those who click and do not buy, at the same interest
)

// Shown is what a policy answers to a visit.
type Shown struct {
	Items []int  // numbers, best first, at most World.Limit
	ID    string // of the reply; may be empty
}

// outcome is what became of a visit.
type outcome struct {
	acts      []Act
	clicks    int // on the list
	purchases int // from the list
	revenue   int64
}

// scene lets visits happen. Not safe for concurrent use.
type scene struct {
	*World
	goods   goods
	surface string
	slots   []int
}

// visit lets a customer read a list, click, buy, say what they think, and look around. All chance hangs on the visit and the
// item or slot, not on what else is shown: the same item in the same visit is liked in all copies of the world or in none.
func (s *scene) visit(v Visit, m *mood, c *customer, shown Shown) outcome {
	var out outcome
	at := v.Time
	act := func(kind string, item, slot int) *Act {
		a := newAct(v, len(out.acts), kind, item, at)
		a.Surface, a.Position = s.surface, slot+1
		if slot < 0 {
			a.Surface = ""
		} else {
			a.RecommendationID = shown.ID
		}
		out.acts = append(out.acts, a)
		at = at.Add(time.Second)
		return &out.acts[len(out.acts)-1]
	}
	for k, item := range shown.Items {
		act(dataset.TypeImpression, item, k)
	}
	s.slots = s.Clicks.read(len(shown.Items), func(k int) float64 { return s.chance(forLook, v, k) }, func(k int) bool {
		g, product := s.goods.at(shown.Items[k])
		click, _ := m.chances(g, slices.Contains(c.products, product))
		return s.chance(forAttraction, v, shown.Items[k]) < click
	}, s.slots[:0])
	for _, k := range s.slots {
		act(dataset.TypeClick, shown.Items[k], k)
		out.clicks++
		if cents := s.after(v, m, c, shown.Items[k], k, act); cents > 0 {
			out.purchases++
			out.revenue += cents
		}
	}
	if item, ok := s.browse(v, m, c); ok {
		act(dataset.TypeView, item, -1)
		s.after(v, m, c, item, -1, act)
	}
	return out
}

func (s *scene) chance(p purpose, v Visit, thing int) float64 {
	d := keyed(s.Seed, p, v.key(), uint64(thing))
	return d.unit()
}

// after is what follows a click or a view: a cart, a purchase, an opinion. It gives the cents paid; 0: nothing was bought.
func (s *scene) after(v Visit, m *mood, c *customer, item, slot int, act func(string, int, int) *Act) int64 {
	g, product := s.goods.at(item)
	_, purchase := m.chances(g, false)
	d := keyed(s.Seed, forPurchase, v.key(), uint64(item))
	buys := d.unit() < purchase && !slices.Contains(c.products, product)
	if buys || !m.isABot && d.unit() < cartShare*purchase {
		act(dataset.TypeAddToCart, item, slot)
	}
	if !buys {
		return 0
	}
	bought := act(dataset.TypePurchase, item, slot)
	bought.Value, bought.HasValue = 1, true
	c.items, c.products = append(c.items, int32(item)), append(c.products, product)
	cents, liking := g.cents, m.liking(g)
	s.opinion(v, liking, item, slot, act)
	return cents
}

// opinion: some rate what they bought, and some of those write a comment that agrees with the rating.
func (s *scene) opinion(v Visit, liking float64, item, slot int, act func(string, int, int) *Act) {
	d := keyed(s.Seed, forOpinion, v.key(), uint64(item))
	if d.unit() >= ratingShare {
		return
	}
	stars := int(min(5, max(1, math.Round(3.2+liking+0.4*d.normal()))))
	rating := act(dataset.TypeRating, item, slot)
	rating.Value, rating.HasValue = float64(stars), true
	if d.unit() < commentShare {
		act(dataset.TypeComment, item, slot).Text = comment(s.Item(item), stars, &d)
	}
}

// browse: some look at the best of a few items that the list has no part in.
func (s *scene) browse(v Visit, m *mood, c *customer) (item int, ok bool) {
	d := keyed(s.Seed, forBrowsing, v.key(), 0)
	if d.unit() >= s.Browsing || m.isABot {
		return 0, false
	}
	best := math.Inf(-1)
	for range browsedItems {
		n := d.below(s.OnShelf(v.Day))
		g, product := s.goods.at(n)
		if odds := m.clickOdds(g, m.affinity(g)); odds > best && !slices.Contains(c.products, product) {
			best, item, ok = odds, n, true
		}
	}
	return item, ok
}

// settle lets a visit count for how content a customer is. Who is not may leave.
func (s *scene) settle(v Visit, c *customer, clicks int) {
	c.satisfaction *= 1 - satisfactionStep
	if clicks > 0 {
		c.satisfaction += satisfactionStep
	}
	gap := 1 - c.satisfaction
	c.left = s.chance(forLeaving, v, 0) < s.Leaving*gap*gap
}
