package shop

import (
	"context"
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/server/record"
)

// Similar answers with items like one item, or bought together with it. An item
// that is not known leads to the popular tier, which says so.
func (s *Shop) Similar(ctx context.Context, q *SimilarQuery) (*SimilarReply, error) {
	c, err := s.open(ctx, q.Subject, time.Time{}, Fresh{}, q.Seed)
	if err != nil {
		return nil, err
	}
	defer c.close()
	c.page([]string{q.Item})
	c.exclude = c.numbers(c.exclude, q.Exclude)
	c.asked = len(c.exclude)
	if q.Together && len(c.context) > 0 {
		c.groups = c.shop.groupsOf(c.groups, c.context) // a thing does not go with its own variants
	}
	req, err := c.request(&q.Row)
	if err != nil {
		return nil, err
	}
	// The subject only says what to leave out: the list is about the item.
	req.PersonalizationOff = true
	if len(c.context) > 0 {
		req.Relation = ranker.Similar
		if q.Together {
			req.Relation = ranker.BoughtTogether
		}
	}
	if err := c.rank(&req); err != nil {
		return nil, err
	}
	list := c.list(q.Row.Surface, &req, q.Explain)
	if list.Tier == ranker.ItemNeighbours {
		list.Why = fmt.Sprintf("from the neighbours of item %q", q.Item)
	}
	kind := record.DecisionSimilar
	if q.Together {
		kind = record.DecisionTogether
	}
	c.decide(kind, 0, q.Row.Surface, []string{q.Item})
	return &SimilarReply{List: list, Info: c.finish()}, nil
}

// groupsOf appends the variant groups of items.
func (s *Shop) groupsOf(groups, items []uint32) []uint32 {
	for _, n := range items {
		if row := s.table.Row(n); row != nil && row.Group != 0 {
			groups = append(groups, row.Group)
		}
	}
	return groups
}

// Rank orders the caller's own list. What is not in the answer is listed with the
// reason.
func (s *Shop) Rank(ctx context.Context, q *RankQuery) (*RankReply, error) {
	c, err := s.open(ctx, q.Subject, q.AsOf, q.Fresh, q.Seed)
	if err != nil {
		return nil, err
	}
	defer c.close()
	c.page(q.Context)
	req, err := c.request(&q.Row)
	if err != nil {
		return nil, err
	}
	c.items = c.numbers(c.items, q.Items)
	req.Candidates = c.items
	if req.Candidates == nil {
		req.Candidates = []uint32{} // nil would retrieve
	}
	req.Limit = len(q.Items) // all are ranked, so that what is left out is so for a reason
	rules := *req.Policy
	rules.KeepVariants = true // the caller chose what the list has
	req.Policy = &rules
	left, err := c.gen.pipeline.RankItems(&req, &c.response, nil)
	if err != nil {
		return nil, fmt.Errorf("ranking: %w", err)
	}
	c.account()
	if n := q.Row.Limit; n > 0 && n < len(c.response.Items) {
		c.response.Items = c.response.Items[:n]
	}
	list := c.list(q.Row.Surface, &req, q.Explain)
	c.decide(record.DecisionRank, 0, q.Row.Surface, q.Context)
	return &RankReply{List: list, LeftOut: c.leftOut(q.Items, left), Info: c.finish()}, nil
}

// leftOut names the items of a list that were not ranked, in the list's order.
func (c *call) leftOut(ids []string, left []ranker.LeftOut) []Placement {
	verdicts := make(map[uint32]ranker.Verdict, len(left))
	for _, l := range left {
		verdicts[l.Item] = l.Verdict
	}
	var out []Placement
	for _, id := range ids {
		verdict := ranker.NotInCatalog
		if n, ok := c.shop.log.ItemNumber(id); ok {
			if verdict, ok = verdicts[n]; !ok {
				continue
			}
		}
		out = append(out, Placement{ID: id, Verdict: verdict, Text: verdict.String()})
	}
	return out
}

// placements explains where items ended up under a request.
func (c *call) placements(ids []string, req *ranker.Request) ([]Placement, error) {
	numbers := make([]uint32, 0, len(ids))
	of := make([]int, 0, len(ids))
	out := make([]Placement, len(ids))
	for i, id := range ids {
		out[i] = Placement{ID: id, Verdict: ranker.NotInCatalog, Text: ranker.NotInCatalog.String()}
		if n, ok := c.shop.log.ItemNumber(id); ok {
			numbers, of = append(numbers, n), append(of, i)
		}
	}
	var scratch ranker.Response
	explained, err := c.gen.pipeline.Explain(req, numbers, &scratch)
	if err != nil {
		return nil, fmt.Errorf("explaining: %w", err)
	}
	for k := range explained {
		e := &explained[k]
		out[of[k]] = c.placement(ids[of[k]], e, scratch.Model)
	}
	return out, nil
}

// placement converts what the ranker tells of an item.
func (c *call) placement(id string, e *ranker.Explanation, model ranker.Model) Placement {
	p := Placement{
		ID: id, Verdict: e.Verdict, Rank: e.Rank, Score: e.Score, Sources: e.Sources, Reasons: c.shop.reasons(e.Reasons), Text: e.Text(),
		Slot: slotKinds[e.Fill], Propensity: e.Propensity, ByScore: e.ByScore, ByValue: e.ByValue, Value: e.Value, Penalty: e.Penalty,
		Rest: e.Rest, Effects: e.Effects, Clause: e.Clause,
	}
	if calibrated, ok := model.(ranker.Calibrated); ok && e.ByScore > 0 {
		p.Probability, p.Calibrated = calibrated.Probability(e.Score), true
	}
	if e.Verdict == ranker.AnotherVariant {
		p.Instead = c.shop.ItemID(e.Instead)
	}
	for _, n := range e.Near {
		miss := NearMiss{Near: n}
		if n.Source == ranker.FromItemNeighbours {
			miss.AnchorID = c.shop.ItemID(n.Anchor)
		}
		p.Near = append(p.Near, miss)
	}
	return p
}

// Explain says where items ended up in the answer to a query of one row.
func (s *Shop) Explain(ctx context.Context, q *ExplainQuery) (*ExplainReply, error) {
	inner := &q.Query
	c, err := s.open(ctx, inner.Subject, inner.AsOf, inner.Fresh, inner.Seed)
	if err != nil {
		return nil, err
	}
	defer c.close()
	c.page(inner.Context)
	c.exclude = c.numbers(c.exclude, inner.Exclude)
	req, err := c.request(&inner.Rows[0])
	if err != nil {
		return nil, err
	}
	if inner.Paginate {
		req.Limit = max(req.Limit, pagedItems)
	}
	if err := c.rank(&req); err != nil {
		return nil, err
	}
	places, err := c.placements(q.Items, &req)
	if err != nil {
		return nil, err
	}
	list := List{Tier: c.response.Tier, Why: c.why(), Policy: c.made.policy.id, Assignment: c.made.assignment}
	return &ExplainReply{Items: places, List: list, Info: c.finish()}, nil
}
