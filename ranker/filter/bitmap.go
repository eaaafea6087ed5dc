package filter

import (
	"math/bits"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// A Bitmap is the set of items that a filter lets pass, as of one version of
// the catalog. It is immutable: do not modify Words.
type Bitmap struct {
	// Words has bit n%64 of word n/64 set when item n passes. Items past its
	// end do not. It is never nil, since to a search nil means no filter.
	Words []uint64
	// Cardinality is the number of bits set.
	Cardinality int
	// Version is the catalog's that the bitmap reflects at least; each row is
	// judged as it stood at one moment.
	Version uint64
}

// Contains reports whether item number passes.
func (b *Bitmap) Contains(number uint32) bool {
	i := int(number / 64)
	return i < len(b.Words) && b.Words[i]&(1<<(number%64)) != 0
}

// Roaring returns the set in compressed form, a copy.
func (b *Bitmap) Roaring() *roaring.Bitmap { return roaring.FromDense(b.Words, true) }

// refresh returns the bitmap with the rows of numbers judged anew, as of
// version. Words are shared with b when no bit differs.
func (b *Bitmap) refresh(root node, table *catalog.Table, numbers []uint32, version uint64) *Bitmap {
	next := &Bitmap{Words: b.Words, Cardinality: b.Cardinality, Version: version}
	copied := false
	for _, number := range numbers {
		row := table.Row(number)
		pass := row != nil && root.match(row)
		if pass == next.Contains(number) {
			continue
		}
		if !copied {
			next.Words = make([]uint64, max(len(b.Words), wordsFor(table.Len())))
			copy(next.Words, b.Words)
			copied = true
		}
		i := int(number / 64)
		if i >= len(next.Words) { // put after the copy was made
			next.Words = append(next.Words, make([]uint64, i+1-len(next.Words))...)
		}
		next.Words[i] ^= 1 << (number % 64)
		if pass {
			next.Cardinality++
		} else {
			next.Cardinality--
		}
	}
	return next
}

// An evaluation is one computation of a bitmap over all rows.
type evaluation struct {
	columns *columns
	// since is the oldest version that something read so far reflects.
	since uint64
}

// column returns the column of f.
func (e *evaluation) column(f *field) *column {
	c := e.columns.of(f)
	e.since = min(e.since, c.version)
	return c
}

// live returns the rows that hold an item.
func (e *evaluation) live() *roaring.Bitmap { return e.column(rowsField).present }

// scan returns the rows of within that match.
func (e *evaluation) scan(within *roaring.Bitmap, n node) *roaring.Bitmap {
	if within.IsEmpty() {
		return within
	}
	dense := make([]uint64, wordsFor(within.Maximum()+1))
	within.Iterate(func(number uint32) bool {
		if row := e.columns.table.Row(number); row != nil && n.match(row) {
			dense[number/64] |= 1 << (number % 64)
		}
		return true
	})
	return roaring.FromDense(dense, false)
}

// evaluate computes the bitmap of a condition from the columns, then judges
// anew what changed since the oldest of them was read.
func evaluate(root node, columns *columns) *Bitmap {
	e := &evaluation{columns: columns, since: columns.table.Version()}
	found := root.rows(e)
	numbers, version, ok := columns.table.Changes(e.since, nil)
	if !ok {
		// Writers outran the journal meanwhile.
		return matchAll(root, columns.table)
	}
	dense := make([]uint64, wordsFor(columns.table.Len()))
	found.WriteDenseTo(dense)
	bitmap := &Bitmap{Words: dense, Cardinality: int(found.GetCardinality()), Version: e.since}
	return bitmap.refresh(root, columns.table, numbers, version)
}

// matchAll computes the bitmap row by row.
func matchAll(root node, table *catalog.Table) *Bitmap {
	bitmap := &Bitmap{Version: table.Version()}
	bitmap.Words = make([]uint64, wordsFor(table.Len()))
	for number := range uint32(len(bitmap.Words) * 64) {
		if row := table.Row(number); row != nil && root.match(row) {
			bitmap.Words[number/64] |= 1 << (number % 64)
		}
	}
	for _, word := range bitmap.Words {
		bitmap.Cardinality += bits.OnesCount64(word)
	}
	return bitmap
}
