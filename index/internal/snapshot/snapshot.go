// Package snapshot frames what the engines write: a magic that names the
// format, a version, the body in little-endian order, and at the end the
// xxhash64 of all before it. A reader refuses whatever is foreign, of another
// version, truncated, altered, or longer than it should be.
//
// The checksum comes last, so a body must be parsed before it is known to be
// whole: parsers check every number against their configuration before they
// allocate by it.
package snapshot

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/kindred-rec/kindred/index"
)

// MagicSize is the length of a magic in bytes.
const MagicSize = 8

// Writer writes a body. Its first error sticks and is returned by Close.
type Writer struct {
	buf  *bufio.Writer
	hash *xxhash.Digest
	word [8]byte
	err  error
}

// NewWriter begins a snapshot on w.
func NewWriter(w io.Writer, magic string, version uint32) *Writer {
	hash := xxhash.New()
	s := &Writer{buf: bufio.NewWriterSize(io.MultiWriter(hash, w), 1<<16), hash: hash}
	s.Bytes([]byte(magic))
	s.Uint32(version)
	return s
}

// Bytes writes b.
func (s *Writer) Bytes(b []byte) {
	if s.err == nil {
		_, s.err = s.buf.Write(b)
	}
}

// Uint32 writes v.
func (s *Writer) Uint32(v uint32) {
	s.Bytes(binary.LittleEndian.AppendUint32(s.word[:0], v))
}

// Uint64 writes v.
func (s *Writer) Uint64(v uint64) {
	s.Bytes(binary.LittleEndian.AppendUint64(s.word[:0], v))
}

// Float32s writes the elements of v.
func (s *Writer) Float32s(v []float32) {
	for _, x := range v {
		s.Uint32(math.Float32bits(x))
	}
}

// Close writes the checksum. It does not close what is beneath.
func (s *Writer) Close() error {
	if s.err == nil {
		s.err = s.buf.Flush()
	}
	s.Uint64(s.hash.Sum64())
	if s.err == nil {
		s.err = s.buf.Flush()
	}
	return s.err
}

// Reader reads a body. Its first error sticks: reads after it return zeros.
type Reader struct {
	buf  *bufio.Reader
	hash *xxhash.Digest
	word [8]byte
	err  error
}

// NewReader begins reading a snapshot that must carry magic and version.
func NewReader(r io.Reader, magic string, version uint32) *Reader {
	s := &Reader{buf: bufio.NewReaderSize(r, 1<<16), hash: xxhash.New()}
	got := make([]byte, MagicSize)
	if s.Bytes(got); s.err == nil && string(got) != magic {
		s.Fail("it begins with %q, not with %q", got, magic)
	}
	if v := s.Uint32(); s.err == nil && v != version {
		s.Fail("its version is %d, this program reads %d", v, version)
	}
	return s
}

// Fail makes the reader refuse the snapshot for the reason given.
func (s *Reader) Fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: "+format, append([]any{index.ErrSnapshot}, args...)...)
	}
}

// Err is the first error so far.
func (s *Reader) Err() error { return s.err }

// Bytes fills b.
func (s *Reader) Bytes(b []byte) {
	if s.err == nil {
		s.read(b)
		_, _ = s.hash.Write(b) // never fails
	}
	if s.err != nil {
		clear(b)
	}
}

func (s *Reader) read(b []byte) {
	_, err := io.ReadFull(s.buf, b)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		s.Fail("it is truncated")
	case err != nil:
		s.err = fmt.Errorf("reading a snapshot: %w", err)
	}
}

// Uint32 reads a number.
func (s *Reader) Uint32() uint32 {
	s.Bytes(s.word[:4])
	return binary.LittleEndian.Uint32(s.word[:4])
}

// Uint64 reads a number.
func (s *Reader) Uint64() uint64 {
	s.Bytes(s.word[:])
	return binary.LittleEndian.Uint64(s.word[:])
}

// Float32s fills v.
func (s *Reader) Float32s(v []float32) {
	for i := range v {
		v[i] = math.Float32frombits(s.Uint32())
	}
}

// Close checks the checksum and that nothing follows it.
func (s *Reader) Close() error {
	want := s.hash.Sum64()
	if got := s.Uint64(); s.err == nil && got != want {
		s.Fail("its checksum is %016x, its content's is %016x", got, want)
	}
	if s.err != nil {
		return s.err
	}
	if _, err := s.buf.ReadByte(); err == nil {
		s.Fail("bytes follow its end")
	} else if !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading a snapshot: %w", err)
	}
	return s.err
}
