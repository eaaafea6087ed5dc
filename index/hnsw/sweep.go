package hnsw

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Deleted nodes are first dead: walks pass through them and find nothing
// there, so a delete costs nothing and breaks no path. When an eighth of the
// graph is dead, a sweep dooms the dead nodes and goes over all others in small
// steps, one with each write. A node that links to doomed ones takes over
// their links instead, the best of them, chosen as for a new node
// (consolidation as in FreshDiskANN, Singh et al. 2021). When none is linked to
// and no walk that could hold one is left, their memory is used again.
//
// Between the steps nothing is held, and searches never wait.

// sweep is the state of reclaiming nodes.
type sweep struct {
	dead  atomic.Int64 // nodes dead or doomed
	holds atomic.Int64 // who forbids that nodes be used again: snapshots

	mu     sync.Mutex // held for one step
	phase  phase
	epoch  uint64   // to be passed before the next phase
	doomed []uint32 // nodes
	cursor int      // next node to repair
	bound  int      // nodes that existed when the sweep began
}

type phase int

const (
	resting   phase = iota // nothing is doomed
	doomed                 // waiting for writers that may link to a doomed node
	repairing              // going over the nodes
	parting                // waiting for walks that may hold a doomed node
)

const (
	minDead   = 64 // a sweep is not worth less
	sweepStep = 64 // nodes looked at with one write
)

// bury marks a node dead.
func (w *sweep) bury(label *uint32) {
	atomic.StoreUint32(label, atomic.LoadUint32(label)|deadMark)
	w.dead.Add(1)
}

// maintain does one step of a sweep, if one is due and nobody else does.
func (x *Index) maintain() {
	w := &x.sweep
	if w.dead.Load() < max(minDead, x.live.Load()/8) || !w.mu.TryLock() {
		return
	}
	defer w.mu.Unlock()
	x.step(sweepStep)
}

// Reclaim sweeps until no node that is dead now is left. Searches go on
// meanwhile. Writes reclaim by themselves; this is for a quiet hour.
func (x *Index) Reclaim() {
	w := &x.sweep
	w.mu.Lock()
	defer w.mu.Unlock()
	for rounds := 0; rounds < 2; { // a sweep under way may have missed some
		if w.phase == resting {
			if rounds++; w.dead.Load() == 0 {
				return
			}
		}
		was := w.phase
		x.step(1 << 30)
		if w.phase == was {
			runtime.Gosched() // waiting for walks
		}
	}
	for w.phase != resting {
		x.step(1 << 30)
		runtime.Gosched()
	}
}

// step goes on with the sweep, looking at up to n nodes.
func (x *Index) step(n int) {
	w := &x.sweep
	switch w.phase {
	case resting:
		x.doom()
		w.phase, w.epoch = doomed, x.pool.retire()
	case doomed:
		if x.pool.passed(w.epoch) {
			x.leaveEntry()
			w.phase, w.cursor, w.bound = repairing, 0, int(x.bound.Load())
		}
	case repairing:
		x.repair(n)
		if w.cursor == w.bound {
			w.phase, w.epoch = parting, x.pool.retire()
		}
	case parting:
		if w.holds.Load() == 0 && x.pool.passed(w.epoch) {
			x.release()
			w.phase = resting
		}
	}
}

// doom collects the dead nodes.
func (x *Index) doom() {
	w := &x.sweep
	for node := range uint32(x.bound.Load()) {
		label := x.label(node)
		if l := atomic.LoadUint32(label); l != spareLabel && l&deadMark != 0 {
			atomic.StoreUint32(label, l|doomedMark)
			w.doomed = append(w.doomed, node)
		}
	}
}

// release gives the doomed nodes back.
func (x *Index) release() {
	w := &x.sweep
	for _, node := range w.doomed {
		x.returnNode(node)
	}
	w.dead.Add(-int64(len(w.doomed)))
	w.doomed = w.doomed[:0]
}

func (x *Index) isDoomed(node uint32) bool {
	return atomic.LoadUint32(x.label(node))&doomedMark != 0
}

// leaveEntry moves the entry, if it is doomed, to the highest node that stands
// for an item, which is surely linked; if there is none, whoever is linked next
// becomes the entry.
func (x *Index) leaveEntry() {
	x.entryMu.Lock()
	defer x.entryMu.Unlock()
	e := x.entry.Load()
	if e == noEntry || !x.isDoomed(uint32(e)) {
		return
	}
	best := noEntry
	for node := range uint32(x.bound.Load()) {
		if _, ok := x.itemAt(node); !ok {
			continue
		}
		if level := x.graph.top(node); best == noEntry || level > int(best>>32) {
			best = packEntry(node, level)
		}
	}
	x.entry.Store(best)
}
