package shop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/server/record"
)

// call is one request under way, with memory that is reused.
type call struct {
	shop    *Shop
	begin   time.Time
	gen     *generation
	now     time.Time
	person  person
	subject Subject
	asOf    bool
	info    Info
	applied uint64 // place in the log, before anything was read
	made    making // by request
	degrade ranker.Degradation
	release func(took time.Duration)

	context, exclude, items []uint32
	asked                   int      // how many of exclude the request names
	groups                  []uint32 // of variants on the page already
	unknown                 []string // context items that are not in the catalog
	response                ranker.Response
	first, again            *ranking // kept by this call, or used again; nil: none
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
	degrade, release := s.admit()
	c := s.begin(begin, subject, asOf, seed)
	c.degrade, c.release, c.info.Lag = degrade, release, lag
	if fresh.Token != (record.Token{}) {
		c.info.Times.Wait = time.Since(begin).Microseconds()
	}
	c.know(asOf)
	return c, nil
}

// openIdle is open for work that may wait: it takes no permit, which are for those who
// wait for an answer, and reads the subject from the store, so that the profiles of those
// who are here stay in memory.
func (s *Shop) openIdle(subject Subject, seed uint64) *call {
	now := s.now()
	c := s.begin(time.Now(), subject, now, seed)
	c.degrade, c.release, c.asOf = ranker.NotDegraded, func(time.Duration) {}, false
	c.know(now)
	return c
}

// begin makes a call that knows nothing of its subject yet.
func (s *Shop) begin(begin time.Time, subject Subject, asOf time.Time, seed uint64) *call {
	c := s.calls.get()
	c.shop, c.begin = s, begin
	c.response.Model, c.response.Conflicts = nil, c.response.Conflicts[:0] // a search sets neither
	c.info = Info{RecommendationID: record.NewDecisionID(begin, rand.Uint64()), Seed: seed}
	c.subject, c.asOf = subject, !asOf.IsZero()
	c.applied, _ = s.applied.load()
	if seed == 0 {
		c.info.Seed = max(1, rand.Uint64())
	}
	c.gen = s.gen.Load()
	c.info.Generation = c.gen.id
	c.now = asOf
	if asOf.IsZero() {
		c.now = s.now()
	}
	return c
}

// know reads what is known of the subject.
func (c *call) know(asOf time.Time) {
	s, mark := c.shop, time.Now()
	s.know(&c.person, c.subject, c.gen, asOf)
	if c.person.unread && c.degrade == ranker.NotDegraded {
		c.degrade = ranker.ProfileUnavailable
	}
	if c.person.seq != 0 {
		c.info.Profile = record.Token{Epoch: s.log.Head().Epoch, Seq: c.person.seq}
	}
	c.info.Times.Profile = time.Since(mark).Microseconds()
}

// close gives the call's memory and its permit back.
func (c *call) close() {
	c.context, c.exclude, c.items, c.unknown = c.context[:0], c.exclude[:0], c.items[:0], c.unknown[:0]
	c.asked, c.groups, c.made, c.subject = 0, c.groups[:0], making{}, Subject{}
	c.first, c.again = nil, nil
	release, shop := c.release, c.shop
	took := time.Since(c.begin) - time.Duration(c.info.Times.Wait)*time.Microsecond
	c.gen = nil
	shop.calls.put(c)
	release(took)
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
func (s *Shop) admit() (ranker.Degradation, func(time.Duration)) {
	if s.permits.Acquire() {
		return ranker.NotDegraded, s.releasePermit
	}
	return ranker.Overloaded, s.releaseBound
}

func (s *Shop) releasePermit(took time.Duration) { s.permits.Release(took); s.underWay.Add(-1) }
func (s *Shop) releaseBound(time.Duration)       { s.underWay.Add(-1) }

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
