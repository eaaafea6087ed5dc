package filter

import (
	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// isWord holds where the field has a value and it is one of the words, or none
// of them when negated.
type isWord struct {
	field   *field
	words   *words
	negated bool
}

func (n *isWord) match(row *catalog.Row) bool {
	word, ok := n.field.word(row)
	return ok && n.words.holds(word) != n.negated
}

func (n *isWord) rows(e *evaluation) *roaring.Bitmap {
	column := e.column(n.field)
	found := column.postings.union(n.words.list())
	if n.negated {
		return roaring.AndNot(column.present, found)
	}
	return found
}

func (n *isWord) indexed() bool { return true }

// hasWord holds where the field, a list, contains one of the words.
type hasWord struct {
	field *field
	words *words
}

func (n *hasWord) match(row *catalog.Row) bool {
	for _, word := range n.words.list() {
		if n.field.contains(row, word) {
			return true
		}
	}
	return false
}

func (n *hasWord) rows(e *evaluation) *roaring.Bitmap {
	return e.column(n.field).postings.union(n.words.list())
}

func (n *hasWord) indexed() bool { return true }

// codeText holds where the field has a value and its text passes the test.
type codeText struct {
	field *field
	test  func(text string) bool
}

func (n *codeText) match(row *catalog.Row) bool {
	code, ok := n.field.word(row)
	return ok && n.test(n.field.dictionary.Text(uint32(code)))
}

// rows tests each distinct text once.
func (n *codeText) rows(e *evaluation) *roaring.Bitmap {
	postings := e.column(n.field).postings
	var passed []uint64
	for _, code := range postings.words() {
		if n.test(n.field.dictionary.Text(uint32(code))) {
			passed = append(passed, code)
		}
	}
	return postings.union(passed)
}

func (n *codeText) indexed() bool { return true }

// wholeText holds where a text that rows keep whole passes the test. It has no
// index: such texts are nearly all different.
type wholeText struct {
	field *field
	test  func(text string) bool
}

func (n *wholeText) match(row *catalog.Row) bool { return n.test(n.field.text(row)) }

func (n *wholeText) rows(e *evaluation) *roaring.Bitmap { return e.scan(e.live(), n) }

func (n *wholeText) indexed() bool { return false }

// inIntervals holds where the number of the field is in an interval.
type inIntervals[T int64 | float64] struct {
	field     *field
	value     func(*catalog.Row) T
	values    func(*column) []T
	intervals []interval[T]
}

func numberIn(f *field, intervals []interval[float64]) node {
	return &inIntervals[float64]{f, f.number, func(c *column) []float64 { return c.numbers }, intervals}
}

func integerIn(f *field, intervals []interval[int64]) node {
	return &inIntervals[int64]{f, f.integer, func(c *column) []int64 { return c.integers }, intervals}
}

func (n *inIntervals[T]) match(row *catalog.Row) bool { return holds(n.intervals, n.value(row)) }

func (n *inIntervals[T]) rows(e *evaluation) *roaring.Bitmap {
	values := n.values(e.column(n.field))
	dense := make([]uint64, wordsFor(uint32(len(values))))
	for i, value := range values {
		if holds(n.intervals, value) {
			dense[i/64] |= 1 << (i % 64)
		}
	}
	return roaring.FromDense(dense, false)
}

func (n *inIntervals[T]) indexed() bool { return true }

// hasField holds where the field has a value: has(attributes.NAME).
type hasField struct {
	field *field
}

func (n *hasField) match(row *catalog.Row) bool {
	if n.field.present != nil {
		return n.field.present(row)
	}
	_, ok := n.field.word(row)
	return ok
}

func (n *hasField) rows(e *evaluation) *roaring.Bitmap { return e.column(n.field).present }

func (n *hasField) indexed() bool { return true }
