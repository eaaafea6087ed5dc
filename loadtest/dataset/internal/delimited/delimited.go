// Package delimited reads comma- or tab-separated records (RFC 4180) so that one broken record costs one line.
//
// encoding/csv reads on to the end of the file, in memory, when a quote is not closed, and then has nothing left to give.
// Here a record is bounded; and when a record that spans lines turns out wrong (no closing quote within the bound, a stray
// quote, or the wrong number of fields), only its first line is refused and reading resumes at the second. The grammar is
// that of encoding/csv with its defaults, which the tests hold it to.
package delimited

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kindred-rec/kindred/loadtest/dataset/internal/lines"
)

// SyntaxError is about one record; reading may go on after it.
type SyntaxError struct {
	Field  int // 0-based, -1 if the record as a whole is at fault
	Reason string
}

func (e *SyntaxError) Error() string { return e.Reason }

type line struct {
	text   string
	number int64
	err    error // lines.ErrTooLong
}

// Reader gives the records of a text. It is not safe for concurrent use.
type Reader struct {
	in      *lines.Reader
	comma   string
	quoted  bool
	max     int
	width   int
	pending []line // lines of a refused record, to be read again, the next one last; at most max bytes

	// The record at hand.
	fields  []string
	partial []byte // of a quoted field, up to where it was read
	open    bool   // the last field goes on in the next line
}

// NewReader reads records of at most max bytes. Without quoted, quotes are plain text (the atomic files of RecBole).
func NewReader(in io.Reader, comma rune, quoted bool, max int) *Reader {
	return &Reader{in: lines.NewReader(in, max), comma: string(comma), quoted: quoted, max: max}
}

// ValidComma reports whether a rune can separate fields.
func ValidComma(r rune) bool {
	return r != 0 && r != '"' && r != '\r' && r != '\n' && utf8.ValidRune(r) && r != utf8.RuneError
}

// Next returns the fields of the next record and the number of its first line. The first record sets the width of all that
// follow. The slice, not the strings in it, holds until the next call. Empty lines are passed over.
func (r *Reader) Next() ([]string, int64, error) {
	for {
		first, err := r.line()
		if err != nil {
			return nil, first.number, err
		}
		if first.err != nil {
			return nil, first.number, &SyntaxError{-1, fmt.Sprintf("row is longer than %d bytes; raise MaxRowBytes", r.max)}
		}
		if first.text == "" {
			continue
		}
		fields, err := r.record(first)
		return fields, first.number, err
	}
}

func (r *Reader) line() (line, error) {
	if last := len(r.pending) - 1; last >= 0 {
		next := r.pending[last]
		r.pending = r.pending[:last]
		return next, nil
	}
	text, number, err := r.in.Next()
	if errors.Is(err, lines.ErrTooLong) {
		return line{number: number, err: err}, nil
	}
	return line{text: string(text), number: number}, err
}

// record reads the record that begins with a line, and puts the lines after the first back if it is refused.
func (r *Reader) record(first line) ([]string, error) {
	var rest []line
	r.fields, r.partial, r.open = r.fields[:0], r.partial[:0], false
	size := len(first.text)
	wrong := r.feed(first.text)
	for wrong == nil && r.open {
		next, err := r.line()
		if err == io.EOF {
			wrong = &SyntaxError{len(r.fields), "quote is not closed before the end of the file"}
			break
		}
		if err != nil {
			return nil, err
		}
		rest = append(rest, next)
		if size += 1 + len(next.text); next.err != nil || size > r.max {
			wrong = &SyntaxError{len(r.fields), fmt.Sprintf("quote is not closed within %d bytes", r.max)}
			break
		}
		r.partial = append(r.partial, '\n')
		wrong = r.feed(next.text)
	}
	if wrong == nil {
		wrong = r.checkWidth()
	}
	if wrong != nil {
		slices.Reverse(rest)
		r.pending = append(r.pending, rest...)
		return nil, wrong
	}
	return r.fields, nil
}

func (r *Reader) checkWidth() *SyntaxError {
	if r.width == 0 {
		r.width = len(r.fields)
	}
	if len(r.fields) != r.width {
		return &SyntaxError{-1, fmt.Sprintf("row has %d fields, the header %d", len(r.fields), r.width)}
	}
	return nil
}

// feed cuts one line of the record into fields. An open field goes on where the line before left it.
func (r *Reader) feed(text string) *SyntaxError {
	for last := false; !last; {
		var field string
		if r.open || r.quoted && strings.HasPrefix(text, `"`) {
			if !r.open {
				text = text[1:]
			}
			var wrong *SyntaxError
			if field, text, last, wrong = r.quotedField(text); wrong != nil || r.open {
				return wrong
			}
		} else {
			before, after, found := strings.Cut(text, r.comma)
			if r.quoted && strings.Contains(before, `"`) {
				return &SyntaxError{len(r.fields), "a quote inside an unquoted field; quote the field and double the quote"}
			}
			field, text, last = before, after, !found
		}
		r.fields = append(r.fields, field)
	}
	return nil
}

// quotedField reads up to the closing quote, or to the end of the line, and then sets open. text begins behind the opening
// quote. A field without doubled quotes or line breaks is not copied.
func (r *Reader) quotedField(text string) (field, rest string, last bool, wrong *SyntaxError) {
	for {
		before, after, found := strings.Cut(text, `"`)
		if r.open = !found; r.open {
			r.partial = append(r.partial, before...)
			return "", "", true, nil
		}
		if strings.HasPrefix(after, `"`) {
			r.partial = append(append(r.partial, before...), '"')
			text = after[1:]
			continue
		}
		if field = before; len(r.partial) > 0 {
			field = string(append(r.partial, before...))
			r.partial = r.partial[:0]
		}
		rest, found = strings.CutPrefix(after, r.comma)
		if !found && after != "" {
			return "", "", true, &SyntaxError{len(r.fields), "text after a closing quote; double a quote inside a quoted field"}
		}
		return field, rest, !found, nil
	}
}
