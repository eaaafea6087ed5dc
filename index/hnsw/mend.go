package hnsw

import (
	"slices"
	"sync/atomic"
)

// repair frees up to n nodes, from the cursor on, of links to doomed ones.
func (x *Index) repair(n int) {
	w := &x.sweep
	s := x.pool.begin()
	defer x.pool.end(s)
	for end := min(w.cursor+n, w.bound); w.cursor < end; w.cursor++ {
		node := uint32(w.cursor)
		if x.isDoomed(node) { // or spare
			continue
		}
		for level := range x.graph.top(node) + 1 {
			x.mend(s, node, level)
		}
		x.keepFound(s, node)
	}
}

// mend replaces the links of node to doomed nodes.
func (x *Index) mend(s *scratch, node uint32, level int) {
	links := s.plan[0][:0]
	mu := x.graph.lock(node)
	mu.Lock()
	block := x.graph.links(node, level)
	s.links = readLinks(block, s.links[:0])
	if !slices.ContainsFunc(s.links, x.isDoomed) {
		mu.Unlock()
		return
	}
	s.links = x.bypass(s, node, level)
	links = append(links, x.best(s, node, s.links, len(block))...)
	links = fill(links, s.ranked, len(block)/2)
	setLinks(block, links)
	mu.Unlock()
	for _, id := range links {
		x.linkBack(s, id, node, level)
	}
	s.plan[0] = links
}

// fill adds the nearest of ranked until there are n links: lists that are
// chosen from chosen lists, over and over, would wear thin.
func fill(links []uint32, ranked []uint64, n int) []uint32 {
	for _, key := range ranked {
		if len(links) >= n {
			break
		}
		if id := nodeOf(key); !slices.Contains(links, id) {
			links = append(links, id)
		}
	}
	return links
}

// bypass lists the nodes that node links to, with doomed ones replaced by the
// nodes that those link to.
func (x *Index) bypass(s *scratch, node uint32, level int) []uint32 {
	kept := s.nodes[:0]
	add := func(id uint32) {
		if id != node && !x.isDoomed(id) && !slices.Contains(kept, id) {
			kept = append(kept, id)
		}
	}
	for _, id := range s.links {
		if !x.isDoomed(id) {
			add(id)
			continue
		}
		block := x.graph.links(id, level)
		for i := range block {
			if next := atomic.LoadUint32(&block[i]); next < uint32(x.bound.Load()) {
				add(next)
			}
		}
	}
	s.nodes = kept
	return kept
}

// keepFound sees to it that a node can be found: that it has links, and that
// one of those that it links to links back.
func (x *Index) keepFound(s *scratch, node uint32) {
	s.links = readLinks(x.graph.links(node, 0), s.links[:0])
	if len(s.links) == 0 {
		if e := x.entry.Load(); e != noEntry && uint32(e) != node {
			x.plan(s, node, 0, e)
			x.connect(s, node, s.plan[0], 0)
		}
		return
	}
	for _, id := range s.links {
		block := x.graph.links(id, 0)
		for i := range block {
			if atomic.LoadUint32(&block[i]) == node {
				return
			}
		}
	}
	x.insist(s, s.links[0], node)
}

// insist makes from link to node, in place of the worst link if there is no
// room.
func (x *Index) insist(s *scratch, from, node uint32) {
	mu := x.graph.lock(from)
	mu.Lock()
	defer mu.Unlock()
	block := x.graph.links(from, 0)
	s.links = readLinks(block, s.links[:0])
	if slices.Contains(s.links, node) {
		return // since we looked
	}
	if len(s.links) == len(block) {
		s.links = append(s.links[:0], x.best(s, from, s.links, len(block)-1)...)
	}
	setLinks(block, append(s.links, node))
}
