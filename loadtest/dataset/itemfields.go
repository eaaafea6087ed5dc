package dataset

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// itemRow is an item under construction: price and currency may come in either order.
type itemRow struct {
	item            Item
	price, currency string
	priceColumn     string
}

var itemVocabulary = vocabulary[itemRow]{
	fields: []field[itemRow]{
		textField("id", "item_id", func(r *itemRow) *string { return &r.item.ID }),
		textField("title", "", func(r *itemRow) *string { return &r.item.Title }),
		textField("description", "", func(r *itemRow) *string { return &r.item.Description }),
		listField("categories", func(r *itemRow) *[]string { return &r.item.Categories }),
		listField("tags", func(r *itemRow) *[]string { return &r.item.Tags }),
		textField("brand", "", func(r *itemRow) *string { return &r.item.Brand }),
		textField("seller", "", func(r *itemRow) *string { return &r.item.Seller }),
		textField("language", "", func(r *itemRow) *string { return &r.item.Language }),
		{name: "price", json: jsonDecimal, set: setPrice},
		textField("currency", "", func(r *itemRow) *string { return &r.currency }),
		{name: "stock", json: jsonNumeric, set: setStock},
		itemTime("available_from", "", func(r *itemRow) *time.Time { return &r.item.AvailableFrom }),
		itemTime("available_until", "", func(r *itemRow) *time.Time { return &r.item.AvailableUntil }),
		itemTime("create_time", "created", func(r *itemRow) *time.Time { return &r.item.Created }),
		itemTime("source_time", "", func(r *itemRow) *time.Time { return &r.item.SourceTime }),
		textField("url", "", func(r *itemRow) *string { return &r.item.URL }),
		textField("image_url", "", func(r *itemRow) *string { return &r.item.ImageURL }),
		textField("variant_group", "group", func(r *itemRow) *string { return &r.item.Group }),
		{name: "hidden", json: jsonBool, set: setHidden},
	},
	dynamic:  attributeField,
	required: []string{"id"},
}

func setPrice(r *itemRow, column string, texts []string, _ *Options) *RowError {
	r.price, r.priceColumn = texts[0], column
	return nil
}

func setStock(r *itemRow, column string, texts []string, _ *Options) *RowError {
	n, err := strconv.ParseInt(texts[0], 10, 64)
	if err != nil || n < 0 {
		return bad(column, texts[0], "must be a whole number, 0 or more")
	}
	r.item.Stock = &n
	return nil
}

func setHidden(r *itemRow, column string, texts []string, _ *Options) (err *RowError) {
	r.item.Hidden, err = parseBool(column, texts[0])
	return err
}

func itemTime(name, alias string, at func(*itemRow) *time.Time) field[itemRow] {
	return field[itemRow]{name: name, alias: alias, json: jsonDecimal,
		set: func(r *itemRow, column string, texts []string, opts *Options) (err *RowError) {
			*at(r), err = parseTime(column, texts[0], opts.TimeUnit)
			return err
		}}
}

// finish checks what no single field can.
func (r *itemRow) finish(opts *Options) (Item, *RowError) {
	if r.item.ID == "" {
		return Item{}, bad("id", "", "must not be empty")
	}
	if r.price != "" {
		currency := r.currency
		if currency == "" {
			currency = opts.Currency
		}
		var err *RowError
		if r.item.Price, err = parsePrice(r.priceColumn, r.price, currency); err != nil {
			return Item{}, err
		}
	}
	from, until := r.item.AvailableFrom, r.item.AvailableUntil
	if !until.IsZero() && until.Before(from) {
		return Item{}, bad("available_until", until.Format(time.RFC3339), "must not be before available_from")
	}
	return r.item, nil
}

const attributePrefix = "attributes."

var kindsByName = map[string]Kind{"string": KindString, "number": KindNumber, "bool": KindBool, "time": KindTime,
	"strings": KindStrings, "numbers": KindNumbers}

// attributeField is the field for a column "attributes.NAME" or "attributes.NAME:kind"; nil for any other name.
func attributeField(name string) (*field[itemRow], error) {
	rest, ok := strings.CutPrefix(name, attributePrefix)
	if !ok {
		return nil, nil
	}
	attribute, kindName, typed := strings.Cut(rest, ":")
	kind := KindString
	if typed {
		if kind, ok = kindsByName[kindName]; !ok {
			return nil, fmt.Errorf("%w: %s: unknown kind %q; known are %s", ErrHeader, name, kindName,
				strings.Join(slices.Sorted(maps.Keys(kindsByName)), ", "))
		}
	}
	if attribute == "" {
		return nil, fmt.Errorf("%w: %q: an attribute needs a name", ErrHeader, name)
	}
	list := kind == KindStrings || kind == KindNumbers
	return &field[itemRow]{name: name, list: list, set: func(r *itemRow, column string, texts []string, opts *Options) *RowError {
		v, err := parseValue(column, kind, texts, opts.TimeUnit)
		if err == nil {
			err = r.attribute(column, attribute, v)
		}
		return err
	}}, nil
}

func (r *itemRow) attribute(column, name string, v Value) *RowError {
	if _, twice := r.item.Attributes[name]; twice {
		return bad(column, "", "attribute %q stands twice", name)
	}
	if r.item.Attributes == nil {
		r.item.Attributes = map[string]Value{}
	}
	r.item.Attributes[name] = v
	return nil
}

// parseValue reads an attribute of a known kind from its text.
func parseValue(column string, kind Kind, texts []string, unit TimeUnit) (v Value, err *RowError) {
	v.Kind = kind
	switch kind {
	case KindString:
		v.Text = texts[0]
	case KindNumber:
		v.Number, err = parseNumber(column, texts[0])
	case KindBool:
		v.Bool, err = parseBool(column, texts[0])
	case KindTime:
		v.Time, err = parseTime(column, texts[0], unit)
	case KindStrings:
		v.Strings = slices.Clone(texts)
	case KindNumbers:
		for _, text := range texts {
			n, err := parseNumber(column, text)
			if err != nil {
				return Value{}, err
			}
			v.Numbers = append(v.Numbers, n)
		}
	}
	return v, err
}
