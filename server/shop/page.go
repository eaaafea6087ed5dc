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
func (c *call) keepList(subject Subject, limit int, filter string) string {
	items := c.response.Items
	if len(items) <= limit {
		return ""
	}
	list := record.List{
		ID: c.info.RecommendationID, UserNumber: c.person.number, Time: c.begin,
		Tier: c.response.Tier.String(), Why: c.response.Reason.String(), Generation: c.info.Generation, Seed: c.info.Seed,
		Items: make([]record.Shown, len(items)),
	}
	for i := range items {
		list.Items[i] = record.Shown{Item: items[i].Item, Score: float32(items[i].Score), Propensity: float32(items[i].Propensity)}
	}
	if err := c.shop.log.PutList(list); err != nil {
		c.shop.config.Log.Warn("list not kept; the reply has one page", "error", err)
		return ""
	}
	return c.shop.formatPage(page{list: list.ID, offset: limit, filter: filter}, subject)
}

// Page continues a kept list. What can no longer be shown drops out and is not
// refilled. Errors: ErrPageToken, ErrOverloaded.
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
	c.info.Generation = list.Generation
	from := min(at.offset, len(list.Items))
	until := min(from+q.Limit, len(list.Items))
	c.response.Items, c.response.Losers = c.response.Items[:0], c.response.Losers[:0]
	for _, shown := range list.Items[from:until] {
		row := s.table.Row(shown.Item)
		if !row.Servable(c.now.UnixMicro()) || passes != nil && !passes.Match(row) || slices.Contains(c.person.hidden, shown.Item) {
			continue
		}
		c.response.Items = append(c.response.Items, ranker.Ranked{
			Item: shown.Item, Score: float64(shown.Score), Propensity: float64(shown.Propensity),
		})
	}
	c.response.Tier, c.response.Candidates = tierNamed(list.Tier), len(list.Items)
	out := c.list("", &ranker.Request{}, false)
	out.Why = list.Why
	reply := &Reply{Lists: []List{out}}
	if until < len(list.Items) {
		reply.NextPage = s.formatPage(page{list: list.ID, offset: until, filter: at.filter}, q.Subject)
	}
	c.info.Candidates = len(list.Items)
	c.decide(0, "", nil)
	reply.Info = c.finish()
	return reply, nil
}

func tierNamed(name string) ranker.Tier {
	for t := ranker.Personalized; t <= ranker.Popular; t++ {
		if t.String() == name {
			return t
		}
	}
	return ranker.Popular
}
