package catalog

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// A check gathers everything that is wrong with an item before any of its
// strings enters a dictionary.
type check struct {
	limits  Limits
	schema  *schema
	refused FieldErrors
	bytes   int // of the texts and words seen
}

// check returns FieldErrors, or nil for an item that only a full dictionary can
// still refuse.
func (t *Table) check(item Item) error {
	c := check{limits: t.limits, schema: t.schema.Load()}
	if item.ID == "" {
		c.refused.refuse(whole("id"), fmt.Errorf("%w: it is empty; give every item an id", ErrInvalid))
	}
	c.text(whole("id"), item.ID)
	c.text(whole("title"), item.Title)
	if item.Price != nil {
		checkPrice(*item.Price, &c.refused)
	}
	if item.Stock != nil {
		checkStock(*item.Stock, &c.refused)
	}
	checkWindow(item.AvailableFrom, item.AvailableUntil, &c.refused)
	checkTime("created", item.Created, &c.refused)
	c.categories(item.Categories)
	c.tags(item.Tags)
	c.text(whole("brand"), item.Brand)
	c.text(whole("seller"), item.Seller)
	c.text(whole("language"), item.Language)
	c.text(whole("group"), item.Group)
	c.attributes(item.Attributes)
	if c.bytes > c.limits.MaxItemBytes {
		c.refused.refuse(whole("item"), fmt.Errorf("%w: %.80q takes %d bytes, Limits.MaxItemBytes is %d; shorten its texts and lists, or raise it",
			ErrLimit, item.ID, c.bytes, c.limits.MaxItemBytes))
	}
	return c.refused.orNil()
}

func (c *check) text(at place, text string) {
	c.bytes += len(text)
	if !utf8.ValidString(text) {
		c.refused.refuse(at, fmt.Errorf("%w: %.80q is not UTF-8; encode it as UTF-8", ErrInvalid, text))
	}
}

func (c *check) length(at place, length int) {
	if length > c.limits.MaxListLength {
		c.refused.refuse(at, fmt.Errorf("%w: %d entries, Limits.MaxListLength is %d; give fewer, or raise it",
			ErrLimit, length, c.limits.MaxListLength))
	}
}

func (c *check) categories(paths []string) {
	length := 0
	for i, path := range paths {
		at := place{field: "categories", index: i}
		c.text(at, path)
		if level, ok := badLevel(path); !ok {
			c.refused.refuse(at, fmt.Errorf("%w: path %.80q has level %.80q; write levels that are not empty, with %q between them",
				ErrInvalid, path, level, PathSeparator))
		}
		// Every prefix and the leaf become entries.
		length += strings.Count(path, PathSeparator) + 2
	}
	c.length(whole("categories"), length)
}

func (c *check) tags(tags []string) {
	for i, tag := range tags {
		at := place{field: "tags", index: i}
		c.text(at, tag)
		if tag == "" {
			c.refused.refuse(at, fmt.Errorf("%w: it is empty; leave it out", ErrInvalid))
		}
	}
	c.length(whole("tags"), len(tags))
}

func (c *check) attributes(attributes []Attribute) {
	for i, attribute := range attributes {
		at := attributePlace(attribute.Name)
		for _, text := range attribute.Value.texts {
			c.text(at, text)
		}
		c.bytes += 8 * len(attribute.Value.words)
		c.length(at, attribute.Value.Len())
		if err := c.value(attribute); err != nil {
			c.refused.refuse(at, err)
		}
		for _, earlier := range attributes[:i] {
			if earlier.Name == attribute.Name {
				c.refused.refuse(at, fmt.Errorf("%w: given twice; give it once, or declare a list", ErrInvalid))
				return // the list may be long, and of one name
			}
		}
	}
}

// value refuses an attribute that is not of its declared type.
func (c *check) value(attribute Attribute) error {
	slot, ok := c.schema.byName[attribute.Name]
	if !ok {
		return fmt.Errorf("%w; declare its type first", ErrUndeclared)
	}
	value := attribute.Value
	if declared := c.schema.bySlot[slot]; declared.Kind != value.kind || declared.List != value.list {
		return fmt.Errorf("%w: declared as %s, given as %s; give the declared type",
			ErrConflict, declared.Type(), value.Type())
	}
	for _, word := range value.words {
		if err := checkWord(value.kind, word); err != nil {
			return err
		}
	}
	return nil
}

// checkWord refuses numbers and times that no filter could write.
func checkWord(kind Kind, word uint64) error {
	switch number, micros := math.Float64frombits(word), int64(word); {
	case kind == KindNumber && (math.IsNaN(number) || math.IsInf(number, 0)):
		return fmt.Errorf("%w: %v; give a finite number", ErrInvalid, number)
	case kind == KindTime && !writable(micros):
		return fmt.Errorf("%w: %d is outside the years 1 to 9999; give unix microseconds", ErrInvalid, micros)
	}
	return nil
}

func checkPrice(price float64, refused *FieldErrors) {
	if math.IsNaN(price) || math.IsInf(price, 0) || price < 0 {
		refused.refuse(whole("price"), fmt.Errorf("%w: %v; give a finite number of at least 0, or none", ErrInvalid, price))
	}
}

func checkStock(stock int64, refused *FieldErrors) {
	if stock < Unlimited {
		refused.refuse(whole("stock"), fmt.Errorf("%w: %d; give 0 or more, or %d for unlimited", ErrInvalid, stock, Unlimited))
	}
}

// writable reports whether a time is one that RFC 3339 can write: years 1 to
// 9999, in unix microseconds.
func writable(micros int64) bool {
	return micros >= -62_135_596_800_000_000 && micros <= 253_402_300_799_999_999
}

func checkTime(field string, micros int64, refused *FieldErrors) {
	if !writable(micros) {
		refused.refuse(whole(field), fmt.Errorf("%w: %d is outside the years 1 to 9999; give unix microseconds", ErrInvalid, micros))
	}
}

func checkWindow(from, until int64, refused *FieldErrors) {
	checkTime("available_from", from, refused)
	checkTime("available_until", until, refused)
	if from != 0 && until != 0 && until <= from {
		refused.refuse(whole("available_until"), fmt.Errorf("%w: %d is not after available_from %d (unix microseconds); give a later moment, or 0 for no bound",
			ErrInvalid, until, from))
	}
}
