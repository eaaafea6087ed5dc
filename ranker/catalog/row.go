package catalog

import (
	"math"
	"slices"
)

// Unlimited is the stock of an item that never runs out.
const Unlimited = -1

// A Row is one item as readers see it. It is immutable: a change publishes
// another row. Codes are those of the [Table]'s dictionaries, 0 meaning none.
type Row struct {
	// ID is the merchant's id of the item, never empty.
	ID string
	// Title is shown in explanations; it may be empty.
	Title string
	// Price is in the tenant's currency, at least 0; NaN means none.
	Price float64
	// Stock is the number of pieces left, or [Unlimited].
	Stock int64
	// AvailableFrom is the first moment at which the item may be shown, and
	// AvailableUntil the first at which it may no longer be: unix microseconds,
	// 0 means no bound.
	AvailableFrom, AvailableUntil int64
	// Created is when the item came to be, unix microseconds, 0 when unknown.
	Created int64
	// Categories are codes of [Table.Categories]: for each path in the order
	// given, its prefixes from the root to the whole path, then its leaf; each
	// code once.
	Categories []uint32
	// Leaves are the codes of the whole paths given, in that order, each once: what the
	// item is filed under, without what that is filed under.
	Leaves []uint32
	// Tags are codes of [Table.Tags] in the order given, each once.
	Tags []uint32
	// Attributes are sorted by slot; an attribute that was not given is absent.
	Attributes []Cell
	// Category is the whole first path given, the item's main category.
	Category uint32
	// Brand, Seller, Language and Group are codes of the dictionaries of the
	// same name. Group is what variants of one product share.
	Brand, Seller, Language, Group uint32
	// Number is the item's number in the table.
	Number uint32
	// Hidden items are never shown.
	Hidden bool
}

// A Cell is the value of one attribute of one row.
type Cell struct {
	// Slot is the attribute's, from [Table.Declare].
	Slot uint32
	// Words holds one word for each element, exactly one unless the attribute
	// is a list: a code of [Table.Texts] for strings, math.Float64bits for
	// numbers (of +0 for both zeros), 0 or 1 for bools, unix microseconds for
	// times.
	Words []uint64
}

// HasPrice reports whether the item has a price.
func (r *Row) HasPrice() bool { return !math.IsNaN(r.Price) }

// InStock reports whether at least one piece is left.
func (r *Row) InStock() bool { return r.Stock != 0 }

// Attribute returns the words of the attribute in slot, as [Cell] describes
// them, or nil when the row has no such attribute. An empty list is non-nil.
func (r *Row) Attribute(slot uint32) []uint64 {
	// Rows carry a handful of attributes: a scan beats a search.
	for i := range r.Attributes {
		if r.Attributes[i].Slot == slot {
			return r.Attributes[i].Words
		}
	}
	return nil
}

// equal reports whether both rows say the same; other may be nil.
func (r *Row) equal(other *Row) bool {
	return other != nil &&
		r.ID == other.ID && r.Title == other.Title && r.Number == other.Number &&
		(r.Price == other.Price || !r.HasPrice() && !other.HasPrice()) &&
		r.Stock == other.Stock && r.Hidden == other.Hidden &&
		r.AvailableFrom == other.AvailableFrom && r.AvailableUntil == other.AvailableUntil &&
		r.Created == other.Created && r.Category == other.Category &&
		r.Brand == other.Brand && r.Seller == other.Seller &&
		r.Language == other.Language && r.Group == other.Group &&
		slices.Equal(r.Categories, other.Categories) && slices.Equal(r.Tags, other.Tags) &&
		slices.EqualFunc(r.Attributes, other.Attributes, func(a, b Cell) bool {
			return a.Slot == b.Slot && slices.Equal(a.Words, b.Words)
		})
}

// A Reason says why an item may not be shown.
type Reason uint8

// Reasons, in the order in which [Row.Withheld] looks for them.
const (
	// None: the item may be shown.
	None Reason = iota
	// Missing: no item stands at that number.
	Missing
	// Hidden: the merchant hid it.
	Hidden
	// OutOfStock: its stock is 0.
	OutOfStock
	// NotYetAvailable: now is before AvailableFrom.
	NotYetAvailable
	// NoLongerAvailable: now is at or past AvailableUntil.
	NoLongerAvailable
)

var reasonNames = [...]string{
	None:              "none",
	Missing:           "missing",
	Hidden:            "hidden",
	OutOfStock:        "out of stock",
	NotYetAvailable:   "not yet available",
	NoLongerAvailable: "no longer available",
}

// String names the reason in words, for explanations and logs.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "unknown"
}

// Withheld returns the first reason that keeps the item from being shown at
// now (unix microseconds), or [None]. A nil row is [Missing].
func (r *Row) Withheld(now int64) Reason {
	switch {
	case r == nil:
		return Missing
	case r.Hidden:
		return Hidden
	case r.Stock == 0:
		return OutOfStock
	case r.AvailableFrom != 0 && now < r.AvailableFrom:
		return NotYetAvailable
	case r.AvailableUntil != 0 && now >= r.AvailableUntil:
		return NoLongerAvailable
	}
	return None
}

// Servable reports whether the item may be shown at now (unix microseconds).
// It is false for a nil row.
func (r *Row) Servable(now int64) bool { return r.Withheld(now) == None }
