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
	fields  []string
	pending []line // lines of a record that was refused, to be read again; at most max bytes
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
			return nil, first.number, &SyntaxError{-1, fmt.Sprintf("row is longer than %d bytes", r.max)}
		}
		if first.text == "" {
			continue
		}
		fields, err := r.record(first)
		return fields, first.number, err
	}
}

func (r *Reader) line() (line, error) {
	if len(r.pending) > 0 {
		next := r.pending[0]
		r.pending = r.pending[1:]
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
	text, rest := first.text, []line(nil)
	for {
		open, wrong := r.split(text)
		if wrong == nil && !open {
			wrong = r.checkWidth()
		}
		if wrong == nil && !open {
			return r.fields, nil
		}
		if wrong == nil {
			next, err := r.line()
			switch {
			case err == io.EOF:
				wrong = &SyntaxError{len(r.fields), "quote is not closed before the end of the file"}
			case err != nil:
				return nil, err
			default:
				rest = append(rest, next)
				if next.err != nil || len(text)+1+len(next.text) > r.max {
					wrong = &SyntaxError{len(r.fields), fmt.Sprintf("quote is not closed within %d bytes", r.max)}
				}
			}
		}
		if wrong != nil {
			r.pending = append(rest, r.pending...)
			return nil, wrong
		}
		text += "\n" + rest[len(rest)-1].text
	}
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

// split cuts text into r.fields. open reports that the text ends inside quotes.
func (r *Reader) split(text string) (open bool, wrong *SyntaxError) {
	r.fields = r.fields[:0]
	for {
		var field string
		var last bool
		if r.quoted && strings.HasPrefix(text, `"`) {
			if field, text, last, open, wrong = r.quotedField(text[1:]); open || wrong != nil {
				return open, wrong
			}
		} else {
			before, after, found := strings.Cut(text, r.comma)
			if r.quoted && strings.Contains(before, `"`) {
				return false, &SyntaxError{len(r.fields), `a quote inside an unquoted field; quote the field and double the quote`}
			}
			field, text, last = before, after, !found
		}
		r.fields = append(r.fields, field)
		if last {
			return false, nil
		}
	}
}

// quotedField reads up to the closing quote; text begins behind the opening one.
func (r *Reader) quotedField(text string) (field, rest string, last, open bool, wrong *SyntaxError) {
	for {
		before, after, found := strings.Cut(text, `"`)
		if !found {
			return "", "", false, true, nil
		}
		field += before
		switch {
		case strings.HasPrefix(after, `"`):
			field, text = field+`"`, after[1:]
		case after == "":
			return field, "", true, false, nil
		case strings.HasPrefix(after, r.comma):
			return field, after[len(r.comma):], false, false, nil
		default:
			return "", "", false, false, &SyntaxError{len(r.fields), "text after a closing quote; double a quote inside a quoted field"}
		}
	}
}
