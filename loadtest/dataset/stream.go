package dataset

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"unicode/utf8"

	"github.com/kindred-rec/kindred/loadtest/dataset/internal/lines"
)

// lineParser turns one line into rows. It returns a *RowError for a line that is refused as a whole. emit returns false
// when the consumer wants no more, and the parser must then return. The line is only lent.
type lineParser[T any] func(row int64, line []byte, emit func(T) bool) error

// eachLine streams the lines of a file through a parser. Blank lines are passed over, but counted. An empty path is an
// absent optional file.
func eachLine[T any](path string, maxBytes int, parse lineParser[T]) iter.Seq2[T, error] {
	return eachDecoded(path, maxBytes, func(line []byte) ([]byte, error) { return line, checkUTF8(line) }, parse)
}

// eachDecoded is eachLine for text that decode brings into UTF-8, or refuses.
func eachDecoded[T any](path string, maxBytes int, decode func([]byte) ([]byte, error), parse lineParser[T]) iter.Seq2[T, error] {
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
		wanted := true
		emit := func(row T) bool {
			wanted = yield(row, nil)
			return wanted
		}
		for r := lines.NewReader(in, maxBytes); wanted; {
			line, number, err := r.Next()
			if err == io.EOF {
				return
			}
			switch {
			case errors.Is(err, lines.ErrTooLong):
				err = bad("", "", "row is longer than %d bytes; raise MaxRowBytes", maxBytes)
			case err != nil:
				yield(zero, fmt.Errorf("dataset: %s: after line %d: %w", path, number, err))
				return
			case isBlank(line):
				continue
			default:
				if line, err = decode(line); err == nil {
					err = parse(number, line, emit)
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

// yieldError hands on an error at a row of a file. more is false if it was not about the row alone, or if the consumer is done.
func yieldError[T any](yield func(T, error) bool, path string, row int64, err error) (wanted, more bool) {
	var zero T
	rowErr, ok := err.(*RowError)
	if !ok {
		return yield(zero, err), false
	}
	rowErr.File, rowErr.Row = path, row
	wanted = yield(zero, rowErr)
	return wanted, wanted
}

func isBlank(line []byte) bool {
	for _, b := range line {
		if b != ' ' && b != '\t' {
			return false
		}
	}
	return true
}

// checkUTF8 refuses a row that is not UTF-8: encoding/json would put U+FFFD in its place without a word.
func checkUTF8(line []byte) error {
	if utf8.Valid(line) {
		return nil
	}
	at := 0
	for rest := line; ; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size <= 1 {
			break
		}
		rest, at = rest[size:], at+size
	}
	return bad("", fmt.Sprintf("%x", line[at]), "invalid UTF-8 at byte %d of the row", at+1)
}
