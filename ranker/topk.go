package ranker

import "slices"

// An entry competes for a place in a list. at is the caller's own number.
type entry struct {
	score  float64
	item   uint32
	at     int32
	filler bool // stands behind all that are none
}

// order is that of every list here: the larger score, then the smaller item; fillers last.
func order(a, b entry) int {
	switch {
	case a.filler != b.filler:
		if b.filler {
			return -1
		}
		return 1
	case a.score > b.score:
		return -1
	case a.score < b.score:
		return 1
	case a.item < b.item:
		return -1
	case a.item > b.item:
		return 1
	}
	return 0
}

// best keeps the first `most` of the entries offered to it, by order. Its heap
// has the last of those kept at the root.
type best struct {
	most int
	heap []entry
}

func (b *best) reset(most int) { b.most, b.heap = max(most, 0), b.heap[:0] }

// wants reports whether offer would keep the entry.
func (b *best) wants(e entry) bool {
	return len(b.heap) < b.most || b.most > 0 && order(e, b.heap[0]) < 0
}

func (b *best) offer(e entry) {
	if len(b.heap) < b.most {
		b.heap = append(b.heap, e)
		for i := len(b.heap) - 1; i > 0; {
			parent := (i - 1) / 2
			if order(b.heap[i], b.heap[parent]) <= 0 {
				break
			}
			b.heap[i], b.heap[parent] = b.heap[parent], b.heap[i]
			i = parent
		}
	} else if b.wants(e) {
		b.heap[0] = e
		b.sink()
	}
}

func (b *best) sink() {
	for i := 0; ; {
		last := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(b.heap); child++ {
			if order(b.heap[child], b.heap[last]) > 0 {
				last = child
			}
		}
		if last == i {
			return
		}
		b.heap[i], b.heap[last] = b.heap[last], b.heap[i]
		i = last
	}
}

// sorted puts what was kept in order and returns it, valid until the next reset.
func (b *best) sorted() []entry {
	slices.SortFunc(b.heap, order)
	return b.heap
}

func sortEntries(entries []entry) { slices.SortFunc(entries, order) }
