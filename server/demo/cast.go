package demo

import (
	"cmp"
	"slices"
	"strings"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// step is one thing that somebody in the story does.
type step struct {
	kind kindredv1.EventType
	item *kindredv1.Item
}

// words is the step as the story prints it.
func (s step) words() string {
	switch s.kind {
	case kindredv1.EventType_EVENT_TYPE_ADD_TO_CART:
		return "puts into the cart"
	case kindredv1.EventType_EVENT_TYPE_LIKE:
		return "likes"
	case kindredv1.EventType_EVENT_TYPE_CLICK:
		return "clicks on"
	case kindredv1.EventType_EVENT_TYPE_PURCHASE:
		return "buys"
	}
	return "looks at"
}

// regular is the user of the story who is known best: the one with the most purchases among those who never had to do with
// the department `fresh`, so that a new interest is one. nil: there is none.
func (s *Shop) regular(fresh string) *User {
	department := map[string]string{}
	for _, item := range s.Items {
		department[item.GetId()] = departmentOf(item)
	}
	bought, touched := map[string]int{}, map[string]bool{}
	for _, e := range s.Events {
		if e.GetType() == kindredv1.EventType_EVENT_TYPE_PURCHASE {
			bought[e.GetUserId()]++
		}
		if department[e.GetItemId()] == fresh {
			touched[e.GetUserId()] = true
		}
	}
	var best *User
	for i := range s.Users {
		u := &s.Users[i]
		if !touched[u.ID] && (best == nil || bought[u.ID] > bought[best.ID]) {
			best = u
		}
	}
	return best
}

// lately is what a user bought last, at most n items, and the item they looked at last, if it is another.
func (s *Shop) lately(user string, n int) []step {
	items := map[string]*kindredv1.Item{}
	for _, item := range s.Items {
		items[item.GetId()] = item
	}
	told := map[string]bool{}
	last := func(kind kindredv1.EventType, n int) (steps []step) {
		for _, e := range slices.Backward(s.Events) {
			if len(steps) < n && e.GetUserId() == user && e.GetType() == kind && !told[e.GetItemId()] {
				told[e.GetItemId()] = true
				steps = append(steps, step{kind, items[e.GetItemId()]})
			}
		}
		return steps
	}
	return append(last(kindredv1.EventType_EVENT_TYPE_PURCHASE, n), last(kindredv1.EventType_EVENT_TYPE_VIEW, 1)...)
}

// pickItem is the k-th product of a shelf, the most viewed first, in its most viewed variant that is in stock. Every shelf
// has at least four products.
func (s *Shop) pickItem(shelf string, k int) *kindredv1.Item {
	views := map[string]int{}
	for _, e := range s.Events {
		views[e.GetItemId()]++
	}
	var items []*kindredv1.Item
	for _, item := range s.Items {
		if shelfOf(item) == shelf && (item.Stock == nil || item.GetStock() > 0) {
			items = append(items, item)
		}
	}
	slices.SortStableFunc(items, func(a, b *kindredv1.Item) int { return views[b.GetId()] - views[a.GetId()] })
	groups := map[string]bool{}
	for _, item := range items {
		group := cmp.Or(item.GetVariantGroup(), item.GetId())
		if groups[group] {
			continue
		}
		groups[group] = true
		if k--; k < 0 {
			return item
		}
	}
	return nil
}

// anchor is the item, of those that are bought once, whose buyers most often bought also what goes with it, outside of one
// department; nil: nobody did.
func (s *Shop) anchor(outside string) *kindredv1.Item {
	items := map[string]*kindredv1.Item{}
	for _, item := range s.Items {
		items[item.GetId()] = item
	}
	bought := map[string][]*kindredv1.Item{} // by user, in order
	together := map[string]int{}
	for _, e := range s.Events {
		if e.GetType() != kindredv1.EventType_EVENT_TYPE_PURCHASE {
			continue
		}
		item := items[e.GetItemId()]
		for _, first := range bought[e.GetUserId()] {
			s := shelfNamed(shelfOf(first))
			if departmentOf(first) != outside && !s.usedUp && slices.Contains(s.then, shelfOf(item)) {
				together[first.GetId()]++
			}
		}
		bought[e.GetUserId()] = append(bought[e.GetUserId()], item)
	}
	var best *kindredv1.Item
	for _, item := range s.Items {
		if n := together[item.GetId()]; n > 0 && (best == nil || n > together[best.GetId()]) {
			best = item
		}
	}
	return best
}

// shelfNamed finds a shelf of the assortment; nil: there is none of that name.
func shelfNamed(name string) *shelf {
	for _, d := range departments {
		for i := range d.shelves {
			if d.shelves[i].name == name {
				return &d.shelves[i]
			}
		}
	}
	return nil
}

func departmentOf(item *kindredv1.Item) string {
	d, _, _ := strings.Cut(item.GetCategories()[0], " > ")
	return d
}

func shelfOf(item *kindredv1.Item) string {
	_, s, _ := strings.Cut(item.GetCategories()[0], " > ")
	return s
}
