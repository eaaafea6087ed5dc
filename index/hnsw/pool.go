package hnsw

import (
	"sync"
	"sync/atomic"

	"github.com/kindred-rec/kindred/index/internal/simd"
	"github.com/kindred-rec/kindred/index/internal/topk"
)

// scratch is the working memory of one walk. While a walk runs it holds the
// epoch in which it began, so that nodes it may have met are not reclaimed.
type scratch struct {
	epoch  atomic.Uint64 // 0 between walks
	size   atomic.Int64  // bytes, nearly: the marks and sums, which dwarf the rest
	visits simd.Visits
	beam   beam
	query  query
	row    query // a node's row as a query, while links are chosen
	nodes  []uint32
	scores []float32
	exact  []float32
	links  []uint32 // a list being read
	chosen []uint32
	ranked []uint64 // candidates for links, as keys
	all    []uint64 // a bitmap that allows everything, once one was needed
	best   topk.Heap[uint64]
	plan   [maxLevel + 1][]uint32 // links of a new node by level

	// Of sift.
	tables   []uint8   // what each centroid adds, [parts][16]
	products []float32 // of the query and the centroids, [parts][16]
	sums     []uint8   // of table entries, by item
	listed   []uint8   // sums of s.nodes
	forecast forecast
}

// pool lends scratches. Only so many exist, which bounds their memory; who
// comes when all are lent waits for a walk to end.
type pool struct {
	mu    sync.Mutex
	ended sync.Cond
	idle  []*scratch // the last returned is lent first: its memory is warm
	all   []*scratch
	limit int
	epoch atomic.Uint64
}

func newPool(limit int) *pool {
	p := &pool{limit: limit}
	p.ended.L = &p.mu
	p.epoch.Store(1)
	return p
}

// begin lends a scratch for a walk.
func (p *pool) begin() *scratch {
	s := p.take()
	s.epoch.Store(p.epoch.Load())
	return s
}

func (p *pool) take() *scratch {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) == 0 {
		if len(p.all) < p.limit {
			s := new(scratch)
			p.all = append(p.all, s)
			return s
		}
		p.ended.Wait()
	}
	last := len(p.idle) - 1
	s := p.idle[last]
	p.idle = p.idle[:last]
	return s
}

// end takes the scratch back.
func (p *pool) end(s *scratch) {
	s.size.Store(int64(s.visits.Len() + cap(s.sums)))
	s.epoch.Store(0)
	p.mu.Lock()
	p.idle = append(p.idle, s)
	p.mu.Unlock()
	p.ended.Signal()
}

// retire begins a new epoch and returns it: once passed reports it, no walk is
// left that began before this call.
func (p *pool) retire() uint64 { return p.epoch.Add(1) }

// passed reports whether every walk that runs began in epoch or later. A walk
// that has not stored its epoch yet has not read a link yet.
func (p *pool) passed(epoch uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.all {
		if e := s.epoch.Load(); e != 0 && e < epoch {
			return false
		}
	}
	return true
}

// bytes is the memory of all scratches, nearly.
func (p *pool) bytes() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := int64(0)
	for _, s := range p.all {
		n += s.size.Load()
	}
	return n
}
