package shop

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/hnsw"
	"github.com/kindred-rec/kindred/ranker"
)

// space is a set of item vectors with the index that finds the nearest of them. Both
// follow the catalog; the engine and the meaning of the vectors do not change. Two
// generations may have one in common.
type space struct {
	number  int64         // counts the tenant's spaces since the start
	failed  *atomic.Int64 // items when a graph of its kind last found too little; 0: never
	engine  Engine
	index   index.Index // nil until it is built
	vectors *vectors
	nearest *nearest
	around  *ranker.NeighbourCache // nil: nobody asks for neighbours
	changes atomic.Uint64          // of vectors
	encoded atomic.Int64

	// following: the index changes with the vectors. Until then the applier changes
	// the vectors alone, and what it changed is brought over. Guarded by Shop.applying;
	// who holds Shop.refreshing sets it, and may read it.
	following bool

	check    atomic.Pointer[indexCheck] // the last self-check; nil: none
	restored restoration
}

// restoration says what became of the snapshot at the start. It stands still once the
// space serves.
type restoration struct {
	from                    time.Time // when the snapshot was written; zero: there was none
	added, changed, removed int64     // what was repaired
}

// newSpace makes an empty one, whose index is to be built.
func (s *Shop) newSpace(dim int, failed *atomic.Int64) *space {
	return &space{number: s.spaces.Add(1), failed: failed, vectors: newVectors(dim, s.config.MaxItems), nearest: new(nearest)}
}

// dim is the number of components of its vectors.
func (x *space) dim() int { return x.vectors.dim }

// use gives a space that does not serve yet its index.
func (x *space) use(engine Engine, idx index.Index, effort int) {
	x.engine, x.index, x.nearest.index = engine, idx, idx
	x.nearest.effort.Store(int64(effort))
	x.check.Store(nil)
	x.restored = restoration{}
}

// graph is the index, if it is one that is checked and kept.
func (x *space) graph() (*hnsw.Index, bool) {
	g, ok := x.index.(*hnsw.Index)
	return g, ok
}

// put gives an item its vector, nil to take it out. The vector must not change after.
func (x *space) put(number uint32, v []float32) error {
	had := x.vectors.Vector(number)
	if slices.Equal(had, v) {
		return nil // a feed that repeats itself costs the index nothing
	}
	if x.following {
		if err := place(x.index, number, v); err != nil {
			return err
		}
	}
	x.vectors.set(number, v)
	switch {
	case had == nil:
		x.encoded.Add(1)
	case v == nil:
		x.encoded.Add(-1)
	}
	x.changes.Add(1)
	if x.around != nil {
		x.around.Changed()
	}
	return nil
}

// adopt takes over the vectors of another space, which must stand still. x must be empty.
func (x *space) adopt(other *space) { x.encoded.Store(x.vectors.adopt(other.vectors)) }

// bytes is the memory of the vectors and the index.
func (x *space) bytes() int64 {
	st := x.index.Stats()
	return st.VectorBytes + st.LinkBytes + st.OtherBytes + x.encoded.Load()*int64(4*x.dim())
}

// place makes an index have a vector, or none if v is nil.
func place(idx index.Index, number uint32, v []float32) error {
	if v == nil {
		if err := idx.Delete(number); !errors.Is(err, index.ErrNotFound) {
			return err
		}
		return nil
	}
	err := idx.Add(number, v)
	if errors.Is(err, index.ErrExists) {
		err = idx.Update(number, v)
	}
	return err
}
