package dataset

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// cell is one field of a row on its way out. A nil cell says nothing.
type cell struct {
	Value
	form cellForm
}

// cellForm says how a cell is written where its kind alone does not.
type cellForm uint8

const (
	plain    cellForm = iota
	whole             // Text is a whole number
	document          // Text is a JSON object
)

// column is one field of a table to write.
type column[T any] struct {
	name string // as the vocabulary has it; of an attribute "attributes.NAME"
	kind Kind
	form cellForm
	get  func(*T) *cell
	// micros: parquet tells its times in microseconds.
	micros bool
}

func textColumn[T any](name string, get func(*T) string) column[T] {
	return column[T]{name: name, kind: KindString, get: func(row *T) *cell {
		if text := get(row); text != "" {
			return &cell{Value: StringValue(text)}
		}
		return nil
	}}
}

func listColumn[T any](name string, get func(*T) []string) column[T] {
	return column[T]{name: name, kind: KindStrings, get: func(row *T) *cell {
		if list := get(row); len(list) > 0 {
			return &cell{Value: StringsValue(list)}
		}
		return nil
	}}
}

func timeColumn[T any](name string, get func(*T) time.Time) column[T] {
	return column[T]{name: name, kind: KindTime, get: func(row *T) *cell {
		if at := get(row); !at.IsZero() {
			return &cell{Value: TimeValue(at.UTC())}
		}
		return nil
	}}
}

func flagColumn[T any](name string, get func(*T) bool) column[T] {
	return column[T]{name: name, kind: KindBool, get: func(row *T) *cell {
		if get(row) {
			return &cell{Value: BoolValue(true)}
		}
		return nil
	}}
}

func wholeColumn[T any](name string, get func(*T) (int64, bool)) column[T] {
	return column[T]{name: name, kind: KindNumber, form: whole, get: func(row *T) *cell {
		if n, has := get(row); has {
			return &cell{Value: StringValue(strconv.FormatInt(n, 10)), form: whole}
		}
		return nil
	}}
}

var eventColumns = []column[Event]{
	textColumn("id", func(e *Event) string { return e.ID }),
	textColumn("user", func(e *Event) string { return e.User }),
	textColumn("session", func(e *Event) string { return e.Session }),
	textColumn("item", func(e *Event) string { return e.Item }),
	textColumn("type", func(e *Event) string { return e.Type }),
	{name: "value", kind: KindNumber, get: func(e *Event) *cell {
		if !e.HasValue {
			return nil
		}
		return &cell{Value: NumberValue(e.Value)}
	}},
	textColumn("text", func(e *Event) string { return e.Text }),
	timeColumn("time", func(e *Event) time.Time { return e.Time }),
	textColumn("surface", func(e *Event) string { return e.Surface }),
	textColumn("recommendation_id", func(e *Event) string { return e.RecommendationID }),
	wholeColumn("position", func(e *Event) (int64, bool) { return int64(e.Position), e.Position != 0 }),
	{name: "context", kind: KindString, form: document, get: contextCell},
	flagColumn("synthetic", func(e *Event) bool { return e.Synthetic }),
}

func contextCell(e *Event) *cell {
	if len(e.Context) == 0 {
		return nil
	}
	text, _ := json.Marshal(e.Context) // texts: cannot fail
	return &cell{Value: StringValue(string(text)), form: document}
}

var itemColumns = []column[Item]{
	textColumn("id", func(i *Item) string { return i.ID }),
	textColumn("title", func(i *Item) string { return i.Title }),
	textColumn("description", func(i *Item) string { return i.Description }),
	listColumn("categories", func(i *Item) []string { return i.Categories }),
	listColumn("tags", func(i *Item) []string { return i.Tags }),
	textColumn("brand", func(i *Item) string { return i.Brand }),
	textColumn("seller", func(i *Item) string { return i.Seller }),
	textColumn("language", func(i *Item) string { return i.Language }),
	textColumn("price", func(i *Item) string {
		if !i.Price.Has {
			return ""
		}
		return i.Price.String()
	}),
	textColumn("currency", func(i *Item) string { return i.Price.Currency }),
	wholeColumn("stock", func(i *Item) (int64, bool) {
		if i.Stock == nil {
			return 0, false
		}
		return *i.Stock, true
	}),
	timeColumn("available_from", func(i *Item) time.Time { return i.AvailableFrom }),
	timeColumn("available_until", func(i *Item) time.Time { return i.AvailableUntil }),
	timeColumn("create_time", func(i *Item) time.Time { return i.Created }),
	timeColumn("source_time", func(i *Item) time.Time { return i.SourceTime }),
	textColumn("url", func(i *Item) string { return i.URL }),
	textColumn("image_url", func(i *Item) string { return i.ImageURL }),
	textColumn("variant_group", func(i *Item) string { return i.Group }),
	flagColumn("hidden", func(i *Item) bool { return i.Hidden }),
}

// String is the amount as a plain decimal, without its currency: "12.99".
func (p Price) String() string {
	text := strconv.FormatInt(p.Units, 10)
	if p.Nanos == 0 {
		return text
	}
	part := fmt.Sprintf("%09d", p.Nanos)
	for part[len(part)-1] == '0' {
		part = part[:len(part)-1]
	}
	return text + "." + part
}

// attributeColumns are the columns for attributes of these kinds, in the order of their names.
func attributeColumns(kinds map[string]Kind) []column[Item] {
	var columns []column[Item]
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		columns = append(columns, column[Item]{name: attributePrefix + name, kind: kinds[name], get: func(i *Item) *cell {
			v, has := i.Attributes[name]
			if !has || v.Kind == KindStrings && len(v.Strings) == 0 || v.Kind == KindNumbers && len(v.Numbers) == 0 ||
				v.Kind == KindString && v.Text == "" {
				return nil
			}
			return &cell{Value: v}
		}})
	}
	return columns
}
