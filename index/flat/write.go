package flat

import (
	"fmt"
	"sync/atomic"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/internal/simd"
)

// Add indexes a copy of v under id. See index.Writer.
func (x *Index) Add(id uint32, v []float32) error {
	if err := x.check(id, v); err != nil {
		return err
	}
	c := x.chunkOf(id)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.has(id) {
		return fmt.Errorf("%w: item %d; use Update", index.ErrExists, id)
	}
	c.put(x, id, v)
	c.present[id%rowsPerChunk/64] |= 1 << (id % 64)
	x.items.Add(1)
	return nil
}

// Update replaces the vector of id. See index.Writer.
func (x *Index) Update(id uint32, v []float32) error {
	if err := x.check(id, v); err != nil {
		return err
	}
	return x.withItem(id, func(c *chunk) { c.put(x, id, v) })
}

// Delete removes id. Its row is used again when id is added again.
func (x *Index) Delete(id uint32) error {
	return x.withItem(id, func(c *chunk) {
		c.present[id%rowsPerChunk/64] &^= 1 << (id % 64)
		x.items.Add(-1)
	})
}

// Vector appends the vector of id to dst. See index.Index.
func (x *Index) Vector(id uint32, dst []float32) ([]float32, bool) {
	c := x.existing(id)
	if c == nil {
		return dst, false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.has(id) {
		return dst, false
	}
	return append(dst, c.row(id, x.cfg.Dim)...), true
}

func (x *Index) check(id uint32, v []float32) error {
	if err := index.CheckID(id, x.cfg.MaxItems); err != nil {
		return err
	}
	return index.CheckVector(v, x.cfg.Dim)
}

// withItem runs change under the lock of id's chunk, if id is present.
func (x *Index) withItem(id uint32, change func(*chunk)) error {
	if c := x.existing(id); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.has(id) {
			change(c)
			return nil
		}
	}
	return fmt.Errorf("%w: item %d", index.ErrNotFound, id)
}

// existing is the chunk of id, or nil.
func (x *Index) existing(id uint32) *chunk {
	if int64(id) >= int64(x.cfg.MaxItems) {
		return nil
	}
	return x.chunks[id/rowsPerChunk].Load()
}

// chunkOf is the chunk of id, made if need be. Two makers may race; one chunk
// wins and the other was never seen.
func (x *Index) chunkOf(id uint32) *chunk {
	place := &x.chunks[id/rowsPerChunk]
	if c := place.Load(); c != nil {
		return c
	}
	return x.install(place, newChunk(x.cfg.Dim))
}

func (x *Index) install(place *atomic.Pointer[chunk], fresh *chunk) *chunk {
	if place.CompareAndSwap(nil, fresh) {
		x.made.Add(1)
		return fresh
	}
	return place.Load()
}

// put writes a vector and its code.
func (c *chunk) put(x *Index, id uint32, v []float32) {
	copy(c.row(id, x.cfg.Dim), v)
	c.encode(x, id)
}

// encode makes the code of id's row.
func (c *chunk) encode(x *Index, id uint32) {
	stride := codeStride(x.cfg.Dim)
	if stride == 0 {
		return
	}
	row, at := c.row(id, x.cfg.Dim), int(id%rowsPerChunk)
	code := c.codes[at*stride : (at+1)*stride]
	c.scales[at] = simd.Encode(row, code)
	x.spread.note(row, code, c.scales[at])
}

// has reports whether id, which falls in this chunk, is present.
func (c *chunk) has(id uint32) bool {
	return c.present[id%rowsPerChunk/64]>>(id%64)&1 != 0
}

// row is the place of id's vector in this chunk.
func (c *chunk) row(id uint32, dim int) []float32 {
	at := int(id%rowsPerChunk) * dim
	return c.rows[at : at+dim]
}
