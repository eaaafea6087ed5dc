package hnsw

import (
	"io"
	"sync/atomic"
	"unsafe"

	"github.com/kindred-rec/kindred/index/internal/arena"
	"github.com/kindred-rec/kindred/index/internal/simd"
	"github.com/kindred-rec/kindred/index/internal/snapshot"
)

// The format: magic and version, the header's words, then sections of rows as
// they lie in memory, each from a multiple of sectionAlign on, so that a mapped
// file serves as it is: labels, first, upper, base, floats, and for Int8 codes
// and scales. At the end the checksum. Blocks of upper are numbered anew, in
// the order of their nodes and levels.
const (
	magic        = "KINDHNSW"
	version      = 1
	sectionAlign = 4096
	byteOrder    = 0x01020304 // reads otherwise on a machine of the other order
)

// header is what a snapshot says about itself, in words.
type header struct {
	Order, Dim, M, Storage   uint32
	Nodes, Blocks, Items     uint32
	EntryNode, EntryLevel    uint32 // node simd.NoLink: there is none
	FloatStride, CodesStride uint32
}

const headerWords = int(unsafe.Sizeof(header{}) / 4)

func (h *header) words() []uint32 { return unsafe.Slice(&h.Order, headerWords) }

// Snapshot writes the index. Searches and writes go on; nodes are not
// reclaimed meanwhile. See index.Index.
func (x *Index) Snapshot(w io.Writer) error {
	x.sweep.hold()
	defer x.sweep.holds.Add(-1)
	v := x.capture()
	out := snapshot.NewWriter(w, magic, version)
	p := padder{out: out, written: snapshot.MagicSize + 4}
	for _, word := range v.header.words() {
		p.word(word)
	}
	p.section(v.labels)
	p.section(v.first)
	v.writeUpper(&p)
	v.writeBase(&p)
	for _, a := range []*arena.Arena{x.space.floats, x.space.codes, x.space.scales} {
		if a != nil {
			v.writeRows(&p, a)
		}
	}
	return out.Close()
}

// hold keeps nodes from being used again. It waits for a sweep's step.
func (w *sweep) hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holds.Add(1)
}

// view is the graph at one moment: which nodes exist and what they stand for.
// Links are read later; those to nodes that came since are left out.
type view struct {
	x      *Index
	header header
	labels []uint32 // as of then; a node that stands for nothing is dead
	first  []uint32 // blocks, by their number in the snapshot
	blocks []placed // from number 1 on
}

// placed is one upper block of a node.
type placed struct {
	block uint32 // in memory
	level int
	next  uint32 // number in the snapshot, 0 at the top
}

func (x *Index) capture() *view {
	e := x.entry.Load()
	n := uint32(x.bound.Load())
	v := &view{x: x, labels: make([]uint32, n), first: make([]uint32, n)}
	for node := range v.labels {
		l := atomic.LoadUint32(x.label(uint32(node)))
		if l != spareLabel {
			l = l&itemBits | deadMark
		}
		v.labels[node] = l
	}
	// Each item is read once, so that it stands at one node however it moves.
	for id := range x.nodes {
		if place := x.nodes[id].Load(); place != 0 && place <= n && v.labels[place-1] != spareLabel {
			v.labels[place-1] = uint32(id)
			v.header.Items++
		}
	}
	for node, l := range v.labels {
		if l != spareLabel {
			v.number(uint32(node))
		}
	}
	v.describe(e)
	return v
}

// number gives the upper blocks of node their numbers.
func (v *view) number(node uint32) {
	g := v.x.graph
	block := g.blockOf(node, 1)
	if block == 0 {
		return
	}
	v.first[node] = uint32(len(v.blocks)) + 1
	for level := 1; block != 0; level++ {
		p := placed{block: block, level: level}
		if block = atomic.LoadUint32(&g.upperBlock(block)[upperNext]); block != 0 {
			p.next = uint32(len(v.blocks)) + 2
		}
		v.blocks = append(v.blocks, p)
	}
}

func (v *view) describe(entry uint64) {
	x, h := v.x, &v.header
	h.Order, h.Dim, h.M, h.Storage = byteOrder, uint32(x.cfg.Dim), uint32(x.cfg.M), uint32(x.cfg.Storage)
	h.Nodes, h.Blocks = uint32(len(v.labels)), uint32(len(v.blocks))+1
	h.FloatStride = uint32(x.space.floats.Table().Stride)
	h.CodesStride = uint32(x.space.walked.Stride)
	h.EntryNode = simd.NoLink
	if entry != noEntry {
		node, level := unpackEntry(entry)
		h.EntryNode, h.EntryLevel = node, uint32(level)
	}
}

// known drops the links to nodes that the view does not have, and pads.
func (v *view) known(block []uint32, level int, dst []uint32) []uint32 {
	dst = dst[:0]
	for i := range block {
		id := atomic.LoadUint32(&block[i])
		if id == simd.NoLink {
			break
		}
		if int(id) < len(v.labels) && v.labels[id] != spareLabel && (level == 0 || v.x.graph.blockOf(id, level) != 0) {
			dst = append(dst, id)
		}
	}
	for len(dst) < len(block) {
		dst = append(dst, simd.NoLink)
	}
	return dst
}

func (v *view) writeUpper(p *padder) {
	p.align()
	g := v.x.graph
	p.words(make([]uint32, upperHeader+g.m)) // block 0 is never used
	links := make([]uint32, g.m)
	for _, b := range v.blocks {
		p.word(b.next)
		links = v.known(g.upperBlock(b.block)[upperHeader:], b.level, links)
		p.words(links)
	}
}

func (v *view) writeBase(p *padder) {
	p.align()
	links, none := make([]uint32, 2*v.x.graph.m), make([]uint32, 2*v.x.graph.m)
	for i := range none {
		none[i] = simd.NoLink
	}
	for node, l := range v.labels {
		if l == spareLabel {
			p.words(none)
			continue
		}
		links = v.known(v.x.graph.links(uint32(node), 0), 0, links)
		p.words(links)
	}
}

// writeRows writes the rows of nodes, and zeros for those that were spare, which
// may be in use by now.
func (v *view) writeRows(p *padder, a *arena.Arena) {
	p.align()
	zeros := make([]byte, a.Table().Stride)
	for node, l := range v.labels {
		if l == spareLabel {
			p.bytes(zeros)
			continue
		}
		p.bytes(a.Bytes(uint32(node)))
	}
}

// padder writes sections.
type padder struct {
	out     *snapshot.Writer
	written int
}

func (p *padder) bytes(b []byte) {
	p.out.Bytes(b)
	p.written += len(b)
}

func (p *padder) word(w uint32) { p.words([]uint32{w}) }

// words writes w as it lies in memory.
func (p *padder) words(w []uint32) {
	if len(w) > 0 {
		p.bytes(unsafe.Slice((*byte)(unsafe.Pointer(&w[0])), 4*len(w)))
	}
}

func (p *padder) align() { p.bytes(make([]byte, roundUp(p.written, sectionAlign)-p.written)) }

func (p *padder) section(w []uint32) {
	p.align()
	p.words(w)
}
