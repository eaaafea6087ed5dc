package hnsw

import (
	"math"
	"math/bits"
	"runtime"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/internal/simd"
)

const (
	siftFirst   = 128  // items scored before anything is decided, beside 2k
	siftSample  = 2048 // allowed items whose sums are counted
	siftScored  = 16   // one in so many of them is scored
	siftLearned = 1000 // items whose scores are compared with their sums
)

// sift finds the best allowed items by their codes in the sketch, and scores
// those by their vectors that may be among the k best: all whose sum of table
// entries reaches a level. A sample of the allowed items, and what was scored
// already, tell by a straight line what score goes with a sum and how far off it
// is, and so how many of the k best are to be expected below a level. Where
// codes tell little the level is low, and much is scored: bad codes cost time,
// not recall. Fewer than k are found, if not none, where the codes of all are
// alike, or items were deleted meanwhile.
func (x *Index) sift(s *scratch, q index.Query, k, ef int, dst []index.Hit) []index.Hit {
	codes := x.sketches.ready.Load()
	if codes == nil {
		return dst
	}
	var ok bool
	if s.tables, s.products, ok = codes.tabulate(q.Vector, s.tables[:0], s.products[:0]); !ok {
		return dst
	}
	allow := q.Allow[:min(len(q.Allow), codes.blocks.Rows(), (len(x.nodes)+63)/64)]
	x.sumCodes(s, codes, len(allow))
	x.sampleSums(s, allow)
	s.beam.reset(ef)
	low := s.forecast.levelOf(float64(siftFirst + 2*k))
	x.scoreBetween(s, allow, low, math.MaxUint8)
	for low > 0 {
		next := 0
		if len(s.beam.keys) >= k {
			next = s.forecast.reach(s.beam.keys[:k], low)
		}
		if next >= low {
			break
		}
		x.scoreBetween(s, allow, next, low-1)
		low = next
	}
	s.keepBeam(nil)
	runtime.KeepAlive(codes)
	return x.rankListed(s, k, dst)
}

// sumCodes sets s.sums to the sums of items below 64*n.
func (x *Index) sumCodes(s *scratch, codes *sketch, n int) {
	s.sums = fit(s.sums, 64*n)
	chunk := 1 << codes.blocks.Table().Shift
	for at := 0; at < n; at += chunk {
		end := min(at+chunk, n)
		simd.SumNibbles(s.tables, codes.block(uint32(at), end-at), s.sums[64*at:64*end])
	}
}

// sampleSums begins a forecast from a sample of the allowed items.
func (x *Index) sampleSums(s *scratch, allow []uint64) {
	kept := 0
	for _, word := range allow {
		kept += bits.OnesCount64(word)
	}
	s.forecast = forecast{}
	s.nodes, s.listed = s.nodes[:0], s.listed[:0]
	seen := 0
	for w := 0; w < len(allow); w += max(1, kept/siftSample) {
		for word := allow[w]; word != 0; word &= word - 1 {
			id := 64*w + bits.TrailingZeros64(word)
			s.forecast.items[s.sums[id]]++
			if seen++; seen%siftScored == 1 {
				x.list(s, id)
			}
		}
	}
	s.forecast.each = float64(kept) / float64(max(seen, 1))
	s.scores = fit(s.scores, len(s.nodes))
	x.space.score(&s.query, s.nodes, s.scores)
	s.forecast.learn(s.listed, s.scores)
}

// list appends the node of an item to s.nodes, and its sum to s.listed.
func (x *Index) list(s *scratch, id int) {
	if id >= len(x.nodes) {
		return
	}
	if place := x.nodes[id].Load(); place != 0 {
		s.nodes = append(s.nodes, place-1)
		s.listed = append(s.listed, s.sums[id])
	}
}

// scoreBetween scores the allowed items with sums from low to high into the
// beam, and learns from them.
func (x *Index) scoreBetween(s *scratch, allow []uint64, low, high int) {
	s.nodes, s.listed = s.nodes[:0], s.listed[:0]
	var hits [64]uint64
	for from := 0; from < len(allow); from += len(hits) {
		n := min(len(hits), len(allow)-from)
		simd.Between(s.sums[64*from:64*(from+n)], uint8(low), uint8(high), hits[:n])
		for w, word := range hits[:n] {
			for word &= allow[from+w]; word != 0; word &= word - 1 {
				x.list(s, 64*(from+w)+bits.TrailingZeros64(word))
			}
		}
	}
	s.scores = fit(s.scores, scanBatch)
	for i := 0; i < len(s.nodes); i += scanBatch {
		end := min(i+scanBatch, len(s.nodes))
		x.offer(s, s.nodes[i:end])
		if s.forecast.n < siftLearned {
			s.forecast.learn(s.listed[i:end], s.scores)
		}
	}
}
