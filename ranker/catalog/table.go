package catalog

import (
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
)

// chunkSize is how many rows' pointers are allocated at a time: 64 KiB with briefs.
const chunkSize = 1 << 12

type chunk struct {
	rows   [chunkSize]atomic.Pointer[Row]
	briefs [chunkSize]atomic.Uint64
}

// A Table is the catalog of one tenant. Make it with [New]. All methods are
// safe for concurrent use; those that read take no lock unless they say so.
type Table struct {
	// The dictionaries of the fields of the same name; Texts holds the strings
	// of all attributes. They are set once, by New.
	Categories, Tags, Brands, Sellers, Languages, Groups, Texts *Dictionary

	limits  Limits
	chunks  []atomic.Pointer[chunk] // directory, sized for MaxItems, never moved
	schema  atomic.Pointer[schema]
	length  atomic.Uint32
	count   atomic.Uint32
	version atomic.Uint64 // stored after the row it stands for
	opened  atomic.Uint64 // likewise

	mu      sync.Mutex // held by writers
	journal journal
	builder builder
}

// New makes an empty table. It fails with [ErrInvalid] on a limit out of range.
func New(limits Limits) (*Table, error) {
	limits, err := limits.withDefaults()
	if err != nil {
		return nil, err
	}
	t := &Table{
		Categories: newDictionary("categories", limits),
		Tags:       newDictionary("tags", limits),
		Brands:     newDictionary("brands", limits),
		Sellers:    newDictionary("sellers", limits),
		Languages:  newDictionary("languages", limits),
		Groups:     newDictionary("groups", limits),
		Texts:      newDictionary("attribute texts", limits),
		limits:     limits,
		chunks:     make([]atomic.Pointer[chunk], (uint64(limits.MaxItems)+chunkSize-1)/chunkSize),
		journal:    newJournal(limits.JournalLength),
	}
	t.schema.Store(&schema{byName: map[string]uint32{}})
	t.builder.table = t
	return t, nil
}

// Limits returns the table's limits, defaults filled in.
func (t *Table) Limits() Limits { return t.limits }

// Row returns the item at number, or nil when none stands there.
func (t *Table) Row(number uint32) *Row {
	i := number / chunkSize
	if int(i) >= len(t.chunks) {
		return nil
	}
	c := t.chunks[i].Load()
	if c == nil {
		return nil
	}
	return c.rows[number%chunkSize].Load()
}

// Len is one more than the highest number ever put, 0 before the first. It
// never shrinks, so it is the length in bits of a bitmap over the items.
func (t *Table) Len() uint32 { return t.length.Load() }

// Count is the number of items in the catalog.
func (t *Table) Count() uint32 { return t.count.Load() }

// All yields every item in order of number. An item that changes meanwhile is
// seen before or after the change.
func (t *Table) All() iter.Seq2[uint32, *Row] {
	return func(yield func(uint32, *Row) bool) {
		for number, end := uint32(0), t.Len(); number < end; number++ {
			if row := t.Row(number); row != nil && !yield(number, row) {
				return
			}
		}
	}
}

// Put publishes item at number, in place of what stood there; an item equal to
// it changes nothing, so that a feed sent again moves no version. It returns
// [FieldErrors] naming every field refused, [ErrLimit] for a number at or past
// Limits.MaxItems, and [ErrTaken] when an item with another id stands there.
func (t *Table) Put(number uint32, item Item) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if number >= t.limits.MaxItems {
		return fmt.Errorf("%w: item %.80q has number %d, Limits.MaxItems is %d; delete items, or raise it",
			ErrLimit, item.ID, number, t.limits.MaxItems)
	}
	old := t.Row(number)
	if old != nil && old.ID != item.ID {
		return fmt.Errorf("%w: number %d is item %.80q, not %.80q; delete that one first", ErrTaken, number, old.ID, item.ID)
	}
	if err := t.check(item); err != nil {
		return err
	}
	row, err := t.builder.build(number, item)
	if err != nil {
		return err
	}
	if !row.equal(old) {
		t.publish(number, old, row)
	}
	return nil
}

// Patch changes some fields of the item at number. It returns [ErrNotFound]
// when none stands there and [FieldErrors] for values refused.
func (t *Table) Patch(number uint32, patch Patch) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.Row(number)
	if old == nil {
		return fmt.Errorf("%w: number %d; put the item before patching it", ErrNotFound, number)
	}
	row := *old
	if err := patch.apply(&row); err != nil {
		return err
	}
	if !row.equal(old) {
		t.publish(number, old, &row)
	}
	return nil
}

// Delete takes the item at number out of the catalog. It reports false when
// none stood there, which changes nothing.
func (t *Table) Delete(number uint32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.Row(number)
	if old == nil {
		return false
	}
	t.publish(number, old, nil)
	return true
}

// publish swaps the row at number from old to row, either of which may be nil.
// The version is stored last: whoever loads it sees every row it stands for.
func (t *Table) publish(number uint32, old, row *Row) {
	i := number / chunkSize
	c := t.chunks[i].Load()
	if c == nil {
		c = new(chunk)
		t.chunks[i].Store(c)
	}
	c.rows[number%chunkSize].Store(row)
	c.briefs[number%chunkSize].Store(uint64(briefOf(row)))
	switch {
	case old == nil && row != nil:
		t.count.Add(1)
	case old != nil && row == nil:
		t.count.Add(^uint32(0))
	}
	if number >= t.Len() {
		t.length.Store(number + 1)
	}
	if opens(old, row) {
		t.opened.Add(1)
	}
	t.version.Store(t.journal.record(number))
}

// opens reports whether a change may let an item be shown that could not be.
func opens(old, row *Row) bool {
	return row != nil && (old == nil || old.Hidden && !row.Hidden || old.Stock == 0 && row.Stock != 0 ||
		old.AvailableFrom != row.AvailableFrom || old.AvailableUntil != row.AvailableUntil)
}

// Version counts the changes so far. Rows read after loading it reflect at
// least those changes.
func (t *Table) Version() uint64 { return t.version.Load() }

// Opened counts the changes so far that may let an item be shown that could not be
// before: a new item, one that is no longer hidden or out of stock, other dates. What
// was chosen at a count leaves out nothing that a change brought in while it stands.
func (t *Table) Opened() uint64 { return t.opened.Load() }

// Changes appends to into the numbers changed after version since, oldest
// first and perhaps repeated, and returns them with the version they lead to.
// It reports false, and appends nothing, when the journal does not reach back
// that far: recompute everything, from the version returned. It holds the
// writers' lock for as long as the copy takes.
func (t *Table) Changes(since uint64, into []uint32) (numbers []uint32, version uint64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	numbers, ok = t.journal.since(since, into)
	return numbers, t.journal.version, ok
}

// Declare makes the attribute name known with its type and returns its slot.
// Repeating a declaration returns the same slot; another type is refused with
// [ErrConflict], one too many with [ErrLimit], a bad name with [ErrInvalid].
func (t *Table) Declare(name string, kind Kind, list bool) (slot uint32, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next, slot, err := t.schema.Load().with(name, kind, list, t.limits.MaxAttributes)
	if err != nil {
		return 0, err
	}
	t.schema.Store(next)
	return slot, nil
}

// Declared returns the declaration of the attribute name.
func (t *Table) Declared(name string) (Declaration, bool) {
	types := t.schema.Load()
	slot, ok := types.byName[name]
	if !ok {
		return Declaration{}, false
	}
	return types.bySlot[slot], true
}

// Declarations returns all declarations, by slot. The slice is shared: do not
// modify it.
func (t *Table) Declarations() []Declaration { return t.schema.Load().bySlot }

// Attributes spells out the attributes of row, by slot, for replies and
// explanations. Row must be one of this table's.
func (t *Table) Attributes(row *Row) []Attribute {
	types := t.schema.Load()
	attributes := make([]Attribute, len(row.Attributes))
	for i, cell := range row.Attributes {
		declared := types.bySlot[cell.Slot]
		value := Value{kind: declared.Kind, list: declared.List, words: cell.Words}
		if declared.Kind == KindString {
			value.words, value.texts = nil, make([]string, len(cell.Words))
			for j, word := range cell.Words {
				value.texts[j] = t.Texts.Text(uint32(word))
			}
		}
		attributes[i] = Attribute{Name: declared.Name, Value: value}
	}
	return attributes
}
