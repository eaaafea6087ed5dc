package store

import "sync"

// gate lets readers in until it is shut, and then waits for those within: Badger
// must not be closed under a reader. A reader may read within a read, which a
// read lock does not allow.
type gate struct {
	mu     sync.Mutex
	empty  sync.Cond
	within int
	shut   bool
}

// enter reports whether the reader may go on; it must leave then.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return false
	}
	g.within++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.within--; g.within == 0 && g.shut {
		g.empty.Broadcast()
	}
}

// close shuts the gate and returns when nobody is within.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	g.empty.L = &g.mu
	for g.within > 0 {
		g.empty.Wait()
	}
}
