package rerank

import "github.com/kindred-rec/kindred/ranker/catalog"

// numbers gives keys numbers from 0 in the order met: a hash table with open addressing,
// emptied by a stamp.
type numbers struct {
	slots []numbered // a power of two of them
	stamp uint32
	count int32
}

type numbered struct {
	key    uint64
	stamp  uint32
	number int32
}

func (n *numbers) reset() {
	n.count = 0
	if n.stamp++; n.stamp == 0 {
		clear(n.slots)
		n.stamp = 1
	}
}

// of is the number of a key; the same until reset.
func (n *numbers) of(key uint64) int32 {
	if 2*int(n.count) >= len(n.slots) {
		n.grow()
	}
	at := n.find(key)
	if s := &n.slots[at]; s.stamp != n.stamp {
		*s = numbered{key: key, stamp: n.stamp, number: n.count}
		n.count++
	}
	return n.slots[at].number
}

// find is where a key stands or would.
func (n *numbers) find(key uint64) int {
	mask := uint64(len(n.slots) - 1)
	at := (key * 0x9e3779b97f4a7c15 >> 32) & mask
	for n.slots[at].stamp == n.stamp && n.slots[at].key != key {
		at = (at + 1) & mask
	}
	return int(at)
}

func (n *numbers) grow() {
	old := n.slots
	n.slots = make([]numbered, max(64, 2*len(old)))
	for _, s := range old {
		if s.stamp == n.stamp {
			n.slots[n.find(s.key)] = s
		}
	}
}

// groups are those of variants, by numbers of their own.
type groups struct {
	on      bool
	numbers numbers
	owner   []int32 // candidate that stands or is held, in Engine.ranked; -1: none
	met     []int32 // round in which a group was last met
	round   int32
}

func (g *groups) reset() {
	g.numbers.reset()
	g.owner, g.met, g.round = g.owner[:0], g.met[:0], 0
}

func (g *groups) number(code uint32) int32 {
	n := g.numbers.of(uint64(code))
	if int(n) == len(g.owner) {
		g.owner, g.met = append(g.owner, -1), append(g.met, 0)
	}
	return n
}

// first reports whether a group is met for the first time in this round; no group always
// is.
func (g *groups) first(group int32) bool {
	if group < 0 {
		return true
	}
	if g.met[group] == g.round {
		return false
	}
	g.met[group] = g.round
	return true
}

// caps count the labels that caps bound.
type caps struct {
	list    []Cap // of the policy
	numbers numbers
	counts  []count
	of      []int32 // counts of the candidates, each its span
	relaxed bool    // until the next cap ends
}

// A count is how many items of one label stand within one cap.
type count struct {
	cap int32
	n   int32
}

func (c *caps) reset(in *Input) {
	c.list = in.Policy.Caps
	if in.Without&Limits != 0 {
		c.list = nil
	}
	c.numbers.reset()
	c.counts, c.of, c.relaxed = c.counts[:0], c.of[:0], false
}

// labels lists the counts that a row adds to.
func (c *caps) labels(row *catalog.Row) span {
	from := int32(len(c.of))
	for i := range c.list {
		switch c.list[i].By {
		case Brand:
			c.label(i, row.Brand)
		case Seller:
			c.label(i, row.Seller)
		case Category:
			for _, code := range row.Leaves {
				c.label(i, code)
			}
		}
	}
	return span{from, int32(len(c.of))}
}

func (c *caps) label(cap int, code uint32) {
	if code == 0 {
		return
	}
	n := c.numbers.of(uint64(cap)<<32 | uint64(code))
	if int(n) == len(c.counts) {
		c.counts = append(c.counts, count{cap: int32(cap)})
	}
	c.of = append(c.of, n)
}

func (c Cap) reaches(slot int) bool { return c.Within == 0 || slot <= c.Within }

// over is the first cap that a candidate would go over in a slot, -1 for none, or where
// caps give way.
func (c *caps) over(x *candidate, slot int) int {
	if c.relaxed {
		return -1
	}
	return c.first(x, slot)
}

func (c *caps) first(x *candidate, slot int) int {
	for _, n := range c.of[x.counts.from:x.counts.to] {
		count := c.counts[n]
		if cap := c.list[count.cap]; cap.reaches(slot) && int(count.n) >= cap.Most {
			return int(count.cap)
		}
	}
	return -1
}

// own counts a candidate that is placed, and notes the caps that it goes over. One that
// was held is counted already.
func (c *caps) own(e *Engine, x *candidate, slot int) {
	if x.state == held {
		return
	}
	if c.relaxed {
		for _, n := range c.of[x.counts.from:x.counts.to] {
			count := c.counts[n]
			if cap := c.list[count.cap]; cap.reaches(slot) && int(count.n) >= cap.Most {
				e.conflict(CapGaveWay, -1, int(count.cap), slot)
			}
		}
	}
	c.count(e, x, slot, 1)
}

// count adds a candidate in a slot to the counts of its labels, or takes it off.
func (c *caps) count(e *Engine, x *candidate, slot int, by int32) {
	for _, n := range c.of[x.counts.from:x.counts.to] {
		if c.list[c.counts[n].cap].reaches(slot) {
			c.counts[n].n += by
		}
	}
}

// wake lets go of what was capped when a cap has ended.
func (c *caps) wake(e *Engine, slot int) {
	for i := range c.list {
		if within := c.list[i].Within; within > 0 && slot == within+1 {
			c.relaxed = false
			e.unpark()
			return
		}
	}
}

// relax makes all caps give way; false: nothing is capped.
func (c *caps) relax(e *Engine) bool {
	if c.relaxed || !e.unpark() {
		return false
	}
	c.relaxed = true
	return true
}

// unpark brings back what was capped; false: nothing was.
func (e *Engine) unpark() bool {
	any := false
	for i := range e.ranked {
		if e.ranked[i].state == parked {
			e.ranked[i].state, any = live, true
		}
	}
	if any {
		e.linkLanes()
	}
	return any
}
