package hnsw

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/kindred-rec/kindred/index/internal/arena"
	"github.com/kindred-rec/kindred/index/internal/simd"
)

// graph holds the links. A list of links is a block of fixed size that ends at
// the first simd.NoLink. Readers take no lock: they read links one by one,
// atomically, and any mixture of an old and a new list is a list of nodes that
// exist, since a node is reclaimed only when no walk can hold it. Writers lock
// the node.
type graph struct {
	m     int
	base  *arena.Arena // lowest level: blocks of 2m links, by node
	first *arena.Arena // by node: its block in upper, 0 if it is on the lowest level alone
	upper *arena.Arena // blocks of m links, for one level of one node each
	locks [1024]sync.Mutex

	mu    sync.Mutex // guards what follows, and growth
	spare []uint32   // blocks of upper to use again
	used  int        // blocks of upper ever used; block 0 is never used
}

// Words of a block of upper before its links.
const (
	upperNext   = 0 // the block of the next level up, 0 at the node's top
	upperHeader = 1
)

// maxLevel bounds levels; one node in M^16 would want more.
const maxLevel = 15

func newGraph(cfg Config) *graph {
	n := cfg.maxNodes()
	g := &graph{m: cfg.M, used: 1}
	g.base = arena.New(4*2*cfg.M, n)
	g.first = arena.New(4, n)
	// One node in M has an upper block, one in M squared a second. With small M
	// all might.
	g.upper = arena.New(4*(upperHeader+cfg.M), 2*n+maxLevel)
	return g
}

func (g *graph) lock(node uint32) *sync.Mutex { return &g.locks[node%uint32(len(g.locks))] }

// capacity is how many links a node keeps on a level.
func (g *graph) capacity(level int) int {
	if level == 0 {
		return 2 * g.m
	}
	return g.m
}

func words(p unsafe.Pointer, n int) []uint32 { return unsafe.Slice((*uint32)(p), n) }

// links is the block of node on level, which must not be above its top.
func (g *graph) links(node uint32, level int) []uint32 {
	if level == 0 {
		return words(g.base.Row(node), 2*g.m)
	}
	return g.upperBlock(g.blockOf(node, level))[upperHeader:]
}

func (g *graph) upperBlock(block uint32) []uint32 {
	return words(g.upper.Row(block), upperHeader+g.m)
}

// blockOf is the upper block of node on level, which is at least 1; 0 if the
// node does not reach it.
func (g *graph) blockOf(node uint32, level int) uint32 {
	block := atomic.LoadUint32((*uint32)(g.first.Row(node)))
	for ; level > 1 && block != 0; level-- {
		block = atomic.LoadUint32(&g.upperBlock(block)[upperNext])
	}
	return block
}

// top is the highest level of node.
func (g *graph) top(node uint32) int {
	level := 0
	for block := g.blockOf(node, 1); block != 0; level++ {
		block = atomic.LoadUint32(&g.upperBlock(block)[upperNext])
	}
	return level
}

// place gives node empty blocks up to level. Nothing links to it yet.
func (g *graph) place(node uint32, level int) error {
	setLinks(g.links(node, 0), nil)
	blocks, err := g.takeBlocks(level)
	if err != nil {
		return err
	}
	above := uint32(0)
	for _, block := range blocks {
		b := g.upperBlock(block)
		setLinks(b[upperHeader:], nil)
		atomic.StoreUint32(&b[upperNext], above)
		above = block
	}
	atomic.StoreUint32((*uint32)(g.first.Row(node)), above)
	return nil
}

func (g *graph) takeBlocks(n int) ([]uint32, error) {
	if n == 0 {
		return nil, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var blocks []uint32
	for range n {
		if last := len(g.spare) - 1; last >= 0 {
			blocks = append(blocks, g.spare[last])
			g.spare = g.spare[:last]
			continue
		}
		if err := g.upper.Grow(g.used + 1); err != nil {
			g.spare = append(g.spare, blocks...)
			return nil, err
		}
		blocks = append(blocks, uint32(g.used))
		g.used++
	}
	return blocks, nil
}

// remove takes back the blocks of a node that no walk can hold.
func (g *graph) remove(node uint32) {
	setLinks(g.links(node, 0), nil)
	first := (*uint32)(g.first.Row(node))
	g.mu.Lock()
	defer g.mu.Unlock()
	for block := *first; block != 0; block = g.upperBlock(block)[upperNext] {
		g.spare = append(g.spare, block)
	}
	atomic.StoreUint32(first, 0)
}

// setLinks writes a list into its block. The caller holds the node's lock or
// is alone in knowing the node.
func setLinks(block, list []uint32) {
	for i := range block {
		id := uint32(simd.NoLink)
		if i < len(list) {
			id = list[i]
		}
		if block[i] != id { // an atomic store costs more than the look
			atomic.StoreUint32(&block[i], id)
		}
	}
}

// readLinks appends the list in block to dst.
func readLinks(block, dst []uint32) []uint32 {
	for i := range block {
		id := atomic.LoadUint32(&block[i])
		if id == simd.NoLink {
			break
		}
		dst = append(dst, id)
	}
	return dst
}

func (g *graph) grow(n int) error {
	if err := g.base.Grow(n); err != nil {
		return err
	}
	return g.first.Grow(n)
}
