package lexical

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"

	"github.com/kindred-rec/kindred/index/internal/topk"
)

// cursor walks a term's postings.
type cursor struct {
	data   []byte
	worth  float32 // what a posting's weight is multiplied by
	begun  bool
	row    uint32
	weight uint8
}

// advance goes to the next posting.
func (c *cursor) advance() bool {
	if len(c.data) == 0 {
		c.row = noItem
		return false
	}
	step, k := uint64(c.data[0]), 1
	if step >= 0x80 {
		step, k = binary.Uvarint(c.data)
	}
	if c.begun {
		c.row++
	}
	c.begun = true
	c.row += uint32(step)
	c.weight = c.data[k]
	c.data = c.data[k+1:]
	return true
}

// windowRows rows are scored at once: their sums fit the first-level cache, and
// memory does not grow with the catalog.
const windowRows = 4096

type window struct {
	sums    [windowRows]float32
	words   [windowRows]uint16      // how many words of the query a row has
	touched [windowRows / 64]uint64 // rows with a sum
	// The same for one word that several terms stand for, of which the best counts.
	word        [windowRows]float32
	wordTouched [windowRows / 64]uint64
}

// run scores all rows and keeps the best.
func (s *search) run(q *Query) {
	known := uint32(len(s.view.items))
	for i := range s.cursors {
		s.cursors[i].advance()
	}
	for {
		first := uint32(noItem)
		for i := range s.cursors {
			first = min(first, s.cursors[i].row)
		}
		if first >= known { // also where all have ended
			return
		}
		base := first &^ (windowRows - 1)
		for i := range s.asked {
			s.window.add(s.cursors[s.asked[i].from:s.asked[i].end], base)
		}
		s.collect(q, base, known)
	}
}

// add adds what a word gives to the rows of the window at base.
func (w *window) add(cursors []cursor, base uint32) {
	if len(cursors) == 1 {
		c := &cursors[0]
		for c.row-base < windowRows {
			at := c.row - base
			w.sums[at] += c.worth * float32(c.weight)
			w.words[at]++
			w.touched[at/64] |= 1 << (at % 64)
			c.advance()
		}
		return
	}
	any := false
	for i := range cursors {
		c := &cursors[i]
		for c.row-base < windowRows {
			at := c.row - base
			w.word[at] = max(w.word[at], c.worth*float32(c.weight))
			w.wordTouched[at/64] |= 1 << (at % 64)
			any = true
			c.advance()
		}
	}
	if !any {
		return
	}
	for i, rows := range w.wordTouched {
		w.touched[i] |= rows
		w.wordTouched[i] = 0
		for ; rows != 0; rows &= rows - 1 {
			at := 64*i + bits.TrailingZeros64(rows)
			w.sums[at] += w.word[at]
			w.words[at]++
			w.word[at] = 0
		}
	}
}

// collect offers the rows of the window, and empties it.
func (s *search) collect(q *Query, base, known uint32) {
	w := &s.window
	for i, rows := range w.touched {
		w.touched[i] = 0
		for ; rows != 0; rows &= rows - 1 {
			at := uint32(64*i + bits.TrailingZeros64(rows))
			score, words := w.sums[at], w.words[at]
			w.sums[at], w.words[at] = 0, 0
			s.offer(q, base+at, score, int(words) == len(s.asked), known)
		}
	}
}

// offer takes in a row that may be found. whole: it has all words.
func (s *search) offer(q *Query, row uint32, score float32, whole bool, known uint32) {
	id := s.view.items[row]
	key := topk.Key(score, id)
	short := s.best.Full() && key <= s.best.Worst()
	if short && (s.all || !whole) || !s.admits(q, row, id, known) {
		return
	}
	s.all = s.all || whole
	s.best.Offer(key)
}

// admits reports whether a row may be found.
func (s *search) admits(q *Query, row, id, known uint32) bool {
	// A row that was buried after the search began still counts for it.
	if died := atomic.LoadUint32(&s.view.died[row]); died != 0 && died < known {
		return false
	}
	if q.Allow != nil && (int(id/64) >= len(q.Allow) || q.Allow[id/64]>>(id%64)&1 == 0) {
		return false
	}
	return q.Keep == nil || q.Keep(id)
}
