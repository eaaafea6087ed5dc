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
	degrade, release, err := s.admit()
	if err != nil {
		return nil, err
	}
	c := s.calls.get()
	c.shop, c.begin, c.degrade, c.release = s, time.Now(), degrade, release
	c.info = Info{RecommendationID: newRecommendationID(), Policy: policyName, Seed: seed}
	if seed == 0 {
		c.info.Seed = max(1, rand.Uint64())
	}
	c.wait(ctx, fresh)
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

// admit gives a permit. Without one the request is answered from the popular tier;
// past the bound it is refused before work is done.
func (s *Shop) admit() (ranker.Degradation, func(), error) {
	if s.underWay.Add(1) > int64(s.config.Bound) {
		s.underWay.Add(-1)
		return 0, nil, fmt.Errorf("%w: %d requests, the bound; retry later", ErrOverloaded, s.config.Bound)
	}
	select {
	case s.permits <- struct{}{}:
		return ranker.NotDegraded, s.releasePermit, nil
	default:
		return ranker.Overloaded, s.releaseBound, nil
	}
}

func (s *Shop) releasePermit() { <-s.permits; s.underWay.Add(-1) }
func (s *Shop) releaseBound()  { s.underWay.Add(-1) }

// wait waits for the token, if there is one, and notes by how far the reply lags. A
// token of another epoch was given before a restore: how far is not known.
func (c *call) wait(ctx context.Context, fresh Fresh) {
	if fresh.Token == (record.Token{}) {
		return
	}
	if fresh.Token.Epoch != c.shop.log.Head().Epoch {
		c.info.Lag = -1
		return
	}
	applied := c.shop.applied.wait(ctx, fresh.Token.Seq, fresh.Wait)
	if applied < fresh.Token.Seq {
		c.info.Lag = int64(fresh.Token.Seq - applied)
	}
	c.info.Times.Wait = time.Since(c.begin).Microseconds()
}

// newRecommendationID draws 96 bits: ids of two replies never meet.
func newRecommendationID() string {
	var raw [12]byte
	binary.LittleEndian.PutUint64(raw[:], rand.Uint64())
	binary.LittleEndian.PutUint32(raw[8:], rand.Uint32())
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// numbers appends the numbers of ids; unknown ones are noted if note is set.
func (c *call) numbers(dst []uint32, ids []string, note bool) []uint32 {
	for _, id := range ids {
		if n, ok := c.shop.log.ItemNumber(id); ok {
			dst = append(dst, n)
		} else if note {
			c.unknown = append(c.unknown, id)
		}
	}
	return dst
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
		req.Limit = int(surface.Limit)
	}
	if req.Limit == 0 {
		req.Limit = defaultLimit
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
	if own == "" && surface == "" {
		return nil, nil
	}
	if own == "" {
		return s.compiled(surface)
	}
	f, err := s.compiled(own)
	if err != nil || surface == "" {
		return f, err
	}
	return s.compiled("(" + surface + ") && (" + own + ")")
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
	c.context = c.numbers(c.context, q.Context, true)
	c.exclude = c.numbers(c.exclude, q.Exclude, false)
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
		reply.NextPage = c.keepList(q.Subject, limit)
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
	list := List{Surface: surface, Items: make([]Item, 0, len(res.Items)), Tier: res.Tier, Why: res.Reason.String()}
	for _, id := range c.unknown {
		list.Why += fmt.Sprintf("; context item %.40q is not known", id)
	}
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
	c.info.Logged = c.shop.decisions.put(record.Decision{
		ID: id, Time: c.begin, UserNumber: c.person.number, Surface: surface, Context: context,
		Policy: c.info.Policy, Generation: c.info.Generation, Seed: c.info.Seed, Tier: res.Tier.String(),
		Profile: c.info.Profile, Candidates: int32(res.Candidates),
		Items: shown[:len(res.Items)], Losers: shown[len(res.Items):], FeatureNames: featureNames,
	})
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
