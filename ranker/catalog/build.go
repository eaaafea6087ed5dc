package catalog

import (
	"math"
	"slices"
)

// A builder turns a checked Item into a Row. The table's mutex guards it; its
// slices are kept between items.
type builder struct {
	table   *Table
	refused FieldErrors
	codes   []uint32
	words   []uint64
}

// build interns the item's strings and makes its row. It fails, with every
// field that did not fit, when a dictionary is full.
func (b *builder) build(number uint32, item Item) (*Row, error) {
	b.refused, b.codes, b.words = nil, b.codes[:0], b.words[:0]
	row := &Row{
		Number:         number,
		Price:          math.NaN(),
		Stock:          Unlimited,
		AvailableFrom:  item.AvailableFrom,
		AvailableUntil: item.AvailableUntil,
		Created:        item.Created,
		Hidden:         item.Hidden,
		Brand:          b.intern(b.table.Brands, whole("brand"), item.Brand),
		Seller:         b.intern(b.table.Sellers, whole("seller"), item.Seller),
		Language:       b.intern(b.table.Languages, whole("language"), item.Language),
		Group:          b.intern(b.table.Groups, whole("group"), item.Group),
	}
	if item.Price != nil {
		row.Price = *item.Price
	}
	if item.Stock != nil {
		row.Stock = *item.Stock
	}
	// One allocation for both, apart from whatever buffer they came in.
	both := item.ID + item.Title
	row.ID, row.Title = both[:len(item.ID)], both[len(item.ID):]
	b.lists(row, item)
	b.attributes(row, item.Attributes)
	return row, b.refused.orNil()
}

func (b *builder) intern(dictionary *Dictionary, at place, text string) uint32 {
	code, err := dictionary.intern(text)
	if err != nil {
		b.refused.refuse(at, err)
	}
	return code
}

// lists fills Categories, Category, Tags and Leaves, cut from one allocation.
func (b *builder) lists(row *Row, item Item) {
	for i, path := range item.Categories {
		at := place{field: "categories", index: i}
		expandPath(path, func(name string) {
			code := b.intern(b.table.Categories, at, name)
			if i == 0 && name == path {
				row.Category = code
			}
			b.add(0, code)
		})
	}
	split := len(b.codes)
	for i, tag := range item.Tags {
		b.add(split, b.intern(b.table.Tags, place{field: "tags", index: i}, tag))
	}
	end := len(b.codes)
	for _, path := range item.Categories {
		if code, ok := b.table.Categories.Code(path); ok { // refused above otherwise
			b.add(end, code)
		}
	}
	codes := slices.Clone(b.codes)
	row.Categories, row.Tags, row.Leaves = codes[:split:split], codes[split:end:end], codes[end:]
}

// add appends code unless it already stands at or after from.
func (b *builder) add(from int, code uint32) {
	if !slices.Contains(b.codes[from:], code) {
		b.codes = append(b.codes, code)
	}
}

// attributes fills row.Attributes, sorted by slot, their words cut from one
// allocation.
func (b *builder) attributes(row *Row, attributes []Attribute) {
	if len(attributes) == 0 {
		return
	}
	types := b.table.schema.Load()
	row.Attributes = make([]Cell, len(attributes))
	for i, attribute := range attributes {
		start := len(b.words)
		b.words = append(b.words, attribute.Value.words...)
		for _, text := range attribute.Value.texts {
			code := b.intern(b.table.Texts, attributePlace(attribute.Name), text)
			b.words = append(b.words, uint64(code))
		}
		row.Attributes[i] = Cell{Slot: types.byName[attribute.Name], Words: b.words[start:]}
	}
	words := make([]uint64, 0, len(b.words))
	for i := range row.Attributes {
		start := len(words)
		words = append(words, row.Attributes[i].Words...)
		row.Attributes[i].Words = words[start:len(words):len(words)]
	}
	slices.SortFunc(row.Attributes, func(x, y Cell) int { return int(x.Slot) - int(y.Slot) })
}
