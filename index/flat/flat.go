// Package flat finds nearest vectors by comparing the query with all of them.
//
// The answer is exact, so flat is the oracle for every other engine. It is
// also the plain choice for small catalogs: 3,459 vectors of 256 dimensions
// take some tens of microseconds, no more than a graph search of equal recall.
//
// Vectors lie row by row in chunks of 256. An item's number is its row, so
// nothing maps numbers to places, growth copies nothing, and a filter bitmap
// lines up with the rows: 64 at a time are passed over or scored. Memory is
// proportional to the largest item number in use, not to the number of items;
// give dense numbers.
//
// Beside each vector lies a code of a byte an element. A search of a large index scores
// the codes, a quarter of the memory, and then the vectors that the codes cannot rule
// out: see screen.go. The answer stays exact.
//
// Each chunk has a lock that readers share. A search holds one chunk's at a
// time, for a few microseconds; a write waits for no more than that.
package flat

import (
	"fmt"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/internal/simd"
	"github.com/kindred-rec/kindred/index/internal/topk"
)

const (
	wordsPerChunk = 4
	rowsPerChunk  = 64 * wordsPerChunk
)

// Config bounds an index.
type Config struct {
	Dim      int // length of every vector, 1 to 65,536
	MaxItems int // item numbers are below this; 1 to 2^31-1
}

func (c Config) validate() error {
	if c.Dim < 1 || c.Dim > 1<<16 {
		return fmt.Errorf("%w: Dim is %d, must be 1 to 65536", index.ErrConfig, c.Dim)
	}
	if c.MaxItems < 1 || c.MaxItems > math.MaxInt32 {
		return fmt.Errorf("%w: MaxItems is %d, must be 1 to 2147483647", index.ErrConfig, c.MaxItems)
	}
	return nil
}

// Index is an exact index; it meets index.Index.
type Index struct {
	cfg    Config
	chunks []atomic.Pointer[chunk] // by item number / rowsPerChunk; nil where none was added
	items  atomic.Int64
	made   atomic.Int64 // chunks that are not nil
	spread spread
}

var _ index.Index = (*Index)(nil)

// chunk holds the rows of 256 consecutive item numbers.
type chunk struct {
	mu      sync.RWMutex
	present [wordsPerChunk]uint64 // bit i: row i holds an item
	rows    []float32             // [256, dim]
	codes   []uint8               // [256, stride of codes]
	scales  [rowsPerChunk]float32 // of codes
}

func newChunk(dim int) *chunk {
	return &chunk{rows: make([]float32, rowsPerChunk*dim), codes: make([]uint8, rowsPerChunk*codeStride(dim))}
}

// New returns an empty index.
func New(cfg Config) (*Index, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := (cfg.MaxItems + rowsPerChunk - 1) / rowsPerChunk
	return &Index{cfg: cfg, chunks: make([]atomic.Pointer[chunk], n)}, nil
}

// scratch is what one search needs besides its result.
type scratch struct {
	heap   topk.Heap[uint64]
	rows   [rowsPerChunk]uint32
	scores [rowsPerChunk]float32
	chunk  [1]unsafe.Pointer
	screen screen
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// allRows is the row list of a full chunk.
var allRows = func() (rows [rowsPerChunk]uint32) {
	for i := range rows {
		rows[i] = uint32(i)
	}
	return rows
}()

// Search is exact: Effort has no meaning here. See index.Searcher.
func (x *Index) Search(q index.Query, dst []index.Hit) ([]index.Hit, error) {
	if err := q.Check(); err != nil {
		return dst, err
	}
	if err := index.CheckVector(q.Vector, x.cfg.Dim); err != nil {
		return dst, err
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.heap.Reset(q.K)
	if !x.screens(q.K) || !x.screened(s, q) {
		s.heap.Reset(q.K)
		for n := range x.chunks {
			if c := x.chunks[n].Load(); c != nil {
				s.scan(c, n, q)
			}
		}
	}
	return hits(s, dst), nil
}

// hits appends what the heap holds, best first.
func hits(s *scratch, dst []index.Hit) []index.Hit {
	for _, key := range s.heap.Descending() {
		dst = append(dst, index.Hit{ID: topk.ID(key), Score: topk.Score(key)})
	}
	return dst
}

// scan offers the allowed items of chunk number n.
func (s *scratch) scan(c *chunk, n int, q index.Query) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	rows := s.pick(c, n, q.Allow)
	if len(rows) == 0 {
		return
	}
	s.score(c, n, q, rows)
}

// score offers rows of chunk number n, whose lock is held.
func (s *scratch) score(c *chunk, n int, q index.Query, rows []uint32) {
	s.chunk[0] = unsafe.Pointer(&c.rows[0])
	table := simd.Table{Chunks: s.chunk[:], Shift: 31, Stride: 4 * len(q.Vector)}
	simd.DotGather(q.Vector, &table, rows, s.scores[:])
	base := uint32(n * rowsPerChunk)
	for i, row := range rows {
		s.heap.Offer(topk.Key(s.scores[i], base+row))
	}
}

// pick lists the rows that are present and allowed.
func (s *scratch) pick(c *chunk, n int, allow []uint64) []uint32 {
	count := 0
	full := true
	for w, word := range c.present {
		if allow != nil {
			word &= wordAt(allow, n*wordsPerChunk+w)
		}
		full = full && word == ^uint64(0)
		for ; word != 0; word &= word - 1 {
			s.rows[count] = uint32(64*w + bits.TrailingZeros64(word))
			count++
		}
	}
	if full {
		return allRows[:]
	}
	return s.rows[:count]
}

func wordAt(words []uint64, i int) uint64 {
	if i >= len(words) {
		return 0
	}
	return words[i]
}

// Len is the number of items present.
func (x *Index) Len() int { return int(x.items.Load()) }

// Dim is the length of every vector.
func (x *Index) Dim() int { return x.cfg.Dim }

// Stats describes the index. Chunks are counted whole.
func (x *Index) Stats() index.Stats {
	return index.Stats{
		Engine:      "flat",
		Storage:     "float32",
		Kernel:      simd.Name(),
		Items:       x.Len(),
		VectorBytes: x.made.Load() * rowsPerChunk * int64(4*x.cfg.Dim+codeStride(x.cfg.Dim)),
		OtherBytes:  int64(len(x.chunks)) * 8,
	}
}
