// Package index finds the stored vectors that are nearest to a query vector.
//
// Retrieval decides what a recommender can show at all: an item that the index
// misses is never ranked. This package holds only the contract, [Index], and
// its words. Each engine is a package of its own:
//
//   - index/flat scans everything. It is exact, it is the oracle that the
//     others are judged by, and for small catalogs it is also the fastest.
//   - index/hnsw walks a navigable small-world graph: nearly exact, and far
//     cheaper for large catalogs.
//   - index/coder adapts the package coder/hnsw, for comparison.
//
// Use: make an engine from its configuration, Add vectors under item numbers,
// then Search.
//
//	idx, err := flat.New(flat.Config{Dim: 256, MaxItems: 1 << 20})
//	...
//	err = idx.Add(7, vector)
//	hits, err := idx.Search(index.Query{Vector: user, K: 200, Allow: inStock}, hits[:0])
//
// # The contract
//
// Nearness is the inner product, larger is nearer; with vectors of unit length
// that is cosine similarity. Vectors are expected to be of unit length, and
// engines other than flat lose recall where they are not. A zero vector is
// legal: its score with everything is 0, so it ranks below all that point the
// query's way, and a zero query ranks everything equal.
//
// Item numbers are given by the caller, dense from 0 and below the engine's
// MaxItems, which bounds what one wild number can make the engine allocate.
//
// Every method is safe for concurrent use with every other. A search sees each
// item either as it was before a concurrent write or as it is after; writes
// that returned before the search began are all seen.
//
// To write another engine, meet the interface and pass index/indextest.
package index

import (
	"errors"
	"io"
)

// Errors that every engine returns, wrapped with the offending values.
var (
	// ErrDimension: a vector's length is not the index's dimension.
	ErrDimension = errors.New("index: wrong dimension")
	// ErrNotFinite: a vector holds NaN or an infinity, or is so long that its
	// squared length overflows a float32.
	ErrNotFinite = errors.New("index: vector not finite")
	// ErrID: an item number is not below the index's MaxItems.
	ErrID = errors.New("index: item number out of bounds")
	// ErrExists: Add was given an item that is present; Update replaces it.
	ErrExists = errors.New("index: item exists")
	// ErrNotFound: Update or Delete was given an item that is not present.
	ErrNotFound = errors.New("index: item not found")
	// ErrQuery: a query's K or Effort is out of range.
	ErrQuery = errors.New("index: bad query")
	// ErrConfig: an engine's configuration is out of range.
	ErrConfig = errors.New("index: bad configuration")
	// ErrSnapshot: a snapshot is truncated, altered, or of another kind. The
	// index must be built again from its source.
	ErrSnapshot = errors.New("index: bad snapshot")
)

// Hit is one found item.
type Hit struct {
	ID    uint32
	Score float32 // inner product with the query
}

// Query asks for the K nearest items.
type Query struct {
	// Vector is [dim] float32. It is read only until Search returns.
	Vector []float32
	// K is how many items are wanted, at least 1. Fewer are found where fewer
	// are present and allowed.
	K int
	// Effort trades time for recall: efSearch for graphs, without meaning for
	// flat. 0 means the engine's default; negative is refused.
	Effort int
	// Allow restricts the search: bit i%64 of word i/64 set means that item i
	// may be found. nil allows all; items past the end are not allowed.
	Allow []uint64
}

// Searcher finds items.
type Searcher interface {
	// Search appends at most q.K hits to dst, best first, equal scores by
	// smaller item number, and returns the extended slice. Errors: ErrDimension,
	// ErrNotFinite, ErrQuery; dst is then returned as it came.
	Search(q Query, dst []Hit) ([]Hit, error)
}

// Writer changes what is indexed.
type Writer interface {
	// Add indexes a copy of v under id. Errors: ErrID, ErrDimension,
	// ErrNotFinite, ErrExists.
	Add(id uint32, v []float32) error
	// Update replaces the vector of id. Errors: as Add, but ErrNotFound for
	// ErrExists.
	Update(id uint32, v []float32) error
	// Delete removes id, which may be added again. Errors: ErrNotFound.
	Delete(id uint32) error
}

// Index is an engine.
type Index interface {
	Searcher
	Writer
	// Vector appends the vector of id to dst, as it was given (an engine that
	// stores a coarser form still keeps this one), and reports whether id is
	// present.
	Vector(id uint32, dst []float32) ([]float32, bool)
	// Len is the number of items present.
	Len() int
	// Dim is the length of every vector.
	Dim() int
	// Snapshot writes the index in the engine's own format, which the engine's
	// Load reads. Writes may go on: each item is written whole, but whether a
	// concurrent write is in the snapshot is open.
	Snapshot(w io.Writer) error
	// Stats describes the engine now.
	Stats() Stats
}

// Stats describes an engine and the memory it holds.
type Stats struct {
	Engine  string // flat, hnsw, coder
	Storage string // how vectors are stored: float32, int8
	Kernel  string // instruction set that scores vectors: avx512, avx2, portable
	Items   int    // present
	// Deleted counts items whose memory is not reclaimed yet.
	Deleted int
	// VectorBytes, LinkBytes and OtherBytes are resident memory: vectors and
	// their codes, graph links, and the rest (maps between numbers, scratch).
	// coder's are estimates.
	VectorBytes, LinkBytes, OtherBytes int64
	// MappedBytes is the size of mapped files, which the system may drop from
	// memory and read again.
	MappedBytes int64
}
