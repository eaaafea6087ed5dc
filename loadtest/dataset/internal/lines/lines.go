// Package lines reads text files line by line in bounded memory.
//
// bufio.Scanner gives up at the first line that is too long. Here such a line is skipped and reported, and the next one
// follows: one broken row must not cost the rest of a catalog.
package lines

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// ErrTooLong is returned by Next for a line beyond the bound. The line was skipped and reading may go on.
var ErrTooLong = errors.New("line too long")

const bufferBytes = 64 << 10

// Reader gives the lines of a text. It is not safe for concurrent use.
type Reader struct {
	in     *bufio.Reader
	max    int
	buf    []byte // a line that spans buffers of in
	number int64
}

// NewReader reads lines of at most max bytes, terminator not counted. A byte order mark at the start is dropped.
func NewReader(in io.Reader, max int) *Reader {
	r := &Reader{in: bufio.NewReaderSize(in, bufferBytes), max: max}
	if mark, err := r.in.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		_, _ = r.in.Discard(3) // cannot fail: the three bytes are in the buffer
	}
	return r
}

// Next returns the next line without "\n" or "\r\n" and its 1-based number. The slice holds until the next call. At the end
// the error is io.EOF; a last line without terminator counts as a line.
func (r *Reader) Next() ([]byte, int64, error) {
	r.buf = r.buf[:0]
	tooLong := false
	for first := true; ; first = false {
		part, err := r.in.ReadSlice('\n')
		if first {
			if len(part) == 0 && err != nil {
				return nil, r.number, err
			}
			r.number++
			if err == nil && len(part) <= r.max { // the usual case: no copy
				return trim(part), r.number, nil
			}
		}
		if len(r.buf)+len(part) > r.max+len("\r\n") {
			tooLong = true
			r.buf = r.buf[:0]
		}
		if !tooLong {
			r.buf = append(r.buf, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && err != io.EOF {
			return nil, r.number, err
		}
		line := trim(r.buf)
		if tooLong || len(line) > r.max {
			return nil, r.number, ErrTooLong
		}
		return line, r.number, nil
	}
}

func trim(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}
