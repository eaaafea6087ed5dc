package shop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/server/record"
)

// keepList stores the ranked list behind the first page and returns the token of the
// second; "" if there is none. A list that cannot be stored has one page.
func (c *call) keepList(q *RecommendQuery, limit int) string {
	items := c.response.Items
	if len(items) <= limit {
		return ""
	}
	list := record.List{
		ID: c.info.RecommendationID, UserNumber: c.person.number, Time: c.begin,
		Tier: c.response.Tier.String(), Why: c.response.Reason.String(), Generation: c.info.Generation, Seed: c.info.Seed,
		Items: shown(nil, items), FeatureNames: featureNames, Surface: q.Rows[0].Surface, Context: q.Context,
		Policy: c.made.policy.id, Assignment: c.made.assignment, Seen: seenNames[c.made.seen], Diversity: c.made.diversity,
		Profile: c.info.Profile, Applied: c.applied, Clock: c.now,
	}
	if err := c.shop.log.PutList(list); err != nil {
		c.shop.config.Log.Warn("list not kept; the reply has one page", "error", err)
		return ""
	}
	return c.shop.formatPage(page{list: list.ID, offset: limit, filter: c.made.filter}, q.Subject)
}

// Page continues a kept list: what it shows next was decided with the first page, whatever
// policy, generation or profile serves by now. What can no longer be shown drops out and
// is not refilled. Errors: ErrPageToken, ErrOverloaded.
func (s *Shop) Page(ctx context.Context, q *PageQuery) (*Reply, error) {
	at, err := s.parsePage(q.Token, q.Subject)
	if err != nil {
		return nil, err
	}
	list, err := s.log.List(at.list)
	if errors.Is(err, record.ErrNotFound) {
		return nil, fmt.Errorf("%w has expired: lists are kept for ten minutes; ask the first page again", ErrPageToken)
	}
	if err != nil {
		return nil, err
	}
	c, err := s.open(ctx, q.Subject, time.Time{}, Fresh{}, list.Seed)
	if err != nil {
		return nil, err
	}
	defer c.close()
	passes, err := s.filter(at.filter, "")
	if err != nil {
		return nil, err
	}
	from := min(at.offset, len(list.Items))
	until := min(from+q.Limit, len(list.Items))
	items := slices.DeleteFunc(slices.Clone(list.Items[from:until]), func(x record.Shown) bool {
		row := s.table.Row(x.Item)
		return !row.Servable(c.now.UnixMicro()) || passes != nil && !passes.Match(row) || slices.Contains(c.person.hidden, x.Item)
	})
	reply := &Reply{Lists: []List{c.continued(&list, items)}}
	if until < len(list.Items) {
		reply.NextPage = s.formatPage(page{list: list.ID, offset: until, filter: at.filter}, q.Subject)
	}
	c.info.Generation, c.info.Candidates = list.Generation, len(list.Items)
	c.log(&record.Decision{
		ID: c.info.RecommendationID, Time: c.begin, UserNumber: c.person.number, Surface: list.Surface, Context: list.Context,
		Policy: list.Policy, Generation: list.Generation, Seed: list.Seed, Tier: list.Tier, Profile: list.Profile,
		Candidates: int32(len(list.Items)), Items: items, FeatureNames: list.FeatureNames, Kind: record.DecisionPage,
		Assignment: list.Assignment, Filter: at.filter, Limit: int32(q.Limit), Seen: list.Seen, Diversity: list.Diversity,
		Clock: list.Clock, Applied: list.Applied, Offset: int32(from), First: list.ID,
	}, 0, len(items), func(i int) uint32 { return items[i].Item })
	reply.Info = c.finish()
	return reply, nil
}

// continued is a page as a list.
func (c *call) continued(list *record.List, items []record.Shown) List {
	out := List{
		Surface: list.Surface, Items: make([]Item, 0, len(items)), Tier: tierNamed(list.Tier), Why: list.Why,
		Policy: list.Policy, Assignment: list.Assignment,
	}
	if len(items) == 0 {
		out.Why += "; nothing of the page may be shown any more"
	}
	for _, x := range items {
		if row := c.shop.table.Row(x.Item); row != nil {
			out.Items = append(out.Items, Item{
				ID: row.ID, Number: x.Item, Score: float64(x.Score), Propensity: float64(x.Propensity), Slot: x.Slot,
			})
		}
	}
	return out
}

func tierNamed(name string) ranker.Tier {
	for t := ranker.Personalized; t <= ranker.Popular; t++ {
		if t.String() == name {
			return t
		}
	}
	return ranker.Popular
}
