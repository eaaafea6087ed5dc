package hnsw

import (
	"sync/atomic"

	"github.com/kindred-rec/kindred/index/internal/topk"
)

// selectBatch is how many chosen links a candidate is compared with at once.
const selectBatch = 4

// choose appends to s.chosen, which it empties first, at most m of candidates,
// which are keys in descending order of nearness to one node. A candidate is
// chosen if it is nearer to that node than to any chosen before it, so that
// links point in different directions (Malkov and Yashunin, algorithm 4).
// Nodes that are dead, and avoid, are passed over.
func (x *Index) choose(s *scratch, candidates []uint64, avoid uint32, m int) []uint32 {
	s.chosen = s.chosen[:0]
	return x.chooseMore(s, candidates, avoid, m)
}

// chooseMore is choose, going on from what s.chosen holds.
func (x *Index) chooseMore(s *scratch, candidates []uint64, avoid uint32, m int) []uint32 {
	for _, key := range candidates {
		if len(s.chosen) == m {
			break
		}
		node := nodeOf(key)
		if node == avoid || atomic.LoadUint32(x.label(node))&deadMark != 0 {
			continue
		}
		if !x.shadowed(s, node, topk.Score(key)) {
			s.chosen = append(s.chosen, node)
		}
	}
	return s.chosen
}

// shadowed reports whether node is nearer to one of s.chosen than score.
func (x *Index) shadowed(s *scratch, node uint32, score float32) bool {
	if len(s.chosen) == 0 {
		return false
	}
	var scores [selectBatch]float32
	x.space.askRow(&s.row, node)
	for i := 0; i < len(s.chosen); i += selectBatch {
		batch := s.chosen[i:min(i+selectBatch, len(s.chosen))]
		x.space.score(&s.row, batch, scores[:])
		for j := range batch {
			if scores[j] > score {
				return true
			}
		}
	}
	return false
}
