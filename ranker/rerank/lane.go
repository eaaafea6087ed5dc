package rerank

// A lane lists candidates in order of rank. What does not stand to choice any more is
// unlinked when a walk comes by, so that each is passed over once.
type lane struct {
	at   []int32 // in Engine.ranked, ascending
	next []int32 // in at; -1: the end
	head int32
}

// link puts all that the lane lists back into it.
func (l *lane) link() {
	l.next, l.head = l.next[:0], -1
	for i := range l.at {
		l.next = append(l.next, int32(i+1))
	}
	if n := len(l.next); n > 0 {
		l.next[n-1], l.head = -1, 0
	}
}

func (l *lane) walk() walk { return walk{lane: l, here: -1} }

// A walk goes along a lane. It stands at candidate at.
type walk struct {
	lane *lane
	here int32 // in lane.at; -1: before the first
	at   int32
}

// next goes to the next candidate that is live.
func (w *walk) next(e *Engine) bool {
	l, to := w.lane, w.lane.head
	if w.here >= 0 {
		to = l.next[w.here]
	}
	for to >= 0 && e.ranked[l.at[to]].state != live {
		to = l.next[to]
	}
	if w.here >= 0 {
		l.next[w.here] = to
	} else {
		l.head = to
	}
	w.here = to
	if to < 0 {
		return false
	}
	w.at = l.at[to]
	return true
}

// sortLanes lists all candidates, the new ones, and those of each rule that reserves.
func (e *Engine) sortLanes() {
	e.all.at, e.fresh.at = e.all.at[:0], e.fresh.at[:0]
	e.openReserves()
	for i := range e.ranked {
		c := &e.ranked[i]
		e.all.at = append(e.all.at, int32(i))
		if c.isNew {
			e.fresh.at = append(e.fresh.at, int32(i))
		}
		for k := range e.shares {
			if c.rules&(1<<e.shares[k].rule) != 0 {
				e.shares[k].lane.at = append(e.shares[k].lane.at, int32(i))
			}
		}
	}
	e.linkLanes()
}

func (e *Engine) linkLanes() {
	e.all.link()
	e.fresh.link()
	for k := range e.shares {
		e.shares[k].lane.link()
	}
}
