// Package catalog is the live item table of one tenant: what filters, ranking
// features and the checks made at reply time read.
//
// # The problem
//
// Every request reads a few hundred items, some filters read all of them, and
// all the while stock and prices change. Readers must never wait, and a change
// must count for the very next reply.
//
// # The choices
//
// An item is a [Row], immutable once published. The table holds one atomic
// pointer per item number, in chunks of fixed size reached through a directory
// that is sized once: growth copies nothing and a read is two loads. Writers
// serialize on a mutex and publish a new row by swapping its pointer.
//
// Strings that repeat (categories, tags, brands, and the texts of attributes)
// are held once in a [Dictionary] and stand in rows as codes: rows are small, an
// equality is a comparison of integers, and posting lists are keyed by code.
// Code 0 always means "none". Codes are never reused, so a dictionary keeps
// texts that no item uses any more until the table is built anew.
//
// Every change advances [Table.Version] by one and leaves the item's number in
// a bounded journal. Whoever derives something from the table (a filter's
// bitmap) remembers the version it reflects and asks [Table.Changes] for what
// moved since; past the journal's length the answer is to recompute.
//
// # How to use it
//
//	table, err := catalog.New(catalog.Limits{MaxItems: 1 << 20})
//	_, err = table.Declare("sheets", catalog.KindNumber, false)
//	err = table.Put(0, catalog.Item{
//		ID:         "paper-1",
//		Title:      "A4 copy paper",
//		Price:      new(4.99),
//		Categories: []string{"Office > Paper > A4"},
//		Attributes: []catalog.Attribute{{Name: "sheets", Value: catalog.Number(500)}},
//	})
//	err = table.Patch(0, catalog.Patch{Stock: new(int64(0))})
//	row := table.Row(0)               // nil when the number is not in the catalog
//	reason := row.Withheld(nowMicros) // catalog.OutOfStock
//
// # The contract
//
// Item numbers are dense: the caller gives them from 0 upwards and keeps the
// map from ids to numbers. A number below the highest one that is not in use
// costs eight bytes. Times are unix microseconds and 0 means not given. A price
// is in the tenant's currency; NaN in a row means none. Stock -1 means
// unlimited.
//
// All methods are safe for concurrent use. Rows, and the slices inside them,
// must not be modified by readers. Memory is bounded by [Limits]; what goes past
// a bound is refused with [ErrLimit] and changes nothing that readers see.
package catalog
