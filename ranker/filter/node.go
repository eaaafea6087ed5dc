package filter

import (
	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// A node is a condition, evaluated in either of two ways that agree: on one
// row, or on all of them. Nodes are immutable and safe for concurrent use.
type node interface {
	match(row *catalog.Row) bool
	// rows returns the numbers of the rows that match. The bitmap may be
	// shared: the caller must not modify it.
	rows(e *evaluation) *roaring.Bitmap
	// indexed reports whether rows does better than to match each row.
	indexed() bool
}

// constant is true or false.
type constant bool

func (n constant) match(*catalog.Row) bool { return bool(n) }

func (n constant) rows(e *evaluation) *roaring.Bitmap {
	if n {
		return e.live()
	}
	return roaring.New()
}

func (n constant) indexed() bool { return true }

// all holds where each child does.
type all []node

func (n all) match(row *catalog.Row) bool {
	for _, child := range n {
		if !child.match(row) {
			return false
		}
	}
	return true
}

// rows intersects the children that are indexed, then matches the others on
// what is left.
func (n all) rows(e *evaluation) *roaring.Bitmap {
	var parts []*roaring.Bitmap
	var rest all
	for _, child := range n {
		if !child.indexed() {
			rest = append(rest, child)
			continue
		}
		parts = append(parts, child.rows(e))
	}
	within := e.live()
	if len(parts) > 0 {
		within = roaring.FastAnd(parts...)
	}
	if len(rest) == 0 {
		return within
	}
	return e.scan(within, rest)
}

func (n all) indexed() bool {
	for _, child := range n {
		if child.indexed() {
			return true
		}
	}
	return false
}

// either holds where one child does.
type either []node

func (n either) match(row *catalog.Row) bool {
	for _, child := range n {
		if child.match(row) {
			return true
		}
	}
	return false
}

func (n either) rows(e *evaluation) *roaring.Bitmap {
	parts := make([]*roaring.Bitmap, len(n))
	for i, child := range n {
		parts[i] = child.rows(e)
	}
	return roaring.FastOr(parts...)
}

func (n either) indexed() bool {
	for _, child := range n {
		if !child.indexed() {
			return false
		}
	}
	return true
}

// not holds where its child does not.
type not struct{ child node }

func (n not) match(row *catalog.Row) bool { return !n.child.match(row) }

func (n not) rows(e *evaluation) *roaring.Bitmap {
	return roaring.AndNot(e.live(), n.child.rows(e))
}

func (n not) indexed() bool { return n.child.indexed() }
