package dataset

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Sentinels that a caller can tell apart with errors.Is. All but ErrUnknownFormat and ErrNotFound may come from an iterator.
var (
	// ErrUnknownFormat: the format is none of Formats.
	ErrUnknownFormat = errors.New("unknown format")
	// ErrNotFound: a file that the format needs is absent.
	ErrNotFound = errors.New("file not found")
	// ErrHeader: the first row of a file does not name the columns that are needed, or names unknown ones.
	ErrHeader = errors.New("bad header")
	// ErrLimit: a bound of Options or SplitOptions was passed; the message names the bound.
	ErrLimit = errors.New("limit exceeded")
)

// RowError says what is wrong with one row. It ends nothing: the rows after it follow. Every other error from an iterator
// ends it.
type RowError struct {
	File   string // path as opened
	Row    int64  // 1-based line on which the row begins, the header included; for parquet the 1-based row
	Column string // the column or field at fault; empty if the row as a whole is
	Value  string // the offending text, shortened to its first 80 bytes and "…"
	Reason string
}

func (e *RowError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d: ", e.File, e.Row)
	if e.Column != "" {
		fmt.Fprintf(&b, "%s: ", e.Column)
	}
	b.WriteString(e.Reason)
	if e.Value != "" {
		fmt.Fprintf(&b, ", got %q", e.Value)
	}
	return b.String()
}

func isRowError(err error) bool {
	var rowErr *RowError
	return errors.As(err, &rowErr)
}

const shownBytes = 80

// bad makes a RowError whose file and row the reading loop fills in.
func bad(column, value, reason string, args ...any) *RowError {
	if len(value) > shownBytes {
		cut := shownBytes
		for cut > 0 && !utf8.RuneStart(value[cut]) {
			cut--
		}
		value = value[:cut] + "…"
	}
	if len(args) > 0 {
		reason = fmt.Sprintf(reason, args...)
	}
	return &RowError{Column: column, Value: strings.Clone(value), Reason: reason}
}
