package shop

import (
	"sync/atomic"
	"unsafe"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/ranker"
)

// vectors holds the item vectors by number for the ranker, which reads single ones
// often. A vector is immutable; a change publishes another. Rows stand in fixed
// chunks, so that growth copies nothing. Reads take no lock; each item has one writer
// at a time.
//
// A slot points at the first component: the ranker reads hundreds of vectors a request,
// each a miss of the cache, and a slice header between would be another.
type vectors struct {
	dim    int
	chunks []atomic.Pointer[vectorChunk]
}

const vectorChunkItems = 1 << 12

type vectorChunk [vectorChunkItems]atomic.Pointer[float32]

func newVectors(dim int, maxItems uint32) *vectors {
	return &vectors{dim: dim, chunks: make([]atomic.Pointer[vectorChunk], (maxItems+vectorChunkItems-1)/vectorChunkItems)}
}

// Vector implements ranker.Vectors.
func (v *vectors) Vector(item uint32) []float32 {
	at := item / vectorChunkItems
	if int(at) >= len(v.chunks) {
		return nil
	}
	chunk := v.chunks[at].Load()
	if chunk == nil {
		return nil
	}
	if p := chunk[item%vectorChunkItems].Load(); p != nil {
		return unsafe.Slice(p, v.dim)
	}
	return nil
}

// set publishes a vector of v.dim components; nil takes it out. Numbers are below
// maxItems.
func (v *vectors) set(item uint32, vector []float32) {
	slot := &v.chunks[item/vectorChunkItems]
	chunk := slot.Load()
	if chunk == nil {
		if vector == nil {
			return
		}
		slot.CompareAndSwap(nil, new(vectorChunk)) // whoever was first
		chunk = slot.Load()
	}
	if vector == nil {
		chunk[item%vectorChunkItems].Store(nil)
		return
	}
	chunk[item%vectorChunkItems].Store(&vector[:v.dim][0])
}

// adopt takes over what other holds, which must stand still, and returns how many
// there are. v must be empty.
func (v *vectors) adopt(other *vectors) int64 {
	var held int64
	for at := range other.chunks {
		from := other.chunks[at].Load()
		if from == nil {
			continue
		}
		to := new(vectorChunk)
		for i := range from {
			if p := from[i].Load(); p != nil {
				to[i].Store(p)
				held++
			}
		}
		v.chunks[at].Store(to)
	}
	return held
}

// limit is a number above all items.
func (v *vectors) limit() uint32 { return uint32(len(v.chunks)) * vectorChunkItems }

// nearest searches the index for the ranker, with the effort that the last self-check
// found to do.
type nearest struct {
	index  index.Searcher // set before the generation serves
	effort atomic.Int64   // 0 for engines without
	hits   pool[[]index.Hit]
}

// search finds the limit nearest items that allow admits.
func (n *nearest) search(vector []float32, limit int, allow []uint64, dst []index.Hit) ([]index.Hit, error) {
	return n.index.Search(index.Query{Vector: vector, K: limit, Effort: int(n.effort.Load()), Allow: allow}, dst)
}

// Nearest implements ranker.Nearest. A search that fails finds nothing: other
// sources then carry the reply.
func (n *nearest) Nearest(vector []float32, limit int, allow []uint64, dst []ranker.Scored) []ranker.Scored {
	buf := n.hits.get()
	defer n.hits.put(buf)
	found, err := n.search(vector, limit, allow, (*buf)[:0])
	if err != nil {
		return dst
	}
	*buf = found
	for _, h := range found {
		dst = append(dst, ranker.Scored{Item: h.ID, Score: h.Score})
	}
	return dst
}

// The ranker's cache of item neighbours: its memory is at most slots times the
// length of a list times 8 bytes, 20 MB.
const (
	neighbourSlots = 1 << 14
	neighbourCount = 150
)
