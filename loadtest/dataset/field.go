package dataset

import (
	"fmt"
	"slices"
	"strings"
)

// field is one column of the vocabulary that csv, jsonl and parquet share. T is the row under construction.
type field[T any] struct {
	name, alias string // alias may be empty
	json        jsonForm
	list        bool
	// set reads the text of the field, of which there is one unless list; never empty.
	set func(row *T, column string, texts []string, opts *Options) *RowError
}

// jsonForm says what a field may be in JSON.
type jsonForm uint8

const (
	jsonText    jsonForm = iota // a string
	jsonDecimal                 // a number, or a string: prices and times
	jsonNumeric                 // a number
	jsonBool                    // true or false
	jsonObject                  // an object; in csv and parquet its JSON text
)

// lookUp finds a field by name or alias.
func lookUp[T any](fields []field[T], name string) *field[T] {
	if name == "" {
		return nil
	}
	for i := range fields {
		if fields[i].name == name || fields[i].alias == name {
			return &fields[i]
		}
	}
	return nil
}

func textField[T any](name, alias string, at func(*T) *string) field[T] {
	return field[T]{name: name, alias: alias, set: func(row *T, _ string, texts []string, _ *Options) *RowError {
		*at(row) = texts[0]
		return nil
	}}
}

func listField[T any](name string, at func(*T) *[]string) field[T] {
	return field[T]{name: name, list: true, set: func(row *T, _ string, texts []string, _ *Options) *RowError {
		*at(row) = slices.Clone(texts)
		return nil
	}}
}

// vocabulary is what a file of one kind may hold.
type vocabulary[T any] struct {
	fields   []field[T]
	dynamic  func(name string) (*field[T], error) // attributes; nil where there are none
	required []string
}

func (v vocabulary[T]) find(name string) (*field[T], error) {
	if f := lookUp(v.fields, name); f != nil || v.dynamic == nil {
		return f, nil
	}
	return v.dynamic(name)
}

// means reports whether a mapping to a name is meant for files of this kind.
func (v vocabulary[T]) means(name string) bool {
	return lookUp(v.fields, name) != nil || v.dynamic != nil && strings.HasPrefix(name, attributePrefix)
}

// bind says for each column which field it holds, nil if it is to be left out.
func (v vocabulary[T]) bind(columns []string, opts *Options) ([]*field[T], error) {
	bound := make([]*field[T], len(columns))
	for i, column := range columns {
		name := column
		if at := slices.IndexFunc(opts.Map, func(m Mapping) bool { return m.Column == column && v.means(m.Field) }); at >= 0 {
			name = opts.Map[at].Field
		}
		if name == column && slices.Contains(opts.IgnoreColumns, column) {
			continue
		}
		f, err := v.find(name)
		if err != nil {
			return nil, err
		}
		if f == nil && !slices.Contains(opts.IgnoreColumns, "*") {
			return nil, fmt.Errorf("%w: unknown column %q; map it (field=%s), as an attribute (attributes.NAME=%s), or ignore it",
				ErrHeader, column, column, column)
		}
		if at := slices.Index(bound[:i], f); f != nil && at >= 0 {
			return nil, fmt.Errorf("%w: columns %q and %q are both %s; map or ignore one", ErrHeader, columns[at], column, f.name)
		}
		bound[i] = f
	}
	return bound, v.check(columns, bound, opts)
}

// check looks for what must be there: the required fields, and the columns that a mapping names.
func (v vocabulary[T]) check(columns []string, bound []*field[T], opts *Options) error {
	for _, name := range v.required {
		if !slices.Contains(bound, lookUp(v.fields, name)) {
			return fmt.Errorf("%w: no column %q; the columns are %s (map one: %s=COLUMN)", ErrHeader, name, strings.Join(columns, ", "), name)
		}
	}
	for _, m := range opts.Map {
		if v.means(m.Field) && !inBothKinds(m.Field) && !slices.Contains(columns, m.Column) {
			return fmt.Errorf("%w: mapping %s=%s: no such column; the columns are %s", ErrHeader, m.Field, m.Column, strings.Join(columns, ", "))
		}
	}
	return nil
}

// inBothKinds reports a name that means something in items and in events, so that a mapping may be meant for the other file.
func inBothKinds(name string) bool {
	return lookUp(itemVocabulary.fields, name) != nil && lookUp(eventVocabulary.fields, name) != nil
}

// checkMap refuses a mapping to a field that no file has.
func (o Options) checkMap() error {
	for i, m := range o.Map {
		if f, err := itemVocabulary.find(m.Field); err != nil {
			return err
		} else if f == nil && lookUp(eventVocabulary.fields, m.Field) == nil {
			return fmt.Errorf("dataset: mapping %s=%s: unknown field %q; the package comment lists the fields", m.Field, m.Column, m.Field)
		}
		if slices.ContainsFunc(o.Map[:i], func(other Mapping) bool { return other.Field == m.Field }) {
			return fmt.Errorf("dataset: field %q is mapped twice", m.Field)
		}
	}
	return nil
}

// splitList cuts a cell at "|" and drops what is blank.
func splitList(cell string) []string {
	var list []string
	for part := range strings.SplitSeq(cell, "|") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}
