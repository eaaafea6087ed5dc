package lexical

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync/atomic"
)

// state is the index. The writer changes it under both locks of Index; a search copies
// the headers of what it reads and goes on without: elements that it can reach do not
// change, but for died and term.live, which are read and written atomically.
type state struct {
	number map[string]uint32 // of a term, by its text
	terms  []term
	traits []trait  // by term number
	sorted []uint32 // the numbers below len(sorted), by text; later ones are in no order

	items  []uint32 // row to item; noItem for the row that a deletion takes
	died   []uint32 // row to the row that buried it; 0: none has
	prints []uint64 // row to the fingerprint of the text. The writer's
	words  []uint32 // row to the place of its list of terms in lists. The writer's
	rows   []uint32 // item to its row plus 1; 0: none. The writer's
	lists  arena
	live   int // items that have words

	termBytes, postingBytes int64
}

// term is a word and where it stands.
type term struct {
	text string
	// postings has, for each row that holds the word, the distance to the row before
	// (from -1) as a varint and the weight as a byte.
	postings []byte
	next     uint32 // row after the last posting
	live     uint32 // rows that are not buried
}

const noItem = ^uint32(0)

// weighted is a word of a document with its weight.
type weighted struct {
	text   []byte // valid until the analyzer is used again
	weight uint8  // saturated, 1 to 255
}

func newState() *state { return &state{number: make(map[string]uint32)} }

// rowOf returns the row of an item's text.
func (s *state) rowOf(id uint32) (uint32, bool) {
	if int(id) >= len(s.rows) || s.rows[id] == 0 {
		return 0, false
	}
	return s.rows[id] - 1, true
}

// put gives an item a new row. words are distinct.
func (s *state) put(id uint32, print uint64, words []weighted) {
	row := s.bury(id)
	s.items[row] = id
	s.prints[row] = print
	if int(id) >= len(s.rows) {
		s.rows = append(s.rows, make([]uint32, int(id)+1-len(s.rows))...)
	}
	s.rows[id] = row + 1
	s.live++
	numbers := make([]uint32, len(words))
	for i, w := range words {
		numbers[i] = s.numberOf(w.text)
		s.post(numbers[i], row, w.weight)
	}
	slices.Sort(numbers)
	s.words[row] = s.lists.add(numbers)
}

// remove takes an item's text away.
func (s *state) remove(id uint32) {
	if _, ok := s.rowOf(id); ok {
		s.bury(id)
	}
}

// bury opens a row and buries the item's present one, if there is one, by it: a search
// that does not know the new row still sees the old one.
func (s *state) bury(id uint32) (row uint32) {
	row = uint32(len(s.items))
	s.items = append(s.items, noItem)
	s.died = append(s.died, 0)
	s.prints = append(s.prints, 0)
	s.words = append(s.words, 0)
	old, ok := s.rowOf(id)
	if !ok {
		return row
	}
	s.rows[id] = 0
	s.live--
	atomic.StoreUint32(&s.died[old], row)
	for n := range s.lists.all(s.words[old]) {
		atomic.AddUint32(&s.terms[n].live, ^uint32(0))
	}
	return row
}

// numberOf returns the number of a word, a new one if it is new.
func (s *state) numberOf(text []byte) uint32 {
	if n, ok := s.number[string(text)]; ok {
		return n
	}
	return s.addTerm(string(text))
}

func (s *state) addTerm(text string) uint32 {
	n := uint32(len(s.terms))
	s.number[text] = n
	s.terms = append(s.terms, term{text: text})
	s.traits = append(s.traits, traitOf(text))
	s.termBytes += int64(len(text))
	return n
}

// post notes that a row, later than all before, holds a term.
func (s *state) post(number, row uint32, weight uint8) {
	t := &s.terms[number]
	before := cap(t.postings)
	t.postings = binary.AppendUvarint(t.postings, uint64(row-t.next))
	t.postings = append(t.postings, weight)
	t.next = row + 1
	atomic.AddUint32(&t.live, 1)
	s.postingBytes += int64(cap(t.postings) - before)
}

// wasteful reports whether enough rows are buried to write the index anew.
func (s *state) wasteful() bool {
	buried := len(s.items) - s.live
	return buried > 1024 && buried > s.live/4
}

// compacted returns the same without what is buried.
func (s *state) compacted() *state {
	out := &state{number: make(map[string]uint32, len(s.number))}
	renumbered := make([]uint32, len(s.items))
	for row, id := range s.items {
		if id == noItem || s.died[row] != 0 {
			renumbered[row] = noItem
			continue
		}
		renumbered[row] = uint32(len(out.items))
		out.items = append(out.items, id)
		out.prints = append(out.prints, s.prints[row])
	}
	out.died = make([]uint32, len(out.items))
	out.words = make([]uint32, len(out.items))
	out.rows = make([]uint32, len(s.rows))
	for row, id := range out.items {
		out.rows[id] = uint32(row) + 1
	}
	out.live = s.live
	terms := out.takeTerms(s, renumbered)
	out.takeLists(s, renumbered, terms)
	out.sorted = make([]uint32, 0, len(out.terms))
	for _, n := range s.ordered() {
		if s.terms[n].live > 0 {
			out.sorted = append(out.sorted, terms[n])
		}
	}
	return out
}

// takeTerms copies the terms and postings that are left and returns their new numbers,
// which keep the order of the old.
func (s *state) takeTerms(from *state, rows []uint32) (numbers []uint32) {
	numbers = make([]uint32, len(from.terms))
	var buf []byte
	for n := range from.terms {
		t := &from.terms[n]
		if t.live == 0 {
			continue
		}
		numbers[n] = s.addTerm(t.text)
		into := &s.terms[numbers[n]]
		buf, into.live = buf[:0], t.live
		for c := (cursor{data: t.postings}); c.advance(); {
			if row := rows[c.row]; row != noItem {
				buf = append(binary.AppendUvarint(buf, uint64(row-into.next)), c.weight)
				into.next = row + 1
			}
		}
		into.postings = slices.Clone(buf)
		s.postingBytes += int64(cap(into.postings))
	}
	return numbers
}

func (s *state) takeLists(from *state, rows, terms []uint32) {
	var numbers []uint32
	for row, to := range rows {
		if to == noItem {
			continue
		}
		numbers = numbers[:0]
		for n := range from.lists.all(from.words[row]) {
			numbers = append(numbers, terms[n])
		}
		s.words[to] = s.lists.add(numbers)
	}
}

// unordered reports whether so many terms came since the last ordering that a search
// for beginnings feels it.
func (s *state) unordered() bool {
	return len(s.terms)-len(s.sorted) > max(1024, len(s.sorted)/8)
}

// ordered returns the numbers of all terms by text.
func (s *state) ordered() []uint32 {
	byText := func(a, b uint32) int { return strings.Compare(s.terms[a].text, s.terms[b].text) }
	tail := make([]uint32, 0, len(s.terms)-len(s.sorted))
	for n := len(s.sorted); n < len(s.terms); n++ {
		tail = append(tail, uint32(n))
	}
	slices.SortFunc(tail, byText)
	out := make([]uint32, 0, len(s.terms))
	for _, n := range s.sorted {
		for len(tail) > 0 && byText(tail[0], n) < 0 {
			out, tail = append(out, tail[0]), tail[1:]
		}
		out = append(out, n)
	}
	return append(out, tail...)
}

// mapBytes is what an entry of a map from string to uint32 takes, at its usual load.
const mapBytes = 36

// bytes is the resident memory.
func (s *state) bytes() int64 {
	perTerm := int64(cap(s.terms))*48 + int64(cap(s.traits))*8 + int64(cap(s.sorted))*4 + int64(len(s.number))*mapBytes
	perRow := int64(cap(s.items)+cap(s.died)+cap(s.words))*4 + int64(cap(s.prints))*8
	return perTerm + perRow + int64(cap(s.rows))*4 + s.lists.size + s.termBytes + s.postingBytes
}
