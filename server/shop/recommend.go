package shop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/filter"
	"github.com/kindred-rec/kindred/server/record"
)

// defaultLimit is how many items a list has where neither request nor surface says.
const defaultLimit = 10

// pagedItems is the length of a list that is kept for paging.
const pagedItems = 500

// losers is how many candidates that were not shown a decision samples.
const losers = 2

// request makes the ranker's request for one row, and notes what it is made by. Errors are
// *InputError.
func (c *call) request(row *Row) (ranker.Request, error) {
	p := &c.person
	view := c.shop.lookAgain(c.shop.settings())
	surface := view.surface(row.Surface)
	made, err := c.choose(view, row, surface)
	if err != nil {
		return ranker.Request{}, err
	}
	made.limit, made.seen, made.diversity = row.Limit, seenPolicy(row.Seen, made.policy, surface), diversity(row, made.policy, surface)
	if made.limit == 0 {
		made.limit = surfaceLimit(surface)
	}
	made.filter = joinFilters(row.Filter, surface.Filter)
	c.made = made
	req := ranker.Request{
		History: p.history, Impressions: p.passed, Surface: row.Surface, UserVector: p.vector(), Hidden: p.hidden,
		Context: c.context, Exclude: c.exclude, Now: c.now.UnixMicro(), Limit: made.limit, Losers: losers, Seed: c.info.Seed,
		Seen: made.seen, Policy: made.rules, Diversity: made.diversity, DiversitySet: true, Degraded: c.degrade,
		Anonymous: p.anonymous, PersonalizationOff: p.optOut,
	}
	if req.Seen == ranker.HideInteracted {
		// Acts against an item are no history, but the user had to do with it.
		req.Hidden = append(p.hidden, p.disliked...)
	}
	f, err := c.shop.filter(row.Filter, surface.Filter)
	if f != nil {
		req.Match, req.Allow = f, f.Bitmap().Words
	}
	if len(c.groups) > 0 {
		req.Match = otherGroups{req.Match, c.groups}
	}
	return req, err
}

// otherGroups lets pass no variant of what stands on the page already.
type otherGroups struct {
	inner  ranker.Matcher // nil: all pass
	groups []uint32
}

// Match implements ranker.Matcher.
func (m otherGroups) Match(row *catalog.Row) bool {
	return !slices.Contains(m.groups, row.Group) && (m.inner == nil || m.inner.Match(row))
}

// surfaceLimit is how many items a list of a surface has where the request says nothing.
func surfaceLimit(surface record.Surface) int {
	if surface.Limit == 0 {
		return defaultLimit
	}
	return int(surface.Limit)
}

// LimitOf is how many items a list on a surface has where the request says nothing.
func (s *Shop) LimitOf(surface string) int { return surfaceLimit(s.settings().surface(surface)) }

// seenPolicy is what the request says, else the policy, else the surface.
func seenPolicy(asked Seen, policy *policy, surface record.Surface) ranker.SeenPolicy {
	said := cmp.Or(policy.Seen, surface.Seen)
	switch {
	case asked == SeenKeep, asked == SeenDefault && said == record.SeenKeep:
		return ranker.Keep
	case asked == SeenHideInteracted, asked == SeenDefault && said == record.SeenHideInteracted:
		return ranker.HideInteracted
	}
	return ranker.HidePurchased
}

// diversity is what the request says, else the policy, else the surface.
func diversity(row *Row, policy *policy, surface record.Surface) float32 {
	switch {
	case row.Diversity >= 0:
		return float32(row.Diversity)
	case policy.HasDiversity:
		return float32(policy.Diversity)
	}
	return float32(surface.Diversity)
}

// filter returns the compiled filter of a request and its surface; nil for none. The
// request's own is checked alone first, so that positions in errors are its own.
func (s *Shop) filter(own, surface string) (*filter.Filter, error) {
	if own != "" && surface != "" {
		if f, err := s.compiled(own); err != nil {
			return f, err
		}
	}
	text := joinFilters(own, surface)
	if text == "" {
		return nil, nil
	}
	return s.compiled(text)
}

// joinFilters lets pass what both filters do. The line ends keep a comment at the end
// of one from swallowing what follows.
func joinFilters(own, surface string) string {
	if own == "" || surface == "" {
		return own + surface
	}
	return "(" + surface + "\n) && (" + own + "\n)"
}

// filterFault is what is wrong with a filter, and where in it.
func filterFault(err error) string {
	var fault *filter.Error
	if !errors.As(err, &fault) || fault.Line == 0 {
		return err.Error()
	}
	return fmt.Sprintf("line %d, column %d: %s", fault.Line, fault.Column, fault.Message)
}

func (s *Shop) compiled(text string) (*filter.Filter, error) {
	f, err := s.filters.Filter(text)
	if err != nil {
		return nil, &InputError{Field: "filter", Description: filterFault(err)}
	}
	return f, nil
}

// Recommend answers with one list a row. Errors: *InputError, ErrOverloaded.
func (s *Shop) Recommend(ctx context.Context, q *RecommendQuery) (*Reply, error) {
	c, err := s.open(ctx, q.Subject, q.AsOf, q.Fresh, q.Seed)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return c.answerOne(q)
}

// answerOne answers a query whose subject is known.
func (c *call) answerOne(q *RecommendQuery) (*Reply, error) {
	c.page(q.Context)
	c.exclude = c.numbers(c.exclude, q.Exclude)
	c.asked = len(c.exclude)
	reply := &Reply{Lists: make([]List, 0, len(q.Rows))}
	for i := range q.Rows {
		list, err := c.row(q, i, reply)
		if err != nil {
			return nil, err
		}
		reply.Lists = append(reply.Lists, list)
	}
	reply.Info = c.finish()
	return reply, nil
}

// row answers row i of a query and excludes its items from the rows after it.
func (c *call) row(q *RecommendQuery, i int, reply *Reply) (List, error) {
	row := &q.Rows[i]
	req, err := c.request(row)
	if err != nil {
		return List{}, rowError(err, i, len(q.Rows))
	}
	limit := req.Limit
	if q.Paginate {
		req.Limit = max(limit, pagedItems)
		c.made.ranked = req.Limit
	}
	if err := c.answer(q, &req); err != nil {
		return List{}, err
	}
	if q.Paginate {
		reply.NextPage = c.keepList(q, limit)
	}
	if len(c.response.Items) > limit {
		c.response.Items = c.response.Items[:limit]
	}
	list := c.list(row.Surface, &req, q.Explain)
	if i+1 < len(q.Rows) {
		c.take(list.Items)
	}
	c.decide(q.kind(), i, row.Surface, q.Context)
	return list, nil
}

// take keeps items, and the variants of them that may stand in their place, out of the
// rows that follow.
func (c *call) take(items []Item) {
	for k := range items {
		c.exclude = append(c.exclude, items[k].Number)
		row := c.shop.table.Row(items[k].Number)
		if row != nil && row.Group != 0 && !c.made.policy.KeepVariants {
			c.groups = append(c.groups, row.Group)
		}
	}
}

// answer ranks, or uses a ranking again where nothing has changed.
func (c *call) answer(q *RecommendQuery, req *ranker.Request) error {
	if !c.mayReuse(q) {
		return c.rank(req)
	}
	if c.reuse(q, req) {
		return nil
	}
	before := c.shop.moment()
	if err := c.rank(req); err != nil {
		return err
	}
	c.keepRanking(req, before)
	return nil
}

// rowError names the row of a faulty filter, where there are several: all else is of the
// request.
func rowError(err error, i, rows int) error {
	if in, ok := err.(*InputError); ok && rows > 1 && in.Field == "filter" {
		return &InputError{Field: fmt.Sprintf("rows[%d].%s", i, in.Field), Description: in.Description}
	}
	return err
}

// rank runs the pipeline and adds up what it tells.
func (c *call) rank(req *ranker.Request) error {
	if req.Allow == nil && req.Candidates == nil && len(req.UserVector) > 0 && !req.PersonalizationOff && req.Degraded == ranker.NotDegraded {
		req.Nearest = c.person.taste.nearest(c.gen)
	}
	if err := c.gen.pipeline.Recommend(req, &c.response); err != nil {
		return fmt.Errorf("ranking: %w", err)
	}
	c.account()
	return nil
}

func (c *call) account() {
	c.info.Candidates += c.response.Candidates
	c.info.Times.Retrieve += c.response.Retrieve.Microseconds()
	c.info.Times.Rank += c.response.Rank.Microseconds()
	c.shop.tiers.count(c.response.Tier)
}
