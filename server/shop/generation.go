package shop

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/hnsw"
	"github.com/kindred-rec/kindred/ranker"
)

// generation is what serves a tenant now. Its vectors and its index change with the
// catalog; the encoder, the engine and the meaning of the vectors do not.
type generation struct {
	id       string
	number   int64 // counts the tenant's generations since the start
	encoder  embed.Encoder
	queries  embed.Encoder // of what somebody searches for
	slow     bool          // the encoder is: vectors come from the backlog
	bridge   bool          // serves until another one is filled
	engine   Engine
	index    index.Index // nil until it is built
	vectors  *vectors
	nearest  *nearest
	around   *ranker.NeighbourCache
	pipeline *ranker.Pipeline
	changes  atomic.Uint64 // of vectors
	encoded  atomic.Int64

	// following: the index changes with the vectors. Until then the applier changes
	// the vectors alone, and what it changed is brought over. Guarded by Shop.applying.
	following bool

	check    atomic.Pointer[indexCheck] // the last self-check; nil: none
	restored restoration
}

// restoration says what became of the snapshot at the start. It stands still once the
// generation serves.
type restoration struct {
	from                    time.Time // when the snapshot was written; zero: there was none
	added, changed, removed int64     // what was repaired
}

// newGeneration makes one over the tenant's live table and counters, whose index is to
// be built.
func (s *Shop) newGeneration(encoder embed.Encoder, bridge bool) (*generation, error) {
	g := &generation{
		number: s.generations.Add(1), encoder: encoder, queries: embed.QueriesOf(encoder), bridge: bridge,
		slow: !bridge && s.encoding != nil, nearest: new(nearest),
	}
	g.vectors = newVectors(g.dim(), s.config.MaxItems)
	var err error
	if g.around, err = ranker.NewNeighbourCache(g.nearest, g.vectors, neighbourSlots, neighbourCount); err != nil {
		return nil, err
	}
	g.pipeline, err = ranker.New(ranker.World{
		Catalog: s.table, Vectors: g.vectors, Nearest: g.nearest, Neighbours: g.around,
		CoVisited: s.counters.covisit, Popular: s.counters.popular, Trending: s.counters.trending, Arrivals: s.arrivals,
	})
	return g, err
}

// like makes another generation of the same vectors.
func (s *Shop) like(g *generation) (*generation, error) { return s.newGeneration(g.encoder, g.bridge) }

// dim is the number of components of its vectors. Generations may differ in it.
func (g *generation) dim() int { return g.encoder.Info().Dim }

// use gives a generation that does not serve yet its index.
func (g *generation) use(engine Engine, idx index.Index, effort int) {
	g.engine, g.index, g.nearest.index = engine, idx, idx
	g.nearest.effort.Store(int64(effort))
	g.id = fmt.Sprintf("%s/%s/%d", g.encoder.Info().Model, engine, g.number)
	g.check.Store(nil)
	g.restored = restoration{}
}

// graph is the index, if it is one that is checked and kept.
func (g *generation) graph() (*hnsw.Index, bool) {
	x, ok := g.index.(*hnsw.Index)
	return x, ok
}

// put gives an item its vector, nil to take it out. The vector must not change after.
func (g *generation) put(number uint32, v []float32) error {
	had := g.vectors.Vector(number)
	if slices.Equal(had, v) {
		return nil // a feed that repeats itself costs the index nothing
	}
	if g.following {
		if err := place(g.index, number, v); err != nil {
			return err
		}
	}
	g.vectors.set(number, v)
	switch {
	case had == nil:
		g.encoded.Add(1)
	case v == nil:
		g.encoded.Add(-1)
	}
	g.changes.Add(1)
	g.around.Changed()
	return nil
}

// putAll puts many.
func (g *generation) putAll(made []coded) error {
	for _, c := range made {
		if err := g.put(c.number, c.vector); err != nil {
			return err
		}
	}
	return nil
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
