package hnsw

import (
	"math/bits"
	"sync/atomic"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/internal/topk"
)

// scan scores every item that is allowed. It is exact, but for Int8, where codes
// select what the float vectors then order.
func (x *Index) scan(s *scratch, q index.Query, k, ef int, dst []index.Hit) []index.Hit {
	if q.Allow == nil {
		x.listAll(s)
	} else {
		x.listAllowed(s, q.Allow)
	}
	x.preselect(s, ef)
	return x.rankListed(s, k, dst)
}

// rankListed appends the k best of s.nodes, which keepBeam left. Each was
// listed as the node of one item.
func (x *Index) rankListed(s *scratch, k int, dst []index.Hit) []index.Hit {
	x.settle(s, k)
	// Each item was listed once. One that moved since is found as it was.
	s.best.Reset(k)
	for i, node := range s.nodes {
		s.best.Offer(topk.Key(s.scores[i], atomic.LoadUint32(x.label(node))&itemBits))
	}
	return s.appendBest(dst)
}

// listAll lists the nodes that stand for an item, each item once.
func (x *Index) listAll(s *scratch) {
	for {
		moves := x.moves.Load()
		s.nodes = s.nodes[:0]
		for node := range uint32(x.bound.Load()) {
			if _, ok := x.itemAt(node); ok {
				s.nodes = append(s.nodes, node)
			}
		}
		if x.moves.Load() == moves {
			return
		}
	}
}

// listAllowed lists the nodes of allowed items.
func (x *Index) listAllowed(s *scratch, allow []uint64) {
	s.nodes = s.nodes[:0]
	for w, word := range allow[:min(len(allow), (len(x.nodes)+63)/64)] {
		for ; word != 0; word &= word - 1 {
			id := 64*w + bits.TrailingZeros64(word)
			if id >= len(x.nodes) {
				return
			}
			if place := x.nodes[id].Load(); place != 0 {
				s.nodes = append(s.nodes, place-1)
			}
		}
	}
}

// preselect keeps the n best of s.nodes as the walk scores them.
func (x *Index) preselect(s *scratch, n int) {
	s.beam.reset(n)
	s.scores = fit(s.scores, scanBatch)
	for i := 0; i < len(s.nodes); i += scanBatch {
		x.offer(s, s.nodes[i:min(i+scanBatch, len(s.nodes))])
	}
	s.keepBeam(nil)
}
