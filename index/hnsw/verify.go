package hnsw

import (
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/internal/simd"
)

// The checks below make a snapshot safe to walk: kernels follow its numbers
// without looking.

// checkBlocks checks that the upper blocks belong to the nodes in order, each
// to one.
func (l *loader) checkBlocks() error {
	next := uint32(1)
	for node := range l.header.Nodes {
		first := *(*uint32)(l.x.graph.first.Row(node))
		if first == 0 {
			continue
		}
		if *l.x.label(node) == spareLabel {
			return fmt.Errorf("%w: spare node %d has links", index.ErrSnapshot, node)
		}
		for block, level := first, 1; block != 0; level++ {
			if block != next || block >= l.header.Blocks || level > maxLevel {
				return fmt.Errorf("%w: block %d of node %d, expected %d of %d", index.ErrSnapshot, block, node, next, l.header.Blocks)
			}
			next++
			block = l.x.graph.upperBlock(block)[upperNext]
		}
	}
	if next != l.header.Blocks {
		return fmt.Errorf("%w: %d upper blocks in use, its header says %d", index.ErrSnapshot, next, l.header.Blocks)
	}
	return nil
}

func (l *loader) checkLinks() error {
	g := l.x.graph
	for node := range l.header.Nodes {
		if *l.x.label(node) == spareLabel {
			if links := g.links(node, 0); links[0] != simd.NoLink {
				return fmt.Errorf("%w: spare node %d has links", index.ErrSnapshot, node)
			}
			continue
		}
		if bad, ok := l.badLink(g.links(node, 0), 0); ok {
			return fmt.Errorf("%w: node %d links to %d", index.ErrSnapshot, node, bad)
		}
		level := 1
		for block := *(*uint32)(g.first.Row(node)); block != 0; level++ {
			b := g.upperBlock(block)
			if bad, ok := l.badLink(b[upperHeader:], level); ok {
				return fmt.Errorf("%w: node %d links to %d on level %d", index.ErrSnapshot, node, bad, level)
			}
			block = b[upperNext]
		}
	}
	return nil
}

// badLink finds a link to a node that is not there, or not on that level, or that lies
// behind the end of its list.
func (l *loader) badLink(links []uint32, level int) (bad uint32, found bool) {
	ended := false // what lies behind the end would be links once the list grows
	for _, id := range links {
		if id == simd.NoLink {
			ended = true
			continue
		}
		if ended || id >= l.header.Nodes || *l.x.label(id) == spareLabel || level > 0 && l.x.graph.blockOf(id, level) == 0 {
			return id, true
		}
	}
	return 0, false
}

// checkRows checks that every vector is finite, and every scale.
func (l *loader) checkRows() error {
	for node := range l.header.Nodes {
		if *l.x.label(node) == spareLabel {
			continue
		}
		if err := index.CheckVector(l.x.space.vector(node), l.x.cfg.Dim); err != nil {
			return fmt.Errorf("%w: node %d: %w", index.ErrSnapshot, node, err)
		}
		if l.x.space.scales == nil {
			continue
		}
		if s := *l.x.space.scale(node); !(s >= 0 && s <= math.MaxFloat32) {
			return fmt.Errorf("%w: the scale of node %d is %v", index.ErrSnapshot, node, s)
		}
	}
	return nil
}

func (l *loader) adoptEntry() error {
	node, level := l.header.EntryNode, int(l.header.EntryLevel)
	if node == simd.NoLink {
		if l.header.Items > 0 {
			return fmt.Errorf("%w: %d items and no entry", index.ErrSnapshot, l.header.Items)
		}
		return nil
	}
	if node >= l.header.Nodes || *l.x.label(node) == spareLabel {
		return fmt.Errorf("%w: its entry is node %d", index.ErrSnapshot, node)
	}
	if level > maxLevel || level > 0 && l.x.graph.blockOf(node, level) == 0 {
		return fmt.Errorf("%w: its entry, node %d, is not on level %d", index.ErrSnapshot, node, level)
	}
	l.x.entry.Store(packEntry(node, level))
	return nil
}
