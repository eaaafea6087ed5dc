package dataset

import (
	"encoding/json"
	"iter"
	"slices"
	"time"
)

// jsonlSource reads items.jsonl and events.jsonl: one JSON object a line, with the field names of csv. Lists are JSON
// lists; attributes are an object.
type jsonlSource struct {
	items, events string // either may be empty: not there
	opts          Options
}

func (s *jsonlSource) Items() iter.Seq2[Item, error] {
	return eachLine(s.items, s.opts.MaxRowBytes, func(_ int64, line []byte, emit func(Item) bool) error {
		var row itemRow
		var seen []*field[itemRow]
		if err := eachMember(line, func(key string, raw json.RawMessage) *RowError {
			if key == "attributes" {
				return row.attributesJSON(raw, &s.opts)
			}
			return setJSON(&row, &seen, itemVocabulary.fields, key, raw, &s.opts)
		}); err != nil {
			return err
		}
		item, err := row.finish(&s.opts)
		if err != nil {
			return err
		}
		emit(item)
		return nil
	})
}

// Events reads the log. What the rows of one reading share (whether they have times) starts anew with each loop.
func (s *jsonlSource) Events() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		finisher := newEventFinisher(&s.opts)
		eachLine(s.events, s.opts.MaxRowBytes, func(number int64, line []byte, emit func(Event) bool) error {
			var row eventRow
			var seen []*field[eventRow]
			if err := eachMember(line, func(key string, raw json.RawMessage) *RowError {
				return setJSON(&row, &seen, eventVocabulary.fields, key, raw, &s.opts)
			}); err != nil {
				return err
			}
			event, err := finisher.finish(number, row)
			if err != nil {
				return err
			}
			emit(event)
			return nil
		})(yield)
	}
}

// setJSON fills one field of a row. null, "" and [] say nothing. seen are the fields of this row so far: a name and its
// alias must not both stand in it.
func setJSON[T any](row *T, seen *[]*field[T], fields []field[T], key string, raw json.RawMessage, opts *Options) *RowError {
	f := lookUp(fields, key)
	if f == nil {
		return unknownField(key)
	}
	if slices.Contains(*seen, f) {
		return bad(key, string(raw), "stands twice: %s is another name of %s", f.alias, f.name)
	}
	*seen = append(*seen, f)
	if string(raw) == "null" {
		return nil
	}
	texts, err := jsonTexts(f.json, f.list, key, raw)
	if err != nil || len(texts) == 0 || !f.list && texts[0] == "" {
		return err
	}
	return f.set(row, key, texts, opts)
}

// jsonTexts gives the text of a JSON value if it has the form wanted.
func jsonTexts(form jsonForm, list bool, key string, raw json.RawMessage) ([]string, *RowError) {
	number := raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'
	switch {
	case list:
		return jsonStrings(key, raw)
	case form == jsonNumeric && !number:
		return nil, bad(key, string(raw), "must be a JSON number")
	case form == jsonDecimal && !number && raw[0] != '"':
		return nil, bad(key, string(raw), "must be a JSON number or string")
	case form == jsonBool && raw[0] != 't' && raw[0] != 'f':
		return nil, bad(key, string(raw), "must be true or false")
	case form == jsonObject && raw[0] != '{':
		return nil, bad(key, string(raw), "must be a JSON object")
	case form == jsonBool || form == jsonObject || number && form != jsonText:
		return []string{string(raw)}, nil
	}
	text, err := jsonString(key, raw)
	return []string{text}, err
}

// attributesJSON reads typed attributes: a string, a number, true or false, a list of strings or of numbers, or
// {"time": "2006-01-02T15:04:05Z"}. null says nothing.
func (r *itemRow) attributesJSON(raw json.RawMessage, opts *Options) *RowError {
	if string(raw) == "null" {
		return nil
	}
	return eachMember(raw, func(name string, raw json.RawMessage) *RowError {
		if string(raw) == "null" {
			return nil
		}
		column := attributePrefix + name
		if name == "" {
			return bad(column, "", "an attribute needs a name")
		}
		v, err := attributeJSON(column, raw, opts.TimeUnit)
		if err != nil {
			return err
		}
		return r.attribute(column, name, v)
	})
}

func attributeJSON(column string, raw json.RawMessage, unit TimeUnit) (Value, *RowError) {
	switch raw[0] {
	case '"':
		text, err := jsonString(column, raw)
		return StringValue(text), err
	case 't', 'f':
		return BoolValue(raw[0] == 't'), nil
	case '[':
		return attributeList(column, raw)
	case '{':
		at, err := attributeTime(column, raw, unit)
		return TimeValue(at), err
	}
	n, err := parseNumber(column, string(raw))
	return NumberValue(n), err
}

func attributeList(column string, raw json.RawMessage) (Value, *RowError) {
	if list, err := jsonStrings(column, raw); err == nil {
		return StringsValue(list), nil
	}
	var list []*float64
	if err := json.Unmarshal(raw, &list); err != nil {
		return Value{}, bad(column, string(raw), "must be a list of strings or of finite numbers")
	}
	numbers := make([]float64, len(list))
	for i, n := range list {
		if n == nil {
			return Value{}, bad(column, string(raw), "must be a list of strings or of numbers, holds null")
		}
		numbers[i] = *n
	}
	return NumbersValue(numbers), nil
}

func attributeTime(column string, raw json.RawMessage, unit TimeUnit) (at time.Time, err *RowError) {
	found := false
	err = eachMember(raw, func(key string, raw json.RawMessage) *RowError {
		if key != "time" {
			return bad(column, string(raw), "an object must be {\"time\": ...}, has %q", key)
		}
		texts, err := jsonTexts(jsonDecimal, false, column, raw)
		if err == nil {
			at, err = parseTime(column, texts[0], unit)
		}
		found = true
		return err
	})
	if err == nil && !found {
		err = bad(column, string(raw), `an object must be {"time": ...}`)
	}
	return at, err
}
