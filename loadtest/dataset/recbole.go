package dataset

import (
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
)

// recBole reads the atomic files of RecBole: NAME.inter and, where present, NAME.item, tab-separated, with a header of
// name:type. Lists (token_seq, float_seq) are separated by spaces. Columns of the items that are no field of ours become
// attributes; such columns of the interactions must be ignored by name. The column "rating" is the value, and makes the
// events ratings unless Options.EventType says otherwise.
type recBole struct {
	items, events string
	opts          Options
}

func openRecBole(dir string, opts Options) (Source, error) {
	s := &recBole{opts: opts}
	var err error
	if s.events, err = findOnly(dir, opts.EventsFile, ".inter"); err != nil {
		return nil, err
	}
	s.items, err = findOnly(dir, opts.ItemsFile, ".item")
	if err != nil && (opts.ItemsFile != "" || !errors.Is(err, ErrNotFound)) {
		return nil, err
	}
	return s, nil
}

// findOnly finds a named file, or the only one in a directory with an ending.
func findOnly(dir, named, ending string) (string, error) {
	if named != "" {
		return find(dir, named)
	}
	var found []string
	for _, packing := range packings {
		// Glob fails on a bad pattern only, and a directory's name may look like one: hence the plain listing.
		more, err := withEnding(dir, ending+packing)
		if err != nil {
			return "", err
		}
		found = append(found, more...)
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("dataset: %s: no file *%s (or .gz, .zst): %w", dir, ending, ErrNotFound)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("dataset: %s: %s all end in %s; name one in Options.ItemsFile or Options.EventsFile", dir,
		strings.Join(found, ", "), ending)
}

var tabPlain = layout{comma: '\t'}

func (s *recBole) Items() iter.Seq2[Item, error] {
	return eachRecord(s.items, tabPlain, s.opts.MaxRowBytes, func(columns []string) (rowParser[Item], error) {
		names, kinds, err := atomicHeader(columns)
		if err != nil {
			return nil, err
		}
		v := itemVocabulary
		v.dynamic = func(name string) (*field[itemRow], error) {
			name = strings.TrimPrefix(name, attributePrefix)
			if bare, _, typed := strings.Cut(name, ":"); typed {
				return nil, fmt.Errorf("%w: attribute %s: the header gives the type; write attributes.%s", ErrHeader, name, bare)
			}
			return attributeField(attributePrefix + name + ":" + s.kindOf(name, names, kinds).String())
		}
		bound, err := v.bind(names, &s.opts)
		return itemRows(columns, bound, strings.Fields, &s.opts), err
	})
}

// kindOf is the kind of the column that an attribute is read from.
func (s *recBole) kindOf(attribute string, names []string, kinds []Kind) Kind {
	for _, m := range s.opts.Map {
		if m.Field == attributePrefix+attribute {
			attribute = m.Column
		}
	}
	if at := slices.Index(names, attribute); at >= 0 {
		return kinds[at]
	}
	return KindString
}

func (s *recBole) Events() iter.Seq2[Event, error] {
	return eachRecord(s.events, tabPlain, s.opts.MaxRowBytes, func(columns []string) (rowParser[Event], error) {
		names, _, err := atomicHeader(columns)
		if err != nil {
			return nil, err
		}
		opts := s.opts
		if slices.Contains(names, "rating") && !slices.ContainsFunc(opts.Map, func(m Mapping) bool { return m.Field == "value" }) {
			opts.Map = append(slices.Clone(opts.Map), Mapping{Field: "value", Column: "rating"})
			opts.EventType = opts.typeOr(TypeRating)
		}
		bound, err := bindEvents(names, &opts)
		return eventRows(columns, bound, strings.Fields, &opts), err
	})
}

var atomicKinds = map[string]Kind{"token": KindString, "token_seq": KindStrings, "float": KindNumber, "float_seq": KindNumbers}

// atomicHeader takes the columns "name:type" apart.
func atomicHeader(columns []string) (names []string, kinds []Kind, err error) {
	for _, column := range columns {
		name, kindName, _ := strings.Cut(column, ":")
		kind, ok := atomicKinds[kindName]
		if !ok || name == "" {
			return nil, nil, fmt.Errorf("%w: column %q: must be name:type, with a type of token, token_seq, float or float_seq", ErrHeader, column)
		}
		if slices.Contains(names, name) {
			return nil, nil, fmt.Errorf("%w: column %q stands twice", ErrHeader, name)
		}
		names, kinds = append(names, name), append(kinds, kind)
	}
	return names, kinds, nil
}

func withEnding(dir, ending string) ([]string, error) {
	entries, err := readDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range entries {
		if strings.HasSuffix(name, ending) {
			found = append(found, filepath.Join(dir, name))
		}
	}
	return found, nil
}
