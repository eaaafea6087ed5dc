package covisit

// A list holds the neighbours of an item: their numbers apart from the evidence,
// so that the search for one, which every pair of every act makes, reads four
// bytes a neighbour; and the least of each block, so that a newcomer to a full list
// looks through one block and not through all.
type list struct {
	items    []uint32
	evidence []evidence // of the item at the same place
	least    []minimum  // of each block of blockSize places
}

// minimum is the neighbour with the least evidence in a block, the first of equals.
type minimum struct {
	weight float32
	place  int32 // in the list; unknown: it must be looked for
}

const (
	blockSize = 16
	unknown   = -1
)

// evidence of a pair, in the two directions of a [Neighbour].
type evidence struct{ after, before float32 }

func (e evidence) weight() float32 { return e.after + e.before }

// link adds evidence of a neighbour to the list of item. The caller holds g.mu.
func (g *Graph) link(item, neighbour uint32, e evidence) {
	c := g.grow(item)
	c.mu.Lock()
	defer c.mu.Unlock()
	l := &c.lists[item%chunkItems]
	if at := l.find(neighbour); at >= 0 {
		l.evidence[at].after += e.after
		l.evidence[at].before += e.before
		l.grew(at)
		return
	}
	if len(l.items) < g.options.MaxNeighbours && g.pairs.Load() < int64(g.options.MaxPairs) {
		l.append(neighbour, e, g.options.MaxNeighbours)
		g.pairs.Add(1)
		return
	}
	g.evicted.Add(1)
	if len(l.items) > 0 {
		l.contest(neighbour, e)
	}
}

// find returns the place of a neighbour, -1 if it is not in the list.
func (l *list) find(neighbour uint32) int {
	items, at := l.items, 0
	for ; len(items) >= 8; items, at = items[8:], at+8 {
		// One branch for eight comparisons: most of them fail.
		x := (*[8]uint32)(items)
		if x[0] == neighbour || x[1] == neighbour || x[2] == neighbour || x[3] == neighbour ||
			x[4] == neighbour || x[5] == neighbour || x[6] == neighbour || x[7] == neighbour {
			break
		}
	}
	for i, x := range items {
		if x == neighbour {
			return at + i
		}
	}
	return -1
}

// grew says that the evidence at a place has grown: the others of its block are
// the least if it was not.
func (l *list) grew(at int) {
	if m := &l.least[at/blockSize]; m.place == int32(at) {
		m.place = unknown
	}
}

// append adds a neighbour. A full list doubles, up to most: append alone would
// overshoot it.
func (l *list) append(neighbour uint32, e evidence, most int) {
	n := len(l.items)
	if n == cap(l.items) {
		room := min(max(4, 2*n), most)
		l.items = append(make([]uint32, 0, room), l.items...)
		l.evidence = append(make([]evidence, 0, room), l.evidence...)
	}
	l.items = append(l.items, neighbour)
	l.evidence = append(l.evidence, e)
	if n%blockSize == 0 {
		l.least = append(l.least, minimum{})
	}
	l.least[n/blockSize].place = unknown
}

// contest lets a newcomer take the place of the least neighbour, or wear it down.
func (l *list) contest(newcomer uint32, e evidence) {
	m := l.leastOf()
	least := &l.evidence[m.place]
	held, brought := m.weight, e.weight()
	if brought >= held {
		l.items[m.place], *least = newcomer, e
		m.place = unknown
		return
	}
	left := (held - brought) / held
	least.after *= left
	least.before *= left
	m.weight = least.weight()
}

// leastOf is the least of all blocks, the first of equals. The list is not empty.
func (l *list) leastOf() *minimum {
	least := &l.least[0]
	for i := range l.least {
		m := &l.least[i]
		if m.place == unknown {
			l.look(m, i)
		}
		if m.weight < least.weight {
			least = m
		}
	}
	return least
}

// look finds the least of block number i.
func (l *list) look(m *minimum, i int) {
	from := i * blockSize
	block := l.evidence[from:min(from+blockSize, len(l.evidence))]
	at, least := 0, block[0].weight()
	for i, e := range block {
		if w := e.weight(); w < least {
			at, least = i, w
		}
	}
	*m = minimum{least, int32(from + at)}
}

// forget has all least looked for anew.
func (l *list) forget() {
	for i := range l.least {
		l.least[i].place = unknown
	}
}

// neighbour at a place.
func (l *list) neighbour(at int) Neighbour {
	return Neighbour{Item: l.items[at], After: l.evidence[at].after, Before: l.evidence[at].before}
}
