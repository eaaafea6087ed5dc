package hnsw

import (
	"sync/atomic"
	"unsafe"

	"github.com/kindred-rec/kindred/index/internal/simd"
)

const (
	// spareHits is how many times K allowed nodes a filtered walk must meet:
	// those that it meets last are the least certain.
	spareHits = 1.3
	// probe is how many nodes are followed before a walk is judged.
	probe = 12
)

// walkAllowed leaves in s.nodes, with their scores, the allowed ones of the
// nodes near the query, and reports false if it gave up or met fewer than k. It
// follows the links of all nodes, until the limits.ef best are followed, and so
// many more as forbidden ones are among them, up to what is wanted, and enough
// allowed ones are better than any node that is left to follow.
func (x *Index) walkAllowed(s *scratch, allow []uint64, k int, l limits) bool {
	want := int(spareHits*float64(k)) + 1
	key, ok := x.approach(s)
	if !ok {
		return false
	}
	near := x.shareLinked(allow, nodeOf(key))
	if !l.worth(want, near) {
		return false
	}
	s.beam.reset(l.ef + int(2*float64(want)/near))
	s.best.Reset(want)
	if !x.walkUntil(s, allow, key, want, l) {
		return false
	}
	return s.keepBeam(func(node uint32) bool { return x.allows(allow, node) }) >= k
}

// worth reports whether a walk that meets a share of allowed nodes will meet
// want of them in time, and what is near at all.
func (l limits) worth(want int, share float64) bool {
	return float64(want) <= l.follow*share && share >= l.share/2
}

// shareLinked is the share of the nodes that one links to that are allowed,
// counting one more than there are, so that it is not 0.
func (x *Index) shareLinked(allow []uint64, node uint32) float64 {
	allowed, all := 1, 1
	block := x.graph.links(node, 0)
	for i := range block {
		id := atomic.LoadUint32(&block[i])
		if id == simd.NoLink {
			break
		}
		if all++; x.allows(allow, id) {
			allowed++
		}
	}
	return float64(allowed) / float64(all)
}

// walkUntil fills the beam from one node, and s.best with the best allowed ones.
func (x *Index) walkUntil(s *scratch, allow []uint64, from uint64, want int, l limits) bool {
	width := x.graph.capacity(0)
	s.nodes, s.scores = fit(s.nodes, width), fit(s.scores, width)
	s.visits.Visit(nodeOf(from))
	b := &s.beam
	b.insert(from)
	if x.allows(allow, nodeOf(from)) {
		s.best.Offer(from)
	}
	allowed := 0 // of those followed
	for n := 1; ; n++ {
		node, ok := b.follow()
		if !ok {
			return s.best.Full()
		}
		rank := b.next // of this node in the beam
		if rank-min(n-allowed, want) > l.ef && s.best.Full() && b.keys[rank-1] < s.best.Worst() {
			return true
		}
		if x.allows(allow, node) {
			allowed++
		}
		if n >= probe && !l.worth(want, float64(allowed+1)/float64(n)) {
			return false
		}
		var ahead unsafe.Pointer
		if next, ok := b.ahead(); ok {
			ahead = unsafe.Pointer(&x.graph.links(next, 0)[0])
		}
		m := s.visits.Unseen(x.graph.links(node, 0), s.nodes, x.space.walked, ahead)
		x.offerAllowed(s, allow, s.nodes[:m], l.ef)
	}
}

// offerAllowed scores nodes and puts into the beam those that pass the bar,
// and the allowed ones of them into s.best.
func (x *Index) offerAllowed(s *scratch, allow []uint64, nodes []uint32, ef int) {
	x.space.score(&s.query, nodes, s.scores)
	bar, low := s.barAllowed(ef)
	for i, node := range nodes {
		if s.scores[i] < low {
			continue
		}
		key := makeKey(s.scores[i], node)
		if key <= bar {
			continue
		}
		s.beam.insert(key)
		if (!s.best.Full() || key > s.best.Worst()) && x.allows(allow, node) {
			s.best.Offer(key)
		}
		bar, low = s.barAllowed(ef)
	}
}

// barAllowed is the key that an offer must exceed, and its score, so that
// walkUntil would follow it yet: it is one of the ef best, or better than the
// worst in s.best.
func (s *scratch) barAllowed(ef int) (key uint64, score float32) {
	b := &s.beam
	if !s.best.Full() || len(b.keys) < ef {
		return b.bar()
	}
	key = min(s.best.Worst(), b.keys[ef-1])
	if len(b.keys) == b.size {
		key = max(key, b.keys[b.size-1])
	}
	return key, scoreOf(key)
}
