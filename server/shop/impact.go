package shop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/catalog"
)

// MaxImpactUsers bounds Replacement.ImpactUsers.
const MaxImpactUsers = 1000

// Impact tells what a change of the catalog does to the first ten items of some users.
// Items that come new are not ranked: they have no vector and no counts yet, so that what
// enters are items that move up.
type Impact struct {
	Users   int // looked at
	Changed int // of them, whose list changes
	// Leaving and Entering are items by the number of lists that they leave and enter, the
	// most first, at most SampledIDs. LeavingPlaces is how many places are lost in all.
	Leaving, Entering []ItemCount
	LeavingPlaces     int
}

// ItemCount is an item and a number.
type ItemCount struct {
	ID    string
	Count int
}

// without lets pass no item of a set.
type without struct {
	inner ranker.Matcher // nil: all pass
	gone  map[uint32]struct{}
}

// Match implements ranker.Matcher.
func (m without) Match(row *catalog.Row) bool {
	if _, gone := m.gone[row.Number]; gone {
		return false
	}
	return m.inner == nil || m.inner.Match(row)
}

// impact ranks for a drawn sample of those who acted last, with and without items. It
// serves, logs and counts nothing, and yields to every request.
func (s *Shop) impact(ctx context.Context, gone map[uint32]struct{}, users int, seed uint64) (*Impact, error) {
	head := s.log.Head().Seq
	persons, err := s.lateActors(ctx, head-min(head, evaluationWindow), head)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(max(1, seed), 0))
	r.Shuffle(len(persons), func(i, j int) { persons[i], persons[j] = persons[j], persons[i] })
	out := &Impact{}
	leaving, entering := map[uint32]int{}, map[uint32]int{}
	for _, number := range persons {
		if out.Users == users {
			break
		}
		user, session, known := s.log.Name(number)
		if !known {
			continue
		}
		if err := s.yield(ctx); err != nil {
			return nil, err
		}
		before, after, err := s.topTen(Subject{User: user, Session: session}, gone, max(1, seed))
		if err != nil {
			return nil, err
		}
		out.Users++
		if !slices.Equal(before, after) {
			out.Changed++
		}
		out.LeavingPlaces += tellApart(before, after, leaving)
		tellApart(after, before, entering)
	}
	out.Leaving, out.Entering = s.mostOften(leaving), s.mostOften(entering)
	return out, nil
}

// tellApart counts what a has and b does not.
func tellApart(a, b []uint32, into map[uint32]int) (n int) {
	for _, item := range a {
		if !slices.Contains(b, item) {
			into[item]++
			n++
		}
	}
	return n
}

// topTen ranks for a subject with and without items.
func (s *Shop) topTen(who Subject, gone map[uint32]struct{}, seed uint64) (before, after []uint32, err error) {
	c := s.openIdle(who, seed)
	defer c.close()
	req, err := c.request(&Row{Limit: listLength, Diversity: -1})
	if err != nil {
		return nil, nil, err
	}
	req.Losers = 0
	var res ranker.Response
	rank := func() ([]uint32, error) {
		if err := c.gen.pipeline.Recommend(&req, &res); err != nil {
			return nil, fmt.Errorf("ranking: %w", err)
		}
		return itemsOf(res.Items), nil
	}
	if before, err = rank(); err != nil {
		return nil, nil, err
	}
	req.Match = without{req.Match, gone}
	after, err = rank()
	return before, after, err
}

func itemsOf(list []ranker.Ranked) []uint32 {
	items := make([]uint32, len(list))
	for i := range list {
		items[i] = list[i].Item
	}
	return items
}

// mostOften returns the items with the largest counts, at most SampledIDs; ties by id.
func (s *Shop) mostOften(counts map[uint32]int) []ItemCount {
	list := make([]ItemCount, 0, len(counts))
	for item, n := range counts {
		list = append(list, ItemCount{s.ItemID(item), n})
	}
	slices.SortFunc(list, func(a, b ItemCount) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return list[:min(SampledIDs, len(list))]
}
