package evaluate

import (
	"time"

	"github.com/viterin/vek/vek32"

	"github.com/kindred-rec/kindred/embed/behaviour"
	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/rerank"
	"github.com/kindred-rec/kindred/server/exact"
)

// topShown is how many items of each answer coverage looks at.
const topShown = 10

// An asker puts questions to one stage. It is used by one goroutine; rank and
// shown are about the last question.
type asker interface {
	// ask returns the target's rank, from 1, and the first items of the answer,
	// valid until the next call.
	ask(q dataset.Query) (rank int, shown []uint32, err error)
}

// A profiler turns a history into a vector among the items', nil where it says nothing,
// valid until the next call.
type profiler interface {
	encode(history []dataset.Interaction) ([]float32, error)
}

// profile is the weighted mean of the vectors of texts.
type profile struct {
	mean    behaviour.Mean
	vectors *exact.Space
	touches []behaviour.Touch
	user    []float32
}

// encode is the user's vector, nil where the history says nothing.
func (p *profile) encode(history []dataset.Interaction) ([]float32, error) {
	p.touches = p.touches[:0]
	newest := int64(0)
	for _, e := range history {
		newest = max(newest, micros(e))
	}
	for _, e := range history {
		if _, positive := kindOf(e); !positive {
			continue
		}
		age := time.Duration(-1) // not known
		if at := micros(e); at != 0 {
			age = time.Duration(newest-at) * time.Microsecond
		}
		p.touches = append(p.touches, behaviour.Touch{Vector: p.vectors.Vector(e.Item), Weight: 1, Age: age})
	}
	if p.user == nil {
		p.user = make([]float32, p.vectors.Dim())
	}
	ok, err := p.mean.Encode(p.user, p.touches)
	if err != nil || !ok {
		return nil, err
	}
	return p.user, nil
}

// retrieval ranks by the inner product alone.
type retrieval struct {
	profile profiler
	space   *exact.Space
	items   int
	repeats bool
	allow   []uint64
	hits    []index.Hit
	shown   []uint32
}

func (s *retrieval) ask(q dataset.Query) (int, []uint32, error) {
	user, err := s.profile.encode(q.History)
	if err != nil || user == nil {
		return s.items, nil, err
	}
	s.allowAll()
	if !s.repeats {
		for _, e := range q.History {
			s.allow[e.Item/64] &^= 1 << (e.Item % 64)
		}
	}
	s.hits, err = s.space.Search(index.Query{Vector: user, K: topShown, Allow: s.allow}, s.hits[:0])
	if err != nil {
		return 0, nil, err
	}
	s.shown = s.shown[:0]
	for _, hit := range s.hits {
		s.shown = append(s.shown, hit.ID)
	}
	return s.rank(user, q.Target), s.shown, nil
}

func (s *retrieval) allowAll() {
	if s.allow == nil {
		s.allow = make([]uint64, (s.items+63)/64)
	}
	for i := range s.allow {
		s.allow[i] = ^uint64(0)
	}
}

// rank is one more than how many items are at least as near as the target.
func (s *retrieval) rank(user []float32, target uint32) int {
	want := s.space.Vector(target)
	if want == nil || s.allow[target/64]&(1<<(target%64)) == 0 {
		return s.items
	}
	least, rank := vek32.Dot(user, want), 1
	for item, v := range s.space.Rows() {
		if v != nil && uint32(item) != target && s.allow[item/64]&(1<<(item%64)) != 0 && vek32.Dot(user, v) >= least {
			rank++
		}
	}
	return rank
}

// full asks the serving pipeline.
type full struct {
	profile  profiler
	pipeline *ranker.Pipeline
	items    int
	repeats  bool
	seed     uint64
	policy   *rerank.Policy // nil: none
	request  ranker.Request
	response ranker.Response
	shown    []uint32
}

// deep is how many items are asked for: more than figures at 10 need, for mrr, and
// few enough that the candidates are those of a live request. A target below
// ranks last; it would have added less than a hundredth to mrr.
const deep = 100

func (s *full) ask(q dataset.Query) (int, []uint32, error) {
	user, err := s.profile.encode(q.History)
	if err != nil {
		return 0, nil, err
	}
	req := &s.request
	*req = ranker.Request{History: touches(req.History[:0], q.History), UserVector: user, Limit: min(deep, s.items), Seed: s.seed, Seen: seenPolicy(s.repeats)}
	if s.policy != nil {
		req.Policy, req.Seed = s.policy, seedOf(s.seed, q)
	}
	for _, t := range req.History {
		req.Now = max(req.Now, t.Time)
	}
	if err := s.pipeline.Recommend(req, &s.response); err != nil {
		return 0, nil, err
	}
	s.shown = s.shown[:0]
	for _, x := range s.response.Items[:min(topShown, len(s.response.Items))] {
		s.shown = append(s.shown, x.Item)
	}
	if s.policy != nil { // order is not by score alone
		return placeAmong(s.response.Items, q.Target, s.items), s.shown, nil
	}
	return rankAmong(s.response.Items, q.Target, s.items), s.shown, nil
}

// touches appends what speaks for items.
func touches(to []ranker.Touch, history []dataset.Interaction) []ranker.Touch {
	for _, e := range history {
		if kind, positive := kindOf(e); positive {
			to = append(to, ranker.Touch{Item: e.Item, Kind: kind, Time: micros(e)})
		}
	}
	return to
}

func seenPolicy(repeats bool) ranker.SeenPolicy {
	if repeats {
		return ranker.Keep
	}
	return ranker.HideInteracted
}

// rankAmong is the place of the target, after all that have its score; last where
// it is not among them.
func rankAmong(list []ranker.Ranked, target uint32, last int) int {
	for i := range list {
		if list[i].Item != target {
			continue
		}
		for i+1 < len(list) && list[i+1].Score >= list[i].Score {
			i++
		}
		return i + 1
	}
	return last
}

// placeAmong is the place of the target, after all that have its value; last where it is
// not among them.
func placeAmong(list []ranker.Ranked, target uint32, last int) int {
	for i := range list {
		if list[i].Item != target {
			continue
		}
		for i+1 < len(list) && list[i+1].Value == list[i].Value {
			i++
		}
		return i + 1
	}
	return last
}
