package flat

import (
	"io"
	"math"
	"math/bits"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/internal/snapshot"
)

// The format: magic, version, dim, then for each chunk with items its number,
// its presence words and the rows present, then the end mark and the checksum.
const (
	magic   = "KINDFLAT"
	version = 1
	endMark = math.MaxUint32
)

// Snapshot writes the index; see index.Index. Each chunk is copied under its
// lock, then written without.
func (x *Index) Snapshot(w io.Writer) error {
	out := snapshot.NewWriter(w, magic, version)
	out.Uint32(uint32(x.cfg.Dim))
	held := chunk{rows: make([]float32, rowsPerChunk*x.cfg.Dim)}
	for n := range x.chunks {
		c := x.chunks[n].Load()
		if c == nil {
			continue
		}
		c.mu.RLock()
		held.present = c.present
		copy(held.rows, c.rows)
		c.mu.RUnlock()
		held.write(out, n, x.cfg.Dim)
	}
	out.Uint32(endMark)
	return out.Close()
}

// write writes the chunk's items, or nothing if it has none.
func (c *chunk) write(out *snapshot.Writer, n, dim int) {
	if c.present == [wordsPerChunk]uint64{} {
		return
	}
	out.Uint32(uint32(n))
	for _, word := range c.present {
		out.Uint64(word)
	}
	for id := range uint32(rowsPerChunk) {
		if c.has(id) {
			out.Float32s(c.row(id, dim))
		}
	}
}

// Load reads an index that Snapshot wrote. cfg must have the snapshot's Dim,
// and a MaxItems above its item numbers. A snapshot that is foreign, truncated
// or altered is refused with index.ErrSnapshot and the reason; an error of r
// itself comes back wrapped.
func Load(r io.Reader, cfg Config) (*Index, error) {
	x, err := New(cfg)
	if err != nil {
		return nil, err
	}
	in := snapshot.NewReader(r, magic, version)
	if dim := in.Uint32(); in.Err() == nil && int(dim) != cfg.Dim {
		in.Fail("its vectors have %d elements, the configuration says %d", dim, cfg.Dim)
	}
	next := 0 // chunks come in order, each once
	for in.Err() == nil {
		n := in.Uint32()
		if n == endMark {
			break
		}
		if in.Err() == nil && (int(n) < next || int(n) >= len(x.chunks)) {
			in.Fail("chunk %d, expected %d to %d for MaxItems = %d", n, next, len(x.chunks)-1, cfg.MaxItems)
		}
		if in.Err() == nil {
			x.read(in, n)
			next = int(n) + 1
		}
	}
	if err := in.Close(); err != nil {
		return nil, err
	}
	return x, nil
}

// read reads chunk number n.
func (x *Index) read(in *snapshot.Reader, n uint32) {
	c := x.chunkOf(n * rowsPerChunk)
	for w := range c.present {
		c.present[w] = in.Uint64()
		x.items.Add(int64(bits.OnesCount64(c.present[w])))
	}
	for row := range uint32(rowsPerChunk) {
		if !c.has(row) || in.Err() != nil {
			continue
		}
		id := n*rowsPerChunk + row
		if err := index.CheckID(id, x.cfg.MaxItems); err != nil {
			in.Fail("%w", err)
			return
		}
		v := c.row(row, x.cfg.Dim)
		in.Float32s(v)
		if err := index.CheckVector(v, x.cfg.Dim); err != nil && in.Err() == nil {
			in.Fail("item %d: %w", id, err)
		}
		if in.Err() == nil {
			c.encode(x, id)
		}
	}
}
