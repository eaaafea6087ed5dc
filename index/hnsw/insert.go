package hnsw

import (
	"math"
	"slices"
	"sync/atomic"

	"github.com/kindred-rec/kindred/index/internal/simd"
)

// levelOf draws the level of an item's node: each level holds one in M of the
// nodes of the level below. It depends on the seed and the item alone, so that
// a build in parallel has the same levels as one in order.
func (x *Index) levelOf(id uint32) int {
	u := (float64(mix(x.cfg.Seed, uint64(id))>>11) + 1) / (1 << 53) // in (0, 1]
	return min(int(-math.Log(u)/math.Log(float64(x.cfg.M))), maxLevel)
}

// mix is the finalizer of SplitMix64.
func mix(seed, n uint64) uint64 {
	z := seed + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// link puts a node, which has its row and its empty blocks, into the graph.
func (x *Index) link(s *scratch, node uint32, level int) {
	for !x.tryLink(s, node, level) {
	}
}

// tryLink reports false if the entry moved and left the node alone.
func (x *Index) tryLink(s *scratch, node uint32, level int) bool {
	e := x.entry.Load()
	locked := e == noEntry || level > int(e>>32)
	if locked { // the new top: one at a time, so that two of them find each other
		x.entryMu.Lock()
		defer x.entryMu.Unlock()
		e = x.entry.Load()
	}
	found := e != noEntry && x.plan(s, node, level, e)
	if found {
		for l, links := range s.plan[:min(level, int(e>>32))+1] {
			x.connect(s, node, links, l)
		}
		if level <= int(e>>32) {
			return true
		}
	}
	if !locked {
		x.entryMu.Lock()
		defer x.entryMu.Unlock()
	}
	if x.entry.Load() != e {
		return false
	}
	x.entry.Store(packEntry(node, level))
	return true
}

// plan finds the links of node on every level, before any is made: a walk that
// met the node on an upper level would else find no way on below. It reports
// whether there is any node alive to link to.
func (x *Index) plan(s *scratch, node uint32, level int, entry uint64) bool {
	x.space.askRow(&s.query, node)
	s.visits.Begin(int(x.bound.Load()))
	at, top := unpackEntry(entry)
	key := x.scoreOne(s, at)
	for l := top; l >= 0; l-- {
		if l > level {
			key = x.descend(s, key, l)
			continue
		}
		s.beam.reset(x.cfg.EfConstruction)
		s.visits.Begin(int(x.bound.Load()))
		x.walk(s, key, l)
		key = s.beam.keys[0] &^ followed
		chosen := x.choose(s, s.beam.keys, node, x.cfg.M)
		if l == 0 && len(chosen) == 0 { // all that is near was deleted at once
			x.scanLive(s)
			chosen = x.choose(s, s.beam.keys, node, x.cfg.M)
		}
		s.plan[l] = append(s.plan[l][:0], chosen...)
	}
	return len(s.plan[0]) > 0
}

// scanLive fills the beam with the best of all nodes that are not dead.
func (x *Index) scanLive(s *scratch) {
	s.beam.reset(x.cfg.EfConstruction)
	s.scores = fit(s.scores, scanBatch)
	s.nodes = fit(s.nodes, scanBatch)[:0]
	bound := uint32(x.bound.Load())
	for node := range bound {
		if atomic.LoadUint32(x.label(node))&deadMark == 0 {
			s.nodes = append(s.nodes, node)
		}
		if len(s.nodes) == scanBatch || node == bound-1 {
			x.offer(s, s.nodes)
			s.nodes = s.nodes[:0]
		}
	}
}

// connect makes links from node on a level, and the links back.
func (x *Index) connect(s *scratch, node uint32, links []uint32, level int) {
	mu := x.graph.lock(node)
	mu.Lock()
	block := x.graph.links(node, level)
	// A node that was linked meanwhile, by one that was inserted beside it, stays.
	s.links = readLinks(block, s.links[:0])
	for _, id := range links {
		if len(s.links) < len(block) && !slices.Contains(s.links, id) {
			s.links = append(s.links, id)
		}
	}
	setLinks(block, s.links)
	mu.Unlock()
	for _, id := range links {
		x.linkBack(s, id, node, level)
	}
}

// linkBack adds node to the links of from; if they are full, the best of them
// and node are chosen anew.
func (x *Index) linkBack(s *scratch, from, node uint32, level int) {
	mu := x.graph.lock(from)
	mu.Lock()
	defer mu.Unlock()
	block := x.graph.links(from, level)
	for i := range block {
		switch block[i] {
		case node:
			return
		case simd.NoLink:
			atomic.StoreUint32(&block[i], node)
			return
		}
	}
	s.links = append(readLinks(block, s.links[:0]), node)
	setLinks(block, x.best(s, from, s.links, len(block)))
}

// best chooses at most m of the nodes given as links of from.
func (x *Index) best(s *scratch, from uint32, nodes []uint32, m int) []uint32 {
	return x.choose(s, x.rank(s, from, nodes), from, m)
}

// rank sorts nodes by nearness to from, as keys.
func (x *Index) rank(s *scratch, from uint32, nodes []uint32) []uint64 {
	x.space.askRow(&s.row, from)
	s.scores = fit(s.scores, len(nodes))
	x.space.score(&s.row, nodes, s.scores)
	s.ranked = s.ranked[:0]
	for i, id := range nodes {
		s.ranked = append(s.ranked, makeKey(s.scores[i], id))
	}
	slices.Sort(s.ranked)
	slices.Reverse(s.ranked)
	return s.ranked
}
