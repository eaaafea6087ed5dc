package hnsw

import (
	"cmp"
	"runtime"
	"slices"
	"unsafe"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/internal/topk"
)

// Search walks the graph; Effort is efSearch, raised to K where it is below.
// See index.Searcher.
func (x *Index) Search(q index.Query, dst []index.Hit) ([]index.Hit, error) {
	if err := q.Check(); err != nil {
		return dst, err
	}
	if err := index.CheckVector(q.Vector, x.cfg.Dim); err != nil {
		return dst, err
	}
	s := x.pool.begin()
	defer x.pool.end(s)
	dst = x.search(s, q, dst)
	runtime.KeepAlive(x)
	return dst, nil
}

func (x *Index) search(s *scratch, q index.Query, dst []index.Hit) []index.Hit {
	x.space.ask(&s.query, q.Vector)
	live := x.Len()
	k := min(q.K, live)
	if k == 0 {
		return dst
	}
	ef := max(cmp.Or(q.Effort, x.cfg.EfSearch), k)
	if q.Allow != nil {
		return x.searchAllowed(s, q, k, ef, dst)
	}
	if live <= scanPerEf*ef {
		return x.scan(s, q, k, ef, dst) // a walk would take as long
	}
	// Dead nodes take places in the beam, so it grows by their share.
	dead := int(x.sweep.dead.Load())
	x.walkFrom(s, ef+ef*dead/live)
	s.keepBeam(nil)
	n := len(dst)
	dst = x.finish(s, k, dst)
	if len(dst)-n < k {
		// All that is near was deleted at once: look past it.
		return x.searchAllowed(s, q, k, ef, dst[:n])
	}
	return dst
}

// walkFrom descends from the entry and fills the beam on the lowest level.
func (x *Index) walkFrom(s *scratch, ef int) {
	s.beam.reset(ef)
	if key, ok := x.approach(s); ok {
		x.walk(s, key, 0)
	}
}

// approach begins a walk and descends the upper levels. It returns the node to
// which they lead, or false if there is none.
func (x *Index) approach(s *scratch) (key uint64, ok bool) {
	e := x.entry.Load()
	if e == noEntry {
		return 0, false
	}
	s.visits.Begin(int(x.bound.Load())) // after the entry, which lies below it
	node, level := unpackEntry(e)
	key = x.scoreOne(s, node)
	for ; level > 0; level-- {
		key = x.descend(s, key, level)
	}
	return key, true
}

func (x *Index) scoreOne(s *scratch, node uint32) uint64 {
	s.nodes = append(s.nodes[:0], node)
	s.scores = fit(s.scores, 1)
	x.space.score(&s.query, s.nodes, s.scores)
	return makeKey(s.scores[0], node)
}

func fit[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

// descend goes to the best neighbour on level until none is better.
func (x *Index) descend(s *scratch, best uint64, level int) uint64 {
	for {
		s.links = readLinks(x.graph.links(nodeOf(best), level), s.links[:0])
		s.scores = fit(s.scores, len(s.links))
		x.space.score(&s.query, s.links, s.scores)
		was := best
		for i, node := range s.links {
			if int(node) < s.visits.Len() { // the others came during this walk
				best = max(best, makeKey(s.scores[i], node))
			}
		}
		if best == was {
			return best
		}
	}
}

// walk fills the beam from one node on a level: it follows the links of the
// best node not followed yet, until every node of the beam is.
func (x *Index) walk(s *scratch, from uint64, level int) {
	width := x.graph.capacity(level)
	s.nodes, s.scores = fit(s.nodes, width), fit(s.scores, width)
	s.visits.Visit(nodeOf(from))
	b := &s.beam
	b.insert(from)
	for {
		node, ok := b.follow()
		if !ok {
			return
		}
		var ahead unsafe.Pointer
		if next, ok := b.ahead(); ok {
			ahead = unsafe.Pointer(&x.graph.links(next, level)[0])
		}
		n := s.visits.Unseen(x.graph.links(node, level), s.nodes, x.space.walked, ahead)
		x.offer(s, s.nodes[:n])
	}
}

// offer scores nodes and puts those that pass the bar into the beam. s.scores
// must be as long.
func (x *Index) offer(s *scratch, nodes []uint32) {
	x.space.score(&s.query, nodes, s.scores)
	b := &s.beam
	bar, low := b.bar()
	for i, node := range nodes {
		if s.scores[i] < low { // most, once the beam is full
			continue
		}
		if key := makeKey(s.scores[i], node); key > bar {
			b.insert(key)
			bar, low = b.bar()
		}
	}
}

// keepBeam lists in s.nodes the nodes of the beam that keep admits, all if it
// is nil, with their scores in s.scores, and returns how many there are.
func (s *scratch) keepBeam(keep func(node uint32) bool) int {
	s.nodes, s.scores = s.nodes[:0], s.scores[:0]
	for _, key := range s.beam.keys {
		if node := nodeOf(key); keep == nil || keep(node) {
			s.nodes = append(s.nodes, node)
			s.scores = append(s.scores, scoreOf(key))
		}
	}
	return len(s.nodes)
}

// finish appends the k best of s.nodes, which keepBeam left, that stand for an
// item.
func (x *Index) finish(s *scratch, k int, dst []index.Hit) []index.Hit {
	x.settle(s, k)
	for {
		moves := x.moves.Load()
		s.best.Reset(k)
		for i, node := range s.nodes {
			if s.best.Full() && s.scores[i] < topk.Score(s.best.Worst()) && x.space.codes == nil {
				break // in order, and no tie left to settle by item number
			}
			if id, ok := x.itemAt(node); ok {
				s.best.Offer(topk.Key(s.scores[i], id))
			}
		}
		// An item that moved meanwhile might be here twice or not at all.
		if x.moves.Load() == moves {
			return s.appendBest(dst)
		}
	}
}

// settle makes s.scores exact, for Int8, where codes only order the walk. The
// first nodes are scored by their float vectors; how far off the codes were
// there tells how far down the list another of the k best may hide, and the
// nodes below are dropped: each one's float vector is a miss of every cache.
func (x *Index) settle(s *scratch, k int) {
	if x.space.codes == nil {
		return
	}
	first := min(len(s.nodes), max(k, settleSample))
	exact := fit(s.exact, len(s.nodes))
	x.space.exact(&s.query, s.nodes[:first], exact)
	off := float32(0)
	s.best.Reset(k)
	for i, score := range exact[:first] {
		off = max(off, score-s.scores[i], s.scores[i]-score)
		s.best.Offer(topk.Key(score, uint32(i)))
	}
	n := first
	if s.best.Full() {
		bar := topk.Score(s.best.Worst()) - settleMargin*off
		for n < len(s.nodes) && s.scores[n] >= bar {
			n++
		}
	} else {
		n = len(s.nodes)
	}
	x.space.exact(&s.query, s.nodes[first:n], exact[first:])
	s.nodes = s.nodes[:n]
	s.scores, s.exact = exact[:n], s.scores
}

const (
	settleSample = 8 // nodes that the error of the codes is judged by, at least
	settleMargin = 2 // times the largest error seen
)

func (s *scratch) appendBest(dst []index.Hit) []index.Hit {
	for _, key := range s.best.Descending() {
		dst = append(dst, index.Hit{ID: topk.ID(key), Score: topk.Score(key)})
	}
	return dst
}
