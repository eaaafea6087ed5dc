package hnsw

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/internal/topk"
)

// CheckOptions says how a self-check samples.
type CheckOptions struct {
	Queries int // items drawn as queries, at least 1
	K       int // neighbours compared, at least 1
	Effort  int // as of the queries served; 0 means the default
	Seed    uint64
}

// Check is the result of a self-check.
type Check struct {
	Recall  float64 // share of the exact K nearest that the walk found, 0 to 1
	Queries int     // that were compared; fewer than asked if fewer items are present
	K       int
	Effort  int
}

// SelfCheck measures recall: it draws items, searches for what is near them,
// and compares with a scan of everything. An item finds itself, which says
// nothing, so it is not counted. The time is that of as many scans; it may run
// beside searches and writes, and ctx ends it early with an error.
func (x *Index) SelfCheck(ctx context.Context, o CheckOptions) (Check, error) {
	if o.Queries < 1 || o.K < 1 || o.Effort < 0 {
		return Check{}, fmt.Errorf("%w: self-check of %d queries, K %d, Effort %d: at least 1, 1 and 0", index.ErrQuery, o.Queries, o.K, o.Effort)
	}
	c := Check{K: o.K, Effort: o.Effort}
	if c.Effort == 0 {
		c.Effort = x.cfg.EfSearch
	}
	held, total := 0, 0
	for _, id := range x.sample(o.Queries, o.Seed) {
		if err := ctx.Err(); err != nil {
			return Check{}, err
		}
		v, ok := x.Vector(id, nil)
		if !ok {
			continue // deleted since it was drawn
		}
		q := index.Query{Vector: v, K: o.K + 1, Effort: o.Effort}
		found, err := x.Search(q, nil)
		if err != nil {
			return Check{}, err
		}
		h, t := compare(x.exactSearch(q), found, id)
		held, total = held+h, total+t
		c.Queries++
	}
	c.Recall = 1
	if total > 0 {
		c.Recall = float64(held) / float64(total)
	}
	return c, nil
}

// sample draws up to n of the items present, each at most once.
func (x *Index) sample(n int, seed uint64) []uint32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	var drawn []uint32
	seen := 0
	for id := range x.nodes { // reservoir sampling
		if x.nodes[id].Load() == 0 {
			continue
		}
		seen++
		if len(drawn) < n {
			drawn = append(drawn, uint32(id))
		} else if at := rng.IntN(seen); at < n {
			drawn[at] = uint32(id)
		}
	}
	return drawn
}

// exactSearch scores every item by its float vector.
func (x *Index) exactSearch(q index.Query) []index.Hit {
	s := x.pool.begin()
	defer x.pool.end(s)
	s.query.vector = q.Vector
	x.listAll(s)
	s.scores = fit(s.scores, len(s.nodes))
	x.space.exact(&s.query, s.nodes, s.scores)
	s.best.Reset(q.K)
	for i, node := range s.nodes {
		s.best.Offer(topk.Key(s.scores[i], atomic.LoadUint32(x.label(node))&itemBits))
	}
	return s.appendBest(nil)
}

// compare counts how many of the exact hits, but for the item itself, are as
// good as found ones: equal scores are interchangeable.
func compare(exact, found []index.Hit, itself uint32) (held, total int) {
	scores := map[uint32]bool{}
	worst := float32(0)
	for i, h := range found {
		scores[h.ID] = true
		if i == 0 || h.Score < worst {
			worst = h.Score
		}
	}
	for _, h := range exact {
		if h.ID == itself {
			continue
		}
		total++
		if scores[h.ID] || h.Score == worst {
			held++
		}
	}
	return held, total
}
