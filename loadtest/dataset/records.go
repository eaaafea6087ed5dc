package dataset

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kindred-rec/kindred/loadtest/dataset/internal/delimited"
	"github.com/kindred-rec/kindred/loadtest/dataset/internal/lines"
)

// layout says how the fields of a file are separated.
type layout struct {
	comma  rune
	quoted bool // RFC 4180 quotes
}

// rowParser turns the fields of one record into rows, as lineParser does. The slice is lent, the strings are not.
type rowParser[T any] func(row int64, fields []string, emit func(T) bool) error

// eachRecord streams a file whose first row names its columns. bind looks at the names, once for each reading, and gives the
// parser of the rows.
func eachRecord[T any](path string, l layout, maxBytes int, bind func(columns []string) (rowParser[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if path == "" {
			return
		}
		var zero T
		in, err := lines.Open(path)
		if err != nil {
			yield(zero, fmt.Errorf("dataset: %w", err))
			return
		}
		defer in.Close()
		r := delimited.NewReader(in, l.comma, l.quoted, maxBytes)
		columns, parse, err := readHeader(r, bind)
		if err != nil {
			yield(zero, fmt.Errorf("dataset: %s: %w", path, err))
			return
		}
		wanted := true
		emit := func(row T) bool {
			wanted = yield(row, nil)
			return wanted
		}
		for wanted {
			fields, number, err := r.Next()
			if err == io.EOF {
				return
			}
			var syntax *delimited.SyntaxError
			switch {
			case errors.As(err, &syntax):
				err = bad(columnName(columns, syntax.Field), "", syntax.Reason)
			case err != nil:
				yield(zero, fmt.Errorf("dataset: %s: after line %d: %w", path, number, err))
				return
			default:
				if err = checkFieldsUTF8(columns, fields); err == nil {
					err = parse(number, fields, emit)
				}
			}
			if err != nil && wanted {
				var more bool
				if wanted, more = yieldError(yield, path, number, err); !more {
					return
				}
			}
		}
	}
}

func readHeader[T any](r *delimited.Reader, bind func([]string) (rowParser[T], error)) ([]string, rowParser[T], error) {
	header, _, err := r.Next()
	if err == io.EOF {
		return nil, nil, fmt.Errorf("%w: the file is empty; its first row must name the columns", ErrHeader)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	columns := slices.Clone(header)
	for i, c := range columns {
		if !utf8.ValidString(c) {
			return nil, nil, fmt.Errorf("%w: column %d has invalid UTF-8", ErrHeader, i+1)
		}
		if slices.Contains(columns[:i], c) {
			return nil, nil, fmt.Errorf("%w: column %q stands twice", ErrHeader, c)
		}
	}
	parse, err := bind(columns)
	return columns, parse, err
}

func columnName(columns []string, i int) string {
	if i < 0 || i >= len(columns) {
		return ""
	}
	return columns[i]
}

func checkFieldsUTF8(columns, fields []string) error {
	for i, f := range fields {
		if !utf8.ValidString(f) {
			return bad(columnName(columns, i), fmt.Sprintf("%x", f), "invalid UTF-8 (shown in hex)")
		}
	}
	return nil
}

// places finds each wanted column and refuses others: for the formats whose columns are fixed.
func places(columns []string, wanted ...string) ([]int, error) {
	at := make([]int, len(wanted))
	for i, w := range wanted {
		if at[i] = slices.Index(columns, w); at[i] < 0 {
			return nil, fmt.Errorf("%w: no column %q; the columns are %s", ErrHeader, w, strings.Join(columns, ", "))
		}
	}
	for _, c := range columns {
		if !slices.Contains(wanted, c) {
			return nil, fmt.Errorf("%w: unknown column %q; this format has %s (csv takes any columns)", ErrHeader, c, strings.Join(wanted, ", "))
		}
	}
	return at, nil
}
