// Package filter decides which items a request lets pass, by an expression over
// their fields:
//
//	price < 50 && in_stock && "Paper" in categories
//
// # The problem
//
// A filter is needed in two shapes. A search of the index wants the set of all
// items that pass, as bits. A reply wants to be sure of each item it shows, at
// the moment it shows it, after stock and prices have moved on. Both must mean
// the same, and neither may cost what an interpreter costs.
//
// # The choices
//
// Filters are written in CEL (https://cel.dev), parsed and type-checked by
// cel-go; an author's mistake is refused with its place, the nearest known name
// and what to write. What CEL accepted is compiled to a small tree of nodes.
// Each node can match one row, without allocating, and can name all rows that
// match, from posting lists and columns joined as Roaring bitmaps. The tests
// hold both against cel-go's own interpreter.
//
// Posting lists and columns are never updated. Each is read from the table when
// a filter first needs it and reflects the version it was read at; the rows
// that the catalog's journal names since are matched one by one. After many
// changes it is read anew. Bitmaps that a [Cache] keeps are brought up to date
// in the same way, so that after one change of stock a bitmap costs one match.
//
// # What can be written
//
// The fields of an item are
//
//	id, title                               text
//	price                                   number
//	stock                                   whole number; unlimited is more than any
//	in_stock                                true or false
//	categories                              list of text: every prefix of each path, "Office > Paper", and its leaf
//	tags                                    list of text
//	brand, seller, language, variant_group  text, "" where the item has none
//	create_time, available_from, available_until time
//	attributes.NAME                         as declared; attributes.`NAME` where NAME is no identifier
//
// and the forms
//
//	FIELD == LITERAL                also != < <= > >=, and the literal may come first
//	FIELD in [LITERAL, LITERAL]
//	LITERAL in LIST_FIELD
//	FIELD.startsWith("x")           also endsWith, contains
//	has(attributes.NAME)
//	true, false, and fields that are true or false
//	A && B, A || B, !A, C ? A : B
//
// Text compares by code points, and letter case counts. A number may be written
// 50 or 50.0. A time is timestamp("2026-01-31T00:00:00Z"). Attributes are only
// reached through attributes, so that a field added here later takes no name
// from a shop. Regular expressions, loops, arithmetic, and comparisons of two
// fields are refused.
//
// # Absent values
//
// A price, a time or an attribute may be absent. A comparison over an absent
// value is false, whatever its operator, != included; its negation with ! is
// then true:
//
//	attributes.color != "red"       items that have a color, and another
//	!(attributes.color == "red")    these, and the items without a color
//
// has(attributes.NAME) tests presence; price >= 0 is true of every item that has
// a price. An empty list is present.
//
// # How to use it
//
//	cache, err := filter.NewCache(table, filter.Limits{})
//	f, err := cache.Filter(text) // err is an *Error: the caller's mistake
//	allowed := f.Bitmap().Words  // for the search
//	...
//	if f.Match(table.Row(number)) && table.Row(number).Servable(now) // for the reply
//
// Without a cache, [Compiler.Compile] makes a [Program].
//
// # The contract
//
// [Program.Match] is exact for the row it is given. A [Bitmap] reflects at least
// the version it carries. Whether an item is hidden or available now is no
// matter of filters: see [catalog.Row.Withheld]. Everything is safe for
// concurrent use. Length, nodes, nesting and lists of a filter, and the memory
// kept, are bounded by [Limits].
//
// Roaring bitmaps: Lemire et al., Roaring Bitmaps: Implementation of an
// Optimized Software Library, 2018, arXiv:1709.07821.
package filter
