package filter

import (
	"math"

	"cel.dev/cel-go/cel"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// A fieldKind is how a field is kept in a row, and so how it is evaluated.
type fieldKind uint8

const (
	textField    fieldKind = iota // a string, whole in the row: id, title
	codeField                     // a string, as a code of a dictionary
	codesField                    // a list of such strings
	numberField                   // float64, NaN when absent
	integerField                  // int64
	timeField                     // unix microseconds, absentInteger when absent
	flagField                     // bool
	numbersField                  // lists, of words as in catalog.Cell
	timesField
	flagsField
)

// absentInteger stands for no value; no stock and no time can have it.
const absentInteger = math.MinInt64

// A field is one name that filters may use, with what reads it from a row. Of
// its functions those of its kind are set.
type field struct {
	name   string // as it is written: "price", "attributes.color"
	kind   fieldKind
	column uint32 // names its column, below

	dictionary *catalog.Dictionary               // of codes
	text       func(*catalog.Row) string         // textField
	number     func(*catalog.Row) float64        // numberField
	integer    func(*catalog.Row) int64          // integerField, timeField
	word       func(*catalog.Row) (uint64, bool) // codeField, flagField; false when absent
	present    func(*catalog.Row) bool           // lists
	each       func(*catalog.Row, func(uint64))  // lists: every word
	contains   func(*catalog.Row, uint64) bool   // lists
}

// Columns are numbered: the rows themselves, then the fields below, then the
// attributes by slot.
const (
	rowsColumn      = 0
	fieldColumn     = 1
	attributeColumn = 64
)

// itemFields are the fields that every item has, in the order in which they are
// named to users.
func itemFields(table *catalog.Table) []*field {
	fields := []*field{
		{name: "id", kind: textField, text: func(r *catalog.Row) string { return r.ID }},
		{name: "title", kind: textField, text: func(r *catalog.Row) string { return r.Title }},
		{name: "price", kind: numberField, number: func(r *catalog.Row) float64 { return r.Price }},
		{name: "stock", kind: integerField, integer: stock},
		{name: "in_stock", kind: flagField, word: func(r *catalog.Row) (uint64, bool) { return flagWord(r.InStock()), true }},
		listField("categories", table.Categories, func(r *catalog.Row) []uint32 { return r.Categories }),
		listField("tags", table.Tags, func(r *catalog.Row) []uint32 { return r.Tags }),
		textCodes("brand", table.Brands, func(r *catalog.Row) uint32 { return r.Brand }),
		textCodes("seller", table.Sellers, func(r *catalog.Row) uint32 { return r.Seller }),
		textCodes("language", table.Languages, func(r *catalog.Row) uint32 { return r.Language }),
		textCodes("variant_group", table.Groups, func(r *catalog.Row) uint32 { return r.Group }),
		moment("create_time", func(r *catalog.Row) int64 { return r.Created }),
		moment("available_from", func(r *catalog.Row) int64 { return r.AvailableFrom }),
		moment("available_until", func(r *catalog.Row) int64 { return r.AvailableUntil }),
	}
	for i, f := range fields {
		f.column = fieldColumn + uint32(i)
	}
	return fields
}

// stock makes unlimited more than any number.
func stock(r *catalog.Row) int64 {
	if r.Stock == catalog.Unlimited {
		return math.MaxInt64
	}
	return r.Stock
}

func flagWord(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func textCodes(name string, dictionary *catalog.Dictionary, code func(*catalog.Row) uint32) *field {
	return &field{name: name, kind: codeField, dictionary: dictionary,
		word: func(r *catalog.Row) (uint64, bool) { return uint64(code(r)), true }}
}

// moment is a time of which 0 means none.
func moment(name string, micros func(*catalog.Row) int64) *field {
	return &field{name: name, kind: timeField, integer: func(r *catalog.Row) int64 {
		if at := micros(r); at != 0 {
			return at
		}
		return absentInteger
	}}
}

func listField(name string, dictionary *catalog.Dictionary, codes func(*catalog.Row) []uint32) *field {
	f := &field{name: name, kind: codesField, dictionary: dictionary}
	f.present = func(*catalog.Row) bool { return true }
	f.each, f.contains = elements(codes)
	return f
}

// elements are the two ways in which a list is read.
func elements[T uint32 | uint64](list func(*catalog.Row) []T) (each func(*catalog.Row, func(uint64)), contains func(*catalog.Row, uint64) bool) {
	each = func(r *catalog.Row, visit func(uint64)) {
		for _, word := range list(r) {
			visit(uint64(word))
		}
	}
	contains = func(r *catalog.Row, word uint64) bool {
		for _, have := range list(r) {
			if uint64(have) == word {
				return true
			}
		}
		return false
	}
	return each, contains
}

// attributeField is the field of a declared attribute.
func attributeField(table *catalog.Table, declared catalog.Declaration) *field {
	slot := declared.Slot
	f := &field{name: attributesName + "." + declared.Name, column: attributeColumn + slot}
	if declared.Kind == catalog.KindString {
		f.dictionary = table.Texts
	}
	if declared.List {
		words := func(r *catalog.Row) []uint64 { return r.Attribute(slot) }
		f.kind = listKinds[declared.Kind]
		f.present = func(r *catalog.Row) bool { return words(r) != nil }
		f.each, f.contains = elements(words)
		return f
	}
	f.kind = scalarKinds[declared.Kind]
	f.word = func(r *catalog.Row) (uint64, bool) {
		if words := r.Attribute(slot); words != nil {
			return words[0], true
		}
		return 0, false
	}
	switch f.kind {
	case numberField:
		f.number = func(r *catalog.Row) float64 {
			if words := r.Attribute(slot); words != nil {
				return math.Float64frombits(words[0])
			}
			return math.NaN()
		}
	case timeField:
		f.integer = func(r *catalog.Row) int64 {
			if words := r.Attribute(slot); words != nil {
				return int64(words[0])
			}
			return absentInteger
		}
	}
	return f
}

var scalarKinds = [...]fieldKind{
	catalog.KindString: codeField, catalog.KindNumber: numberField, catalog.KindBool: flagField, catalog.KindTime: timeField,
}

var listKinds = [...]fieldKind{
	catalog.KindString: codesField, catalog.KindNumber: numbersField, catalog.KindBool: flagsField, catalog.KindTime: timesField,
}

// celType is the type under which CEL checks the field.
func (k fieldKind) celType() *cel.Type {
	switch k {
	case textField, codeField:
		return cel.StringType
	case codesField:
		return cel.ListType(cel.StringType)
	case numberField:
		return cel.DoubleType
	case integerField:
		return cel.IntType
	case timeField:
		return cel.TimestampType
	case numbersField:
		return cel.ListType(cel.DoubleType)
	case timesField:
		return cel.ListType(cel.TimestampType)
	case flagsField:
		return cel.ListType(cel.BoolType)
	}
	return cel.BoolType
}
