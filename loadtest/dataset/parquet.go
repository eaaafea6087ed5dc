package dataset

import (
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
)

// parquetSource reads items.parquet and events.parquet, whose columns have the field names of csv. Lists are repeated
// columns; attributes are a group "attributes", or columns "attributes.NAME", typed as the file types them. Reading takes
// the memory of one page of each column; how large pages are is up to who wrote the file.
type parquetSource struct {
	items, events string // either may be empty: not there
	opts          Options
}

func (s *parquetSource) Items() iter.Seq2[Item, error] {
	return eachParquetRow(s.items, s.opts.MaxRowBytes, func(leaves []leaf) (parquetParser[Item], error) {
		bound, err := bindLeaves(leaves, itemVocabulary, &s.opts)
		if err != nil {
			return nil, err
		}
		return func(_ int64, cells [][]string) (Item, error) {
			var row itemRow
			if err := setLeaves(&row, leaves, bound, cells, &s.opts); err != nil {
				return Item{}, err
			}
			item, err := row.finish(&s.opts)
			if err != nil {
				return Item{}, err
			}
			return item, nil
		}, nil
	})
}

func (s *parquetSource) Events() iter.Seq2[Event, error] {
	return eachParquetRow(s.events, s.opts.MaxRowBytes, func(leaves []leaf) (parquetParser[Event], error) {
		if _, err := bindEvents(leafNames(leaves), &s.opts); err != nil {
			return nil, err
		}
		bound, err := bindLeaves(leaves, eventVocabulary, &s.opts)
		if err != nil {
			return nil, err
		}
		finisher := newEventFinisher(&s.opts)
		finisher.known, finisher.timed = true, hasField(bound, "time")
		return func(number int64, cells [][]string) (Event, error) {
			var row eventRow
			if err := setLeaves(&row, leaves, bound, cells, &s.opts); err != nil {
				return Event{}, err
			}
			return finisher.finish(number, row)
		}, nil
	})
}

// parquetParser turns the texts of one row, by leaf column, into a row.
type parquetParser[T any] func(row int64, cells [][]string) (T, error)

func eachParquetRow[T any](path string, maxBytes int, bind func([]leaf) (parquetParser[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if path == "" {
			return
		}
		var zero T
		r, err := openParquet(path)
		if err != nil {
			yield(zero, fmt.Errorf("dataset: %s: %w", path, err))
			return
		}
		defer r.close()
		parse, err := bind(r.leaves)
		if err != nil {
			yield(zero, fmt.Errorf("dataset: %s: %w", path, err))
			return
		}
		for number := int64(1); ; number++ {
			row, err := r.next()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(zero, fmt.Errorf("dataset: %s: row %d: %w", path, number, err))
				return
			}
			var out T
			cells, err := r.texts(row, maxBytes)
			if err == nil {
				out, err = parse(number, cells)
			}
			if err == nil {
				if !yield(out, nil) {
					return
				}
			} else if _, more := yieldError(yield, path, number, err); !more {
				return
			}
		}
	}
}

func leafNames(leaves []leaf) []string {
	names := make([]string, len(leaves))
	for i, l := range leaves {
		names[i] = l.name
	}
	return names
}

// bindLeaves binds the columns and refuses those whose shape the field does not have.
func bindLeaves[T any](leaves []leaf, v vocabulary[T], opts *Options) ([]*field[T], error) {
	names := leafNames(leaves)
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("%w: column %q stands twice", ErrHeader, name)
		}
	}
	if attribute := v.dynamic; attribute != nil {
		v.dynamic = func(name string) (*field[T], error) { return attribute(withKind(name, leaves, opts)) }
	}
	bound, err := v.bind(names, opts)
	if err != nil {
		return nil, err
	}
	for i, f := range bound {
		switch {
		case f == nil:
		case leaves[i].nested:
			return nil, fmt.Errorf("%w: column %q is nested; only lists and the group %q may be", ErrHeader, names[i], strings.TrimSuffix(attributePrefix, "."))
		case leaves[i].list && !f.list:
			return nil, fmt.Errorf("%w: column %q is a list, but %s is not", ErrHeader, names[i], f.name)
		}
	}
	return bound, nil
}

// withKind adds the kind of its column to the name of an attribute that states none.
func withKind(name string, leaves []leaf, opts *Options) string {
	if !strings.HasPrefix(name, attributePrefix) || strings.Contains(name, ":") {
		return name
	}
	column := name
	for _, m := range opts.Map {
		if m.Field == name {
			column = m.Column
		}
	}
	for _, l := range leaves {
		if l.name == column {
			return name + ":" + l.kind().String()
		}
	}
	return name
}

// setLeaves fills a row from the texts of its columns. No text says nothing; a list may also stand in one text, as in csv.
func setLeaves[T any](row *T, leaves []leaf, bound []*field[T], cells [][]string, opts *Options) *RowError {
	for i, f := range bound {
		if f == nil || len(cells[i]) == 0 || !f.list && cells[i][0] == "" {
			continue
		}
		texts := cells[i]
		if f.list && !leaves[i].list {
			if texts = splitList(texts[0]); len(texts) == 0 {
				continue
			}
		}
		if err := f.set(row, leaves[i].name, texts, opts); err != nil {
			return err
		}
	}
	return nil
}
