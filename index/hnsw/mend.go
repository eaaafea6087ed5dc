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

// mend replaces the links of node to doomed nodes by links to what those link
// to, chosen as for a new node, given the links that stay. If that leaves fewer
// than there were, the nearest fill up: lists would else wear thin.
func (x *Index) mend(s *scratch, node uint32, level int) {
	mu := x.graph.lock(node)
	mu.Lock()
	block := x.graph.links(node, level)
	s.links = readLinks(block, s.links[:0])
	if !slices.ContainsFunc(s.links, x.isDoomed) {
		mu.Unlock()
		return
	}
	kept := x.bypass(s, node, level)
	ranked := x.rank(s, node, s.nodes[kept:])
	s.chosen = append(s.chosen[:0], s.nodes[:kept]...)
	links := fill(x.chooseMore(s, ranked, node, len(s.links)), ranked, len(s.links))
	setLinks(block, links)
	fresh := append(s.plan[0][:0], links[kept:]...)
	mu.Unlock()
	for _, id := range fresh {
		x.linkBack(s, id, node, level)
	}
	s.chosen, s.plan[0] = links, fresh
}

// fill adds the nearest of ranked until there are n links.
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

// bypass lists in s.nodes those of s.links that stay, which it counts, and
// after them the nodes that the doomed ones link to.
func (x *Index) bypass(s *scratch, node uint32, level int) (kept int) {
	s.nodes = s.nodes[:0]
	for _, id := range s.links {
		if !x.isDoomed(id) {
			s.nodes = append(s.nodes, id)
		}
	}
	kept = len(s.nodes)
	bound := uint32(x.bound.Load())
	for _, id := range s.links {
		if !x.isDoomed(id) {
			continue
		}
		block := x.graph.links(id, level)
		for i := range block {
			next := atomic.LoadUint32(&block[i])
			if next < bound && next != node && !x.isDoomed(next) && !slices.Contains(s.nodes, next) {
				s.nodes = append(s.nodes, next)
			}
		}
	}
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
