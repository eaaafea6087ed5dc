package shop

import (
	"sync/atomic"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/ranker"
)

// vectors holds the item vectors by number for the ranker, which reads single ones
// often. A vector is immutable; a change publishes another. Rows stand in fixed
// chunks, so that growth copies nothing. Reads take no lock; the applier writes.
type vectors struct {
	chunks []atomic.Pointer[vectorChunk]
}

const vectorChunkItems = 1 << 12

type vectorChunk [vectorChunkItems]atomic.Pointer[[]float32]

func newVectors(maxItems uint32) *vectors {
	return &vectors{chunks: make([]atomic.Pointer[vectorChunk], (maxItems+vectorChunkItems-1)/vectorChunkItems)}
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
		return *p
	}
	return nil
}

// set publishes a vector; nil takes it out. Numbers are below maxItems.
func (v *vectors) set(item uint32, vector []float32) {
	slot := &v.chunks[item/vectorChunkItems]
	chunk := slot.Load()
	if chunk == nil {
		if vector == nil {
			return
		}
		chunk = new(vectorChunk)
		slot.Store(chunk)
	}
	if vector == nil {
		chunk[item%vectorChunkItems].Store(nil)
		return
	}
	chunk[item%vectorChunkItems].Store(&vector)
}

// nearest searches the index for the ranker.
type nearest struct {
	index index.Searcher
	hits  pool[[]index.Hit]
}

// Nearest implements ranker.Nearest. A search that fails finds nothing: other
// sources then carry the reply.
func (n *nearest) Nearest(vector []float32, limit int, allow []uint64, dst []ranker.Scored) []ranker.Scored {
	buf := n.hits.get()
	defer n.hits.put(buf)
	found, err := n.index.Search(index.Query{Vector: vector, K: limit, Allow: allow}, (*buf)[:0])
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
