package catalog

import "math"

// An Item is one row of a catalog as a merchant gives it, with plain strings.
// Nothing but ID is required.
type Item struct {
	ID    string
	Title string
	// Price is in the tenant's currency, finite, at least 0; nil means none.
	Price *float64
	// Stock is the number of pieces left; nil and [Unlimited] mean unlimited.
	Stock *int64
	// AvailableFrom and AvailableUntil bound when the item may be shown, the
	// second exclusive; unix microseconds, 0 means no bound.
	AvailableFrom, AvailableUntil int64
	// Created is in unix microseconds, 0 when unknown.
	Created int64
	// Hidden items are never shown.
	Hidden bool
	// Categories are paths, "Office > Paper > A4"; the first is the main one.
	Categories []string
	Tags       []string
	// Brand, Seller, Language and Group may be empty.
	Brand, Seller, Language, Group string
	// Attributes are of the types declared; each name at most once.
	Attributes []Attribute
}

// A Patch changes what changes often. A nil field leaves the row's as it is.
type Patch struct {
	// Price NaN removes the price.
	Price *float64
	// Stock [Unlimited] removes the bound.
	Stock *int64
	// AvailableFrom and AvailableUntil 0 remove the bound.
	AvailableFrom, AvailableUntil *int64
	Hidden                        *bool
}

// apply writes the patch over row, a copy that the caller owns.
func (p Patch) apply(row *Row) error {
	var refused FieldErrors
	if p.Price != nil {
		row.Price = *p.Price
		if !math.IsNaN(*p.Price) {
			checkPrice(*p.Price, &refused)
		}
	}
	if p.Stock != nil {
		row.Stock = *p.Stock
		checkStock(*p.Stock, &refused)
	}
	if p.AvailableFrom != nil {
		row.AvailableFrom = *p.AvailableFrom
	}
	if p.AvailableUntil != nil {
		row.AvailableUntil = *p.AvailableUntil
	}
	if p.Hidden != nil {
		row.Hidden = *p.Hidden
	}
	checkWindow(row.AvailableFrom, row.AvailableUntil, &refused)
	return refused.orNil()
}
