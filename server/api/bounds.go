package api

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kindred-rec/kindred/server/record"
)

// Bounds are limits of requests that a service may set below those of the wire contract. 0, and what is above the contract's, is
// the contract's. Errors name a bound as the settings do, max-rows for Rows.
type Bounds struct {
	Rows       int // rows or events of one call, and of one message of a stream
	List       int // items of a list
	Candidates int // items of RankItems
	Context    int // context items of a request
	Exclude    int // excluded items of a request
	Page       int // rows of one page of a listing
	SearchText int // bytes

	Attributes  int // of an item
	Elements    int // of a list attribute
	String      int // bytes of a string attribute
	Description int // bytes
	Comment     int // bytes of an event's text
}

// Contract are the bounds of the wire contract.
func Contract() Bounds {
	return Bounds{
		Rows: maxRows, List: maxLimit, Candidates: maxRanked, Context: maxContext, Exclude: maxExclude, Page: maxRows, SearchText: maxQuery,
		Attributes: record.MaxAttributes, Elements: record.MaxElements, String: record.MaxString, Description: record.MaxDescription, Comment: record.MaxText,
	}
}

func (b Bounds) withinContract() Bounds {
	c := Contract()
	for _, f := range [][2]*int{
		{&b.Rows, &c.Rows}, {&b.List, &c.List}, {&b.Candidates, &c.Candidates}, {&b.Context, &c.Context}, {&b.Exclude, &c.Exclude},
		{&b.Page, &c.Page}, {&b.SearchText, &c.SearchText}, {&b.Attributes, &c.Attributes}, {&b.Elements, &c.Elements},
		{&b.String, &c.String}, {&b.Description, &c.Description}, {&b.Comment, &c.Comment},
	} {
		*f[0] = min(cmp.Or(*f[0], *f[1]), *f[1])
	}
	return b
}

// sized refuses a batch that is empty or over the limit.
func (b *Bounds) sized(field string, n int) error {
	if n == 0 {
		return invalid(violation{field, fmt.Sprintf("is empty: give 1 to %d rows", b.Rows)})
	}
	if n > b.Rows {
		return invalid(violation{field, fmt.Sprintf("has %d rows, at most %d are taken (max-rows): split it; nothing was written", n, b.Rows)})
	}
	return nil
}

// pageSize returns the size asked for, or the default for 0.
func (b *Bounds) pageSize(n int32) (int, error) {
	usual := min(defaultPage, b.Page)
	if n < 0 || int(n) > b.Page {
		return 0, invalid(violation{"page_size", fmt.Sprintf("is %d: give 1 to %d (max-page), or 0 for %d", n, b.Page, usual)})
	}
	return cmp.Or(int(n), usual), nil
}

// item returns what of an item is past the bounds. It may be nil.
func (b *Bounds) item(it *record.Item) (faults []record.Violation) {
	if it == nil {
		return nil
	}
	over := func(field string, n, bound int, what, name string) {
		if n > bound {
			faults = append(faults, record.Violation{Field: field, Description: fmt.Sprintf("has %d %s, at most %d are taken (%s)", n, what, bound, name)})
		}
	}
	over("description", len(it.Description), b.Description, "bytes", "max-description")
	over("attributes", len(it.Attributes), b.Attributes, "entries", "max-attributes")
	for name, v := range it.Attributes {
		field := fmt.Sprintf("attributes[%.80q]", name)
		over(field, max(len(v.Strings), len(v.Numbers), len(v.Bools), len(v.Times)), b.Elements, "elements", "max-elements")
		for _, s := range v.Strings {
			over(field, len(s), b.String, "bytes", "max-string")
		}
	}
	return faults
}

// beside adds faults of the bounds to those of form, but of fields that have one already.
func beside(form, bounds []record.Violation) []record.Violation {
	for _, f := range bounds {
		if !slices.ContainsFunc(form, func(v record.Violation) bool { return v.Field == f.Field }) {
			form = append(form, f)
		}
	}
	return form
}

// event returns what of an event is past the bounds. It may be nil.
func (b *Bounds) event(e *record.Event) []record.Violation {
	if e == nil || len(e.Text) <= b.Comment {
		return nil
	}
	return []record.Violation{{Field: "text", Description: fmt.Sprintf("has %d bytes, at most %d are taken (max-comment)", len(e.Text), b.Comment)}}
}
