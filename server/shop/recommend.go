package shop

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/filter"
	"github.com/kindred-rec/kindred/server/record"
)

// policyName is the policy that serves; policies of the tenant's own come later.
const policyName = "linear/1"

// defaultLimit is how many items a list has where neither request nor surface says.
const defaultLimit = 10

// pagedItems is the length of a list that is kept for paging.
const pagedItems = 500

// losers is how many candidates that were not shown a decision samples.
const losers = 4

// call is one request under way, with memory that is reused.
type call struct {
	shop    *Shop
	begin   time.Time
	gen     *generation
	now     time.Time
	person  person
	info    Info
	degrade ranker.Degradation
	release func()

	context, exclude, items []uint32
	unknown                 []string // context items that are not in the catalog
	response                ranker.Response
	reasons                 []ranker.Reason
}

// open admits a request and gathers what all kinds of requests need. The caller
// closes the call.
func (s *Shop) open(ctx context.Context, subject Subject, asOf time.Time, fresh Fresh, seed uint64) (*call, error) {
	begin := time.Now()
	if err := s.enter(); err != nil {
		return nil, err
	}
	lag := s.await(ctx, fresh)
	c := s.calls.get()
	c.shop, c.begin = s, begin
	c.degrade, c.release = s.admit()
	c.info = Info{RecommendationID: newRecommendationID(), Policy: policyName, Seed: seed, Lag: lag}
	if fresh.Token != (record.Token{}) {
		c.info.Times.Wait = time.Since(begin).Microseconds()
	}
	if seed == 0 {
		c.info.Seed = max(1, rand.Uint64())
	}
	c.gen = s.gen.Load()
	c.info.Generation = c.gen.id
	c.now = asOf
	if asOf.IsZero() {
		c.now = s.now()
	}
	mark := time.Now()
	s.know(&c.person, subject, c.gen, asOf)
	if c.person.unread && c.degrade == ranker.NotDegraded {
		c.degrade = ranker.ProfileUnavailable
	}
	if c.person.seq != 0 {
		c.info.Profile = record.Token{Epoch: s.log.Head().Epoch, Seq: c.person.seq}
	}
	c.info.Times.Profile = time.Since(mark).Microseconds()
	return c, nil
}

// close gives the call's memory and its permit back.
func (c *call) close() {
	c.context, c.exclude, c.items, c.unknown = c.context[:0], c.exclude[:0], c.items[:0], c.unknown[:0]
	release, shop := c.release, c.shop
	c.gen = nil
	shop.calls.put(c)
	release()
}

// enter refuses a request past the bound, before work is done.
func (s *Shop) enter() error {
	if s.underWay.Add(1) > int64(s.config.Bound) {
		s.underWay.Add(-1)
		return fmt.Errorf("%w: %d requests, the bound; retry later", ErrOverloaded, s.config.Bound)
	}
	return nil
}

// admit gives a permit to a request that entered. Without one it is answered from the
// popular tier.
func (s *Shop) admit() (ranker.Degradation, func()) {
	select {
	case s.permits <- struct{}{}:
		return ranker.NotDegraded, s.releasePermit
	default:
		return ranker.Overloaded, s.releaseBound
	}
}

func (s *Shop) releasePermit() { <-s.permits; s.underWay.Add(-1) }
func (s *Shop) releaseBound()  { s.underWay.Add(-1) }

// await waits for the token, if there is one, and returns by how far the reply lags.
// Whoever waits holds no permit: those are for ranking. A token of another epoch, or
// from past the end of the log, was given before a restore: how far is not known.
func (s *Shop) await(ctx context.Context, fresh Fresh) int64 {
	if fresh.Token == (record.Token{}) {
		return 0
	}
	if head := s.log.Head(); fresh.Token.Epoch != head.Epoch || fresh.Token.Seq > head.Seq {
		return -1
	}
	applied := s.applied.wait(ctx, fresh.Token.Seq, fresh.Wait)
	return int64(fresh.Token.Seq - min(applied, fresh.Token.Seq))
}

// newRecommendationID draws 96 bits: ids of two replies never meet.
func newRecommendationID() string {
	var raw [12]byte
	binary.LittleEndian.PutUint64(raw[:], rand.Uint64())
	binary.LittleEndian.PutUint32(raw[8:], rand.Uint32())
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// numbers appends the numbers of ids and passes over those that have none.
func (c *call) numbers(dst []uint32, ids []string) []uint32 {
	for _, id := range ids {
		if n, ok := c.shop.log.ItemNumber(id); ok {
			dst = append(dst, n)
		}
	}
	return dst
}

// page takes the items of the page. Those that are not in the catalog, although an
// event may have named them, are noted.
func (c *call) page(ids []string) {
	for _, id := range ids {
		if n, ok := c.shop.log.ItemNumber(id); ok && c.shop.table.Row(n) != nil {
			c.context = append(c.context, n)
		} else {
			c.unknown = append(c.unknown, id)
		}
	}
}

// request makes the ranker's request for one row. Errors are *InputError.
func (c *call) request(row *Row) (ranker.Request, error) {
	p := &c.person
	surface := c.shop.settings().surface(row.Surface)
	req := ranker.Request{
		History: p.history, UserVector: p.vector, Hidden: p.hidden, Context: c.context, Exclude: c.exclude,
		Now: c.now.UnixMicro(), Limit: row.Limit, Losers: losers, Seed: c.info.Seed,
		Seen: seenPolicy(row.Seen, surface), Diversity: float32(row.Diversity), Degraded: c.degrade,
		Anonymous: p.anonymous, PersonalizationOff: p.optOut,
	}
	if req.Limit == 0 {
		req.Limit = surfaceLimit(surface)
	}
	if req.Seen == ranker.HideInteracted {
		// Acts against an item are no history, but the user had to do with it.
		req.Hidden = append(p.hidden, p.disliked...)
	}
	if row.Diversity < 0 {
		req.Diversity = float32(surface.Diversity)
	}
	f, err := c.shop.filter(row.Filter, surface.Filter)
	if f != nil {
		req.Match, req.Allow = f, f.Bitmap().Words
	}
	return req, err
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

func seenPolicy(asked Seen, surface record.Surface) ranker.SeenPolicy {
	switch {
	case asked == SeenKeep, asked == SeenDefault && surface.Seen == record.SeenKeep:
		return ranker.Keep
	case asked == SeenHideInteracted, asked == SeenDefault && surface.Seen == record.SeenHideInteracted:
		return ranker.HideInteracted
	}
	return ranker.HidePurchased
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

func (s *Shop) compiled(text string) (*filter.Filter, error) {
	f, err := s.filters.Filter(text)
	if err != nil {
		return nil, &InputError{Field: "filter", Description: err.Error()}
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
	c.page(q.Context)
	c.exclude = c.numbers(c.exclude, q.Exclude)
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
	}
	if err := c.rank(&req); err != nil {
		return List{}, err
	}
	if q.Paginate {
		surface := c.shop.settings().surface(row.Surface)
		reply.NextPage = c.keepList(q.Subject, limit, joinFilters(row.Filter, surface.Filter))
	}
	if len(c.response.Items) > limit {
		c.response.Items = c.response.Items[:limit]
	}
	list := c.list(row.Surface, &req, q.Explain)
	for k := range list.Items {
		c.exclude = append(c.exclude, list.Items[k].Number)
	}
	c.decide(i, row.Surface, q.Context)
	return list, nil
}

// rowError names the row of a faulty field, where there are several.
func rowError(err error, i, rows int) error {
	if in, ok := err.(*InputError); ok && rows > 1 {
		return &InputError{Field: fmt.Sprintf("rows[%d].%s", i, in.Field), Description: in.Description}
	}
	return err
}

// rank runs the pipeline and adds up what it tells.
func (c *call) rank(req *ranker.Request) error {
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

// list converts the pipeline's answer.
func (c *call) list(surface string, req *ranker.Request, explain bool) List {
	res := &c.response
	list := List{Surface: surface, Items: make([]Item, 0, len(res.Items)), Tier: res.Tier, Why: c.why()}
	for k := range res.Items {
		r := &res.Items[k]
		row := c.shop.table.Row(r.Item)
		if row == nil {
			continue // deleted while it was being recommended
		}
		it := Item{
			ID: row.ID, Number: r.Item, Score: r.Score, Propensity: r.Propensity,
			Sources: r.Sources,
		}
		if explain {
			c.reasons = c.gen.pipeline.Reasons(req, res, k, c.reasons[:0])
			it.Reasons = c.shop.reasons(c.reasons)
		}
		list.Items = append(list.Items, it)
	}
	return list
}

// why says why the answer is of its tier, and which items of the page it ignores.
func (c *call) why() string {
	why := c.response.Reason.String()
	for _, id := range c.unknown {
		why += fmt.Sprintf("; context item %.40q is not known", id)
	}
	return why
}

// reasons converts the ranker's reasons.
func (s *Shop) reasons(from []ranker.Reason) []Reason {
	out := make([]Reason, 0, len(from))
	for _, r := range from {
		reason := Reason{Feature: r.Feature.String(), Contribution: r.Contribution}
		title := ""
		if r.HasBecause {
			if row := s.table.Row(r.Because); row != nil {
				reason.Because, title = row.ID, row.Title
			}
		}
		reason.Text = r.Text(title)
		out = append(out, reason)
	}
	return out
}

// finish closes the reply's account.
func (c *call) finish() Info {
	c.info.Times.Total = time.Since(c.begin).Microseconds()
	return c.info
}

// decide hands what was shown in one row to the decision log. The first row goes by
// the reply's id; further ones add their number to it.
func (c *call) decide(row int, surface string, context []string) {
	mark := time.Now()
	res := &c.response
	shown := make([]record.Shown, len(res.Items)+len(res.Losers))
	rows := make([]float32, len(shown)*int(ranker.FeatureCount))
	for i := range shown {
		from := shownAt(res, i)
		features := rows[i*int(ranker.FeatureCount):][:ranker.FeatureCount]
		copy(features, from.Features[:])
		shown[i] = record.Shown{Item: from.Item, Score: float32(from.Score), Propensity: float32(from.Propensity), Features: features}
	}
	id := c.info.RecommendationID
	if row > 0 {
		id = fmt.Sprintf("%s.%d", id, row)
	}
	logged := c.shop.decisions.put(record.Decision{
		ID: id, Time: c.begin, UserNumber: c.person.number, Surface: surface, Context: context,
		Policy: c.info.Policy, Generation: c.info.Generation, Seed: c.info.Seed, Tier: res.Tier.String(),
		Profile: c.info.Profile, Candidates: int32(res.Candidates),
		Items: shown[:len(res.Items)], Losers: shown[len(res.Items):], FeatureNames: featureNames,
	})
	c.info.Logged = logged && (row == 0 || c.info.Logged)
	c.info.Times.Log += time.Since(mark).Microseconds()
}

// shownAt is entry i of the items and then the losers of an answer.
func shownAt(res *ranker.Response, i int) *ranker.Ranked {
	if i < len(res.Items) {
		return &res.Items[i]
	}
	return &res.Losers[i-len(res.Items)]
}

// featureNames are the columns of a decision's features.
var featureNames = func() []string {
	names := make([]string, ranker.FeatureCount)
	for f := range ranker.FeatureCount {
		names[f] = f.String()
	}
	return names
}()
