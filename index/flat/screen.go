package flat

import (
	"math"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/internal/simd"
)

// A screened search reads the codes of all allowed items and the vectors of few. It is
// exact: with q and v the query and a vector, and q' and v' what their codes stand for,
//
//	|q·v - q'·v'| = |(q - q')·v + q'·(v - v')| <= |q - q'| |v| + |q'| |v - v'|,
//
// which is at most a margin E for all v, by the largest |v| and |v - v'| ever written.
// If K codes score at least b, the K best vectors score at least b - E, and their codes
// at least b - 2E: what scores less is ruled out. b comes from a histogram.

// screenPerHit is how many items for each hit wanted make it worth while, and
// screenDim the least dimension: shorter vectors are as quickly scored themselves.
const (
	screenPerHit = 8
	screenDim    = 64
	screenBins   = 1024
)

// rounding bounds what float32 adds to the error, as a share of |q| |v|.
const rounding = 1e-5

// codeStride is the length of a code in bytes, 0 where vectors have none.
func codeStride(dim int) int {
	if dim < screenDim {
		return 0
	}
	return (dim + simd.CodeBlock - 1) / simd.CodeBlock * simd.CodeBlock
}

// spread remembers the largest vector and the largest error of a code, which only grow.
type spread struct{ norm, off atomic.Uint32 } // bits of float32

// note takes a row with its code into account, before it can be found.
func (s *spread) note(row []float32, code []uint8, scale float32) {
	var norm, off float64
	for i, x := range row {
		d := float64(x) - float64(scale)*float64(int(code[i])-simd.CodeZero)
		norm += float64(x) * float64(x)
		off += d * d
	}
	raise(&s.norm, float32(math.Sqrt(norm)))
	raise(&s.off, float32(math.Sqrt(off)))
}

// raise makes a at least x, which is not negative: bits order as the numbers do.
func raise(a *atomic.Uint32, x float32) {
	bits := math.Float32bits(x)
	for old := a.Load(); old < bits; old = a.Load() {
		if a.CompareAndSwap(old, bits) {
			return
		}
	}
}

// margin bounds the error of scores by codes.
func (s *spread) margin(q *simd.CodedQuery, vector []float32) float32 {
	norm, off := math.Float32frombits(s.norm.Load()), math.Float32frombits(s.off.Load())
	away, length := q.Off(vector)
	return away*norm + length*off + rounding*(length+away)*norm
}

// screen is the working memory of a screened search.
type screen struct {
	query  simd.CodedQuery
	items  []uint32  // allowed ones
	scores []float32 // by their codes
	ints   []int32
	scale  [1]unsafe.Pointer
	bins   [screenBins]int32
}

// screens reports whether screening is worth while.
func (x *Index) screens(k int) bool {
	return x.cfg.Dim >= screenDim && x.Len() > screenPerHit*k+rowsPerChunk && simd.Name() != "portable"
}

// screened offers the best items to the heap. It reports false, and what was offered is
// void, if items vanished meanwhile and others may belong in their places, or if the
// codes rule out too little.
func (x *Index) screened(s *scratch, q index.Query) bool {
	c := &s.screen
	c.query.SetVector(q.Vector, codeStride(x.cfg.Dim))
	c.items, c.scores = c.items[:0], c.scores[:0]
	for n := range x.chunks {
		if chunk := x.chunks[n].Load(); chunk != nil {
			s.code(chunk, n, q.Allow)
		}
	}
	if len(c.items) <= 2*q.K {
		return false // quickly scored
	}
	margin := x.spread.margin(&c.query, q.Vector) // after the codes were read
	bar := c.kth(q.K) - 2*margin
	kept := 0
	for i, score := range c.scores {
		c.items[kept] = c.items[i]
		if score >= bar {
			kept++
		}
	}
	if kept > len(c.items)/2 {
		return false
	}
	return x.rescore(s, q, c.items[:kept])
}

// code scores the codes of the allowed items of chunk number n.
func (s *scratch) code(c *chunk, n int, allow []uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	rows := s.pick(c, n, allow)
	if len(rows) == 0 {
		return
	}
	p := &s.screen
	s.chunk[0], p.scale[0] = unsafe.Pointer(&c.codes[0]), unsafe.Pointer(&c.scales[0])
	codes := simd.Table{Chunks: s.chunk[:], Shift: 31, Stride: len(c.codes) / rowsPerChunk}
	scales := simd.Table{Chunks: p.scale[:], Shift: 31, Stride: 4}
	at := len(p.items)
	p.items = slices.Grow(p.items, len(rows))[:at+len(rows)]
	p.scores = slices.Grow(p.scores, len(rows))[:at+len(rows)]
	p.ints = slices.Grow(p.ints[:0], rowsPerChunk)[:rowsPerChunk]
	p.query.DotCodes(&codes, &scales, rows, p.ints, p.scores[at:])
	base := uint32(n * rowsPerChunk)
	for i, row := range rows {
		p.items[at+i] = base + row
	}
}

// kth returns a score that at least k of the items have, near the kth best.
func (c *screen) kth(k int) float32 {
	low, high := c.scores[0], c.scores[0]
	for _, x := range c.scores { // the built-in min and max look for NaN, too
		if x < low {
			low = x
		}
		if x > high {
			high = x
		}
	}
	width := (high - low) / screenBins
	if !(width > 0) || math.IsInf(float64(width), 0) {
		return low
	}
	c.bins = [screenBins]int32{}
	inverse := 1 / width
	for _, x := range c.scores {
		c.bins[min(int((x-low)*inverse), screenBins-1)]++
	}
	for bin, n := screenBins-1, int32(0); bin > 0; bin-- {
		if n += c.bins[bin]; n >= int32(k) {
			return low + float32(bin)*width - width*.01 // a hundredth for rounding
		}
	}
	return low
}

// rescore offers the vectors of items, which are in ascending order.
func (x *Index) rescore(s *scratch, q index.Query, items []uint32) bool {
	for len(items) > 0 {
		n, whole := int(items[0]/rowsPerChunk), 1
		for whole < len(items) && int(items[whole]/rowsPerChunk) == n {
			whole++
		}
		if !s.rescore(x.chunks[n].Load(), n, q, items[:whole]) {
			return false
		}
		items = items[whole:]
	}
	return s.heap.Full()
}

// rescore offers the vectors of items of chunk number n, unless one has vanished.
func (s *scratch) rescore(c *chunk, n int, q index.Query, items []uint32) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	rows := s.rows[:0]
	for _, item := range items {
		if !c.has(item) {
			return false
		}
		rows = append(rows, item%rowsPerChunk)
	}
	s.score(c, n, q, rows)
	return true
}
