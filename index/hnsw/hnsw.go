package hnsw

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/internal/arena"
	"github.com/kindred-rec/kindred/index/internal/simd"
)

// Index is a navigable small-world graph; it meets index.Index.
type Index struct {
	cfg   Config
	space *space
	graph *graph
	pool  *pool

	// labels[node] is the item of a node and its state; nodes[item] is the
	// item's node plus one, or 0. An item is found through a node only if both
	// agree, so one store to nodes makes a write visible, whole.
	labels *arena.Arena
	nodes  []atomic.Uint32
	moves  atomic.Uint64 // stores to nodes
	live   atomic.Int64  // items present

	entry   atomic.Uint64 // where walks begin: node and its level, or noEntry
	entryMu sync.Mutex    // held to change entry

	items [256]sync.Mutex // serialize the writes of one item

	alloc struct { // nodes that exist
		sync.Mutex
		used  int      // ever used
		spare []uint32 // reclaimed
	}
	bound atomic.Int64 // alloc.used, for walks
	sweep sweep

	sketches sketches
}

var _ index.Index = (*Index)(nil)

// A label is an item number with marks for a node that no longer stands for
// its item.
const (
	deadMark   = 1 << 31 // deleted or replaced: walked through, never found
	doomedMark = 1 << 30 // being swept: links to it are removed, none is made
	itemBits   = doomedMark - 1
	spareLabel = ^uint32(0) // a node that is not in use
)

// New returns an empty index.
func New(cfg Config) (*Index, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	space, err := newSpace(cfg)
	if err != nil {
		return nil, err
	}
	x := &Index{
		cfg:    cfg,
		space:  space,
		graph:  newGraph(cfg),
		pool:   newPool(cfg.Walks),
		labels: arena.New(4, cfg.maxNodes()),
		nodes:  make([]atomic.Uint32, cfg.MaxItems),
	}
	x.entry.Store(noEntry)
	return x, nil
}

const noEntry = ^uint64(0)

func packEntry(node uint32, level int) uint64 { return uint64(level)<<32 | uint64(node) }

func unpackEntry(e uint64) (node uint32, level int) { return uint32(e), int(e >> 32) }

func (x *Index) label(node uint32) *uint32 { return (*uint32)(x.labels.Row(node)) }

// itemAt is the item of a node, if the node stands for it now.
func (x *Index) itemAt(node uint32) (id uint32, ok bool) {
	id = atomic.LoadUint32(x.label(node)) & itemBits
	return id, int(id) < len(x.nodes) && x.nodes[id].Load() == node+1
}

// errFull is met by reclaiming nodes.
var errFull = errors.New("hnsw: all nodes are in use")

// takeNode returns a node that nothing links to.
func (x *Index) takeNode() (uint32, error) {
	a := &x.alloc
	a.Lock()
	defer a.Unlock()
	if last := len(a.spare) - 1; last >= 0 {
		node := a.spare[last]
		a.spare = a.spare[:last]
		return node, nil
	}
	if a.used == x.cfg.maxNodes() {
		return 0, errFull
	}
	n := a.used + 1
	if err := errors.Join(x.space.grow(n), x.graph.grow(n), x.labels.Grow(n)); err != nil {
		return 0, fmt.Errorf("hnsw: %w", err)
	}
	atomic.StoreUint32(x.label(uint32(n-1)), spareLabel)
	a.used = n
	x.bound.Store(int64(n))
	return uint32(n - 1), nil
}

// returnNode takes back a node that no walk can hold.
func (x *Index) returnNode(node uint32) {
	x.graph.remove(node)
	atomic.StoreUint32(x.label(node), spareLabel)
	x.alloc.Lock()
	x.alloc.spare = append(x.alloc.spare, node)
	x.alloc.Unlock()
}

// Vector appends the vector of id to dst. See index.Index.
func (x *Index) Vector(id uint32, dst []float32) ([]float32, bool) {
	if int(id) >= len(x.nodes) {
		return dst, false
	}
	s := x.pool.begin() // its epoch keeps the row from being used again
	defer x.pool.end(s)
	node := x.nodes[id].Load()
	if node == 0 {
		return dst, false
	}
	dst = append(dst, x.space.vector(node-1)...)
	runtime.KeepAlive(x)
	return dst, true
}

// Len is the number of items present.
func (x *Index) Len() int { return int(x.live.Load()) }

// Dim is the length of every vector.
func (x *Index) Dim() int { return x.cfg.Dim }

// Stats describes the index.
func (x *Index) Stats() index.Stats {
	s := index.Stats{
		Engine:  "hnsw",
		Storage: x.cfg.Storage.String(),
		Kernel:  simd.Name(),
		Items:   x.Len(),
		Deleted: int(x.sweep.dead.Load()),
	}
	add := func(resident *int64, arenas ...*arena.Arena) {
		for _, a := range arenas {
			if a != nil {
				r, m := a.Usage()
				*resident += r
				s.MappedBytes += m
			}
		}
	}
	add(&s.VectorBytes, x.space.floats, x.space.codes, x.space.scales)
	for _, k := range []*sketch{x.sketches.ready.Load(), x.sketches.next.Load()} {
		if k != nil {
			add(&s.VectorBytes, k.blocks)
		}
	}
	add(&s.LinkBytes, x.graph.base, x.graph.first, x.graph.upper)
	add(&s.OtherBytes, x.labels)
	s.OtherBytes += int64(4*len(x.nodes)) + x.pool.bytes()
	return s
}
