package catalog

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

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

func checkPrice(price float64, refused *FieldErrors) {
	if math.IsNaN(price) || math.IsInf(price, 0) || price < 0 {
		refused.refuse("price", "%w: %v; give a finite number of at least 0, or none", ErrInvalid, price)
	}
}

func checkStock(stock int64, refused *FieldErrors) {
	if stock < Unlimited {
		refused.refuse("stock", "%w: %d; give 0 or more, or %d for unlimited", ErrInvalid, stock, Unlimited)
	}
}

func checkWindow(from, until int64, refused *FieldErrors) {
	if from != 0 && until != 0 && until <= from {
		refused.refuse("available_until", "%w: %d is not after available_from %d (unix microseconds); give a later moment, or 0 for no bound",
			ErrInvalid, until, from)
	}
}

// A builder turns an Item into a Row. The table's mutex guards it; its slices
// are kept between items.
type builder struct {
	table   *Table
	refused FieldErrors
	codes   []uint32
	cells   []Cell
	words   []uint64
}

// build interns the item's strings and makes its row, or says everything that
// is wrong with it.
func (b *builder) build(number uint32, item Item) (*Row, error) {
	b.refused, b.codes, b.cells, b.words = nil, b.codes[:0], b.cells[:0], b.words[:0]
	b.check(item)
	if len(b.refused) > 0 {
		return nil, b.refused
	}
	row := &Row{
		Number:         number,
		Price:          math.NaN(),
		Stock:          Unlimited,
		AvailableFrom:  item.AvailableFrom,
		AvailableUntil: item.AvailableUntil,
		Created:        item.Created,
		Hidden:         item.Hidden,
		Brand:          b.intern(b.table.Brands, "brand", item.Brand),
		Seller:         b.intern(b.table.Sellers, "seller", item.Seller),
		Language:       b.intern(b.table.Languages, "language", item.Language),
		Group:          b.intern(b.table.Groups, "group", item.Group),
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

// check refuses what can be told without interning anything.
func (b *builder) check(item Item) {
	size := 0
	text := func(field, value string) {
		size += len(value)
		if !utf8.ValidString(value) {
			b.refused.refuse(field, "%w: %q is not UTF-8; encode it as UTF-8", ErrInvalid, value)
		}
	}
	if item.ID == "" {
		b.refused.refuse("id", "%w: it is empty; give every item an id", ErrInvalid)
	}
	text("id", item.ID)
	text("title", item.Title)
	if item.Price != nil {
		checkPrice(*item.Price, &b.refused)
	}
	if item.Stock != nil {
		checkStock(*item.Stock, &b.refused)
	}
	checkWindow(item.AvailableFrom, item.AvailableUntil, &b.refused)
	for i, path := range item.Categories {
		text(fmt.Sprintf("categories[%d]", i), path)
	}
	for i, tag := range item.Tags {
		text(fmt.Sprintf("tags[%d]", i), tag)
	}
	text("brand", item.Brand)
	text("seller", item.Seller)
	text("language", item.Language)
	text("group", item.Group)
	for _, attribute := range item.Attributes {
		for _, value := range attribute.Value.texts {
			text("attributes."+attribute.Name, value)
		}
		size += 8 * len(attribute.Value.words)
	}
	if limit := b.table.limits.MaxItemBytes; size > limit {
		b.refused.refuse("id", "%w: item %.80q takes %d bytes, Limits.MaxItemBytes is %d; shorten its texts and lists, or raise it",
			ErrLimit, item.ID, size, limit)
	}
}

func (b *builder) intern(dictionary *Dictionary, field, text string) uint32 {
	code, err := dictionary.intern(text)
	if err != nil {
		b.refused = append(b.refused, &FieldError{Field: field, Err: err})
	}
	return code
}

// lists fills Categories, Category and Tags, cut from one allocation.
func (b *builder) lists(row *Row, item Item) {
	for i, path := range item.Categories {
		field := fmt.Sprintf("categories[%d]", i)
		err := expandPath(path, func(name string) error {
			code, err := b.table.Categories.intern(name)
			if i == 0 && name == path {
				row.Category = code
			}
			b.add(0, code)
			return err
		})
		if err != nil {
			b.refused = append(b.refused, &FieldError{Field: field, Err: err})
			return
		}
	}
	split := len(b.codes)
	for i, tag := range item.Tags {
		if tag == "" {
			b.refused.refuse(fmt.Sprintf("tags[%d]", i), "%w: it is empty; leave it out", ErrInvalid)
			continue
		}
		b.add(split, b.intern(b.table.Tags, fmt.Sprintf("tags[%d]", i), tag))
	}
	b.checkLength("categories", split)
	b.checkLength("tags", len(b.codes)-split)
	codes := slices.Clone(b.codes)
	row.Categories, row.Tags = codes[:split:split], codes[split:]
}

// add appends code unless it already stands at or after from.
func (b *builder) add(from int, code uint32) {
	if !slices.Contains(b.codes[from:], code) {
		b.codes = append(b.codes, code)
	}
}

func (b *builder) checkLength(field string, length int) {
	if limit := b.table.limits.MaxListLength; length > limit {
		b.refused.refuse(field, "%w: %d entries (a category path counts with every prefix and its leaf), Limits.MaxListLength is %d; give fewer, or raise it",
			ErrLimit, length, limit)
	}
}

// attributes fills row.Attributes, sorted by slot, their words cut from one
// allocation.
func (b *builder) attributes(row *Row, attributes []Attribute) {
	types := b.table.schema.Load()
	for _, attribute := range attributes {
		if err := b.attribute(types, attribute); err != nil {
			b.refused = append(b.refused, &FieldError{Field: "attributes." + attribute.Name, Err: err})
		}
	}
	if len(b.refused) > 0 || len(b.cells) == 0 {
		return
	}
	slices.SortFunc(b.cells, func(x, y Cell) int { return int(x.Slot) - int(y.Slot) })
	words := make([]uint64, 0, len(b.words))
	row.Attributes = slices.Clone(b.cells)
	for i := range row.Attributes {
		start := len(words)
		words = append(words, row.Attributes[i].Words...)
		row.Attributes[i].Words = words[start:len(words):len(words)]
	}
}

// attribute checks one attribute and appends its cell.
func (b *builder) attribute(types *schema, attribute Attribute) error {
	slot, ok := types.byName[attribute.Name]
	if !ok {
		return fmt.Errorf("%w: %q; declare its type first", ErrUndeclared, attribute.Name)
	}
	value := attribute.Value
	if declared := types.bySlot[slot]; declared.Kind != value.kind || declared.List != value.list {
		return fmt.Errorf("%w: declared as %s, given a %s; give the declared type",
			ErrConflict, declared.Type(), value.Type())
	}
	if slices.ContainsFunc(b.cells, func(cell Cell) bool { return cell.Slot == slot }) {
		return fmt.Errorf("%w: given twice; give it once, or declare a list", ErrInvalid)
	}
	if limit := b.table.limits.MaxListLength; value.Len() > limit {
		return fmt.Errorf("%w: %d entries, Limits.MaxListLength is %d; give fewer, or raise it", ErrLimit, value.Len(), limit)
	}
	start := len(b.words)
	for _, text := range value.texts {
		code, err := b.table.Texts.intern(text)
		if err != nil {
			return err
		}
		b.words = append(b.words, uint64(code))
	}
	for i, word := range value.words {
		if value.kind == KindNumber && !finite(value.Number(i)) {
			return fmt.Errorf("%w: %v; give a finite number", ErrInvalid, value.Number(i))
		}
		b.words = append(b.words, word)
	}
	b.cells = append(b.cells, Cell{Slot: slot, Words: b.words[start:]})
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
