package filter

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// A column is one field of all rows, read from the table once and immutable. It
// reflects at least the version it was begun at; whoever uses it matches anew
// the rows that changed since.
type column struct {
	version  uint64
	numbers  []float64       // by item number, NaN where absent
	integers []int64         // by item number, absentInteger where absent
	present  *roaring.Bitmap // of the others: the rows that have a value
	postings *postings       // of the others
	bytes    int             // about what all of it takes
}

// rowsField stands for the rows themselves: present wherever an item is.
var rowsField = &field{
	column:  rowsColumn,
	kind:    codesField,
	present: func(*catalog.Row) bool { return true },
	each:    func(*catalog.Row, func(uint64)) {},
}

// read makes the column of f.
func read(table *catalog.Table, f *field) *column {
	c := &column{version: table.Version()} // before any row is read
	switch f.kind {
	case numberField:
		c.numbers = values(table, f.number, math.NaN())
	case integerField, timeField:
		c.integers = values(table, f.integer, absentInteger)
	default:
		c.present, c.postings = postingsOf(table, f)
		c.bytes = int(c.present.GetSizeInBytes()) + c.postings.bytes()
	}
	c.bytes += 8 * (len(c.numbers) + len(c.integers))
	return c
}

// values reads a number of every row.
func values[T any](table *catalog.Table, value func(*catalog.Row) T, absent T) []T {
	// Rows past the length taken here changed after the version of the column.
	column := make([]T, table.Len())
	for number := range column {
		column[number] = absent
		if row := table.Row(uint32(number)); row != nil {
			column[number] = value(row)
		}
	}
	return column
}

// columns keeps the columns in use, within a bound of bytes.
type columns struct {
	table    *catalog.Table
	maxBytes int

	mu    sync.Mutex // held for look-ups, never while reading rows
	slots map[uint32]*columnSlot
	clock uint64
}

type columnSlot struct {
	reading sync.Mutex // held by the one who reads the rows
	kept    *column    // guarded by columns.mu, as is used
	used    uint64     // by the clock of columns
}

// of returns the column of f, read anew when none is kept or too much changed.
func (c *columns) of(f *field) *column {
	slot, kept := c.slot(f.column)
	if c.fresh(kept) {
		return kept
	}
	slot.reading.Lock()
	defer slot.reading.Unlock()
	if _, kept = c.slot(f.column); c.fresh(kept) { // somebody else read it
		return kept
	}
	column := read(c.table, f)
	c.keep(slot, column)
	return column
}

func (c *columns) slot(number uint32) (*columnSlot, *column) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slot := c.slots[number]
	if slot == nil {
		slot = new(columnSlot)
		c.slots[number] = slot
	}
	c.clock++
	slot.used = c.clock
	return slot, slot.kept
}

// fresh reports whether matching what changed since costs less than to read
// the column anew.
func (c *columns) fresh(column *column) bool {
	return column != nil && c.table.Version()-column.version <= worthMatching(c.table)
}

// worthMatching is the number of changes up to which rows are matched one by
// one. Past it all are computed; the journal must reach well beyond.
func worthMatching(table *catalog.Table) uint64 {
	return min(max(256, uint64(table.Len())/16), uint64(table.Limits().JournalLength)/2)
}

// keep puts the column in its slot and drops the least recently used of the
// others until all fit. A column that does not fit alone is not kept.
func (c *columns) keep(slot *columnSlot, column *column) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slot.kept = nil
	room := c.maxBytes - column.bytes
	if room < 0 {
		return
	}
	for _, other := range c.byUse() {
		if room -= other.kept.bytes; room < 0 {
			other.kept = nil
		}
	}
	slot.kept = column
}

// byUse lists the slots that keep a column, the last used first.
func (c *columns) byUse() []*columnSlot {
	var slots []*columnSlot
	for _, slot := range c.slots {
		if slot.kept != nil {
			slots = append(slots, slot)
		}
	}
	slices.SortFunc(slots, func(a, b *columnSlot) int { return cmp.Compare(b.used, a.used) })
	return slots
}
