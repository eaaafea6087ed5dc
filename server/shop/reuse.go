package shop

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/rerank"
)

// A ranking is the answer that was made for a person's last request. It stands in the
// taste it was made from, so that an event of theirs, a changed vector or another
// generation ends it, and it serves the same request again for Config.RankingAge: what
// others did meanwhile moves the scores of a list by little, and a person's page asks
// several times for one click. What may be shown is asked anew each time, and an item
// that comes in, or comes back, ends all rankings made before.
//
// It is immutable but for logged.
type ranking struct {
	asked            asked
	context, exclude []uint32
	at               time.Time
	now              time.Time // by the tenant's clock
	before           moment
	seed             uint64
	response         ranker.Response
	id               string      // of the decision of the first time
	logged           atomic.Bool // that decision is on disk: others may repeat it
}

// A moment is how far things had come before a ranking was made: it reflects at least
// that.
type moment struct {
	applied uint64 // of the log
	opened  uint64 // changes that let an item be shown
	version uint64 // of the catalog, which filters read
}

func (s *Shop) moment() moment {
	applied, _ := s.applied.load()
	return moment{applied: applied, opened: s.table.Opened(), version: s.table.Version()}
}

// asked is what a ranking depends on beside person, context and exclusions.
type asked struct {
	limit     int
	surface   string
	seen      ranker.SeenPolicy
	diversity float32
	match     ranker.Matcher // filters are compiled once, so that equal ones are one
	policy    *rerank.Policy // so are policies
	anonymous bool
	optOut    bool
}

func askedBy(req *ranker.Request) asked {
	return asked{
		limit: req.Limit, surface: req.Surface, seen: req.Seen, diversity: req.Diversity, match: req.Match, policy: req.Policy,
		anonymous: req.Anonymous, optOut: req.PersonalizationOff,
	}
}

// keptItems bounds a ranking that is kept, and with it the memory of a profile.
const keptItems = 24

// mayReuse reports whether a query's ranking may be kept and used again: one that says
// nothing of seed, time or paging.
func (c *call) mayReuse(q *RecommendQuery) bool {
	return c.shop.rankAge.Load() > 0 && c.person.taste != nil && len(q.Rows) == 1 &&
		q.Seed == 0 && !q.Paginate && q.AsOf.IsZero() && !q.bulk && c.degrade == ranker.NotDegraded &&
		!c.made.policy.capped // what others are shown meanwhile counts
}

// reuse answers from the ranking that is kept, if it answers the request.
func (c *call) reuse(q *RecommendQuery, req *ranker.Request) bool {
	kept := c.person.taste.ranked.Load()
	if kept == nil || kept.asked != askedBy(req) || kept.before.applied < q.Fresh.Token.Seq ||
		kept.before.opened != c.shop.table.Opened() || req.Match != nil && kept.before.version != c.shop.table.Version() ||
		c.begin.Sub(kept.at) > time.Duration(c.shop.rankAge.Load()) ||
		!slices.Equal(kept.context, req.Context) || !slices.Equal(kept.exclude, req.Exclude) {
		return false
	}
	for i := range kept.response.Items {
		row := c.shop.table.Row(kept.response.Items[i].Item)
		if !row.Servable(req.Now) || req.Match != nil && !req.Match.Match(row) {
			return false // another takes its place
		}
	}
	items, losers, conflicts := c.response.Items[:0], c.response.Losers[:0], c.response.Conflicts[:0]
	c.response = kept.response
	c.response.Conflicts = append(conflicts, kept.response.Conflicts...)
	c.response.Items = append(items, kept.response.Items...)
	c.response.Losers = append(losers, kept.response.Losers...)
	c.response.Retrieve, c.response.Rank = 0, 0
	c.info.Seed, c.info.RankingAge = kept.seed, c.begin.Sub(kept.at)
	c.applied, c.now = kept.before.applied, kept.now // what the decision log says it was made from
	c.again = kept
	c.shop.reused.Add(1)
	c.account()
	return true
}

// keepRanking keeps the answer for the next request.
func (c *call) keepRanking(req *ranker.Request, before moment) {
	if len(c.response.Items) > keptItems || len(c.response.Items) == 0 {
		return
	}
	kept := &ranking{
		id: c.info.RecommendationID, asked: askedBy(req), context: slices.Clone(req.Context), exclude: slices.Clone(req.Exclude),
		at: c.begin, now: c.now, before: before, seed: c.info.Seed, response: c.response,
	}
	kept.response.Items, kept.response.Losers = slices.Clone(c.response.Items), slices.Clone(c.response.Losers)
	kept.response.Conflicts = slices.Clone(c.response.Conflicts)
	c.first = kept
	c.person.taste.ranked.Store(kept)
}
