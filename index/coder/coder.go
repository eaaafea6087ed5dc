// Package coder adapts github.com/coder/hnsw to the index contract, so that it
// can be chosen and compared.
//
// The package beneath is a generic in-memory graph over maps. Three things
// keep it from serving as it is, and the adapter answers each:
//
//   - It is not safe for concurrent use. Here writers exclude everybody, and
//     searches share a lock.
//   - Deleting and then adding can panic. Here nothing is ever deleted from
//     the graph: a deleted or replaced vector stays as a tombstone that is
//     passed over, and when tombstones outnumber items the graph is built
//     anew. That build holds the lock.
//   - It has no filters. Here a filtered query is answered exactly, by an
//     index/flat that also holds the vectors for Vector and for snapshots.
//
// What the adapter cannot mend is recall: the search below stops at the first
// step that improves nothing. Measured, recall@10: .17 at the package's own
// defaults and .74 at M=32, ef=200 over 50,000 clustered vectors of 64
// dimensions, and .4 to .5 over a few thousand of 24 to 32 dimensions at M=32,
// ef=200, in the conformance suite, which says so by name. A large catalog
// wants index/hnsw.
package coder

import (
	"cmp"
	"fmt"
	"math/rand"
	"slices"
	"sync"

	"github.com/coder/hnsw"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/flat"
	"github.com/kindred-rec/kindred/index/internal/simd"
)

// Config bounds and tunes an index.
type Config struct {
	Dim      int   // length of every vector, 1 to 65,536
	MaxItems int   // item numbers are below this; 1 to 2^31-1
	M        int   // links of a node; 0 means 32, at most 256
	EfSearch int   // default effort of a search and effort of an Add; 0 means 200
	Seed     int64 // of the levels; the search's entry point stays random
}

func (c Config) withDefaults() (Config, error) {
	c.M, c.EfSearch = cmp.Or(c.M, 32), cmp.Or(c.EfSearch, 200)
	if c.M < 2 || c.M > 256 {
		return c, fmt.Errorf("%w: M is %d, must be 2 to 256, or 0 for 32", index.ErrConfig, c.M)
	}
	if c.EfSearch < 1 {
		return c, fmt.Errorf("%w: EfSearch is %d, must be at least 1, or 0 for 200", index.ErrConfig, c.EfSearch)
	}
	return c, nil
}

// Index is a coder/hnsw graph behind a lock; it meets index.Index.
type Index struct {
	cfg     Config
	mu      sync.RWMutex
	vectors *flat.Index
	graph   *hnsw.Graph[uint32] // its keys are nodes, never used twice
	items   []uint32            // item of a node, or dead
	nodes   map[uint32]uint32   // node of an item
}

var _ index.Index = (*Index)(nil)

// dead marks a node whose item was deleted or has a newer node.
const dead = ^uint32(0)

// New returns an empty index.
func New(cfg Config) (*Index, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	vectors, err := flat.New(flat.Config{Dim: cfg.Dim, MaxItems: cfg.MaxItems})
	if err != nil {
		return nil, err
	}
	x := &Index{cfg: cfg, vectors: vectors}
	x.reset()
	return x, nil
}

func (x *Index) reset() {
	x.graph = hnsw.NewGraph[uint32]()
	x.graph.M, x.graph.EfSearch = x.cfg.M, x.cfg.EfSearch
	x.graph.Rng = rand.New(rand.NewSource(x.cfg.Seed))
	x.graph.Distance = func(a, b []float32) float32 { return -simd.Dot(a, b) }
	x.items, x.nodes = nil, map[uint32]uint32{}
}

// Search finds items through the graph, or exactly if the query is filtered.
// Effort is efSearch. It allocates. See index.Searcher.
func (x *Index) Search(q index.Query, dst []index.Hit) ([]index.Hit, error) {
	if err := q.Check(); err != nil {
		return dst, err
	}
	if err := index.CheckVector(q.Vector, x.cfg.Dim); err != nil {
		return dst, err
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if q.Allow != nil || len(x.nodes) == 0 {
		return x.vectors.Search(q, dst)
	}
	return append(dst, x.walk(q)...), nil
}

// walk asks the graph for more than K until enough of it is alive.
func (x *Index) walk(q index.Query) []index.Hit {
	graph := *x.graph // a copy, because the effort is a field
	graph.EfSearch = cmp.Or(q.Effort, x.cfg.EfSearch)
	k := min(q.K, len(x.nodes))
	for ask := k + k*(len(x.items)-len(x.nodes))/len(x.nodes); ; ask *= 2 {
		hits := x.alive(graph.SearchWithDistance(q.Vector, min(ask, len(x.items))))
		if len(hits) >= k || ask >= len(x.items) {
			return hits[:min(k, len(hits))]
		}
	}
}

// alive turns what the graph found into hits, in order.
func (x *Index) alive(found []hnsw.SearchResult[uint32]) []index.Hit {
	hits := make([]index.Hit, 0, len(found))
	for _, f := range found {
		if item := x.items[f.Key]; item != dead {
			hits = append(hits, index.Hit{ID: item, Score: 0 - f.Distance})
		}
	}
	slices.SortFunc(hits, func(a, b index.Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID))
	})
	return hits
}

// Vector appends the vector of id to dst. See index.Index.
func (x *Index) Vector(id uint32, dst []float32) ([]float32, bool) { return x.vectors.Vector(id, dst) }

// Len is the number of items present.
func (x *Index) Len() int { return x.vectors.Len() }

// Dim is the length of every vector.
func (x *Index) Dim() int { return x.cfg.Dim }

// Stats describes the index; the bytes of the graph are estimates, from what
// the heap grew by for each node.
func (x *Index) Stats() index.Stats {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := x.vectors.Stats()
	s.Engine = "coder"
	s.Deleted = len(x.items) - len(x.nodes)
	s.VectorBytes += int64(len(x.items)) * int64(x.cfg.Dim) * 4
	s.LinkBytes = int64(len(x.items)) * int64(x.cfg.M) * bytesPerLink
	return s
}
