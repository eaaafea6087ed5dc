package spill

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
)

// File is a file of records. It is safe for concurrent use.
type File struct {
	file source
	size int64
}

// source is what is read: an os.File, or bytes in a test.
type source interface {
	io.ReaderAt
	io.Closer
	Name() string
}

// Open opens a file that a Writer wrote and closed. What is inside is checked as it is
// read.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, err
	}
	f, err := open(file, info.Size())
	if err != nil {
		file.Close()
		return nil, err
	}
	return f, nil
}

// open checks how a file begins.
func open(file source, size int64) (*File, error) {
	f := &File{file: file, size: size}
	start := make([]byte, len(magic))
	if _, err := file.ReadAt(start, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if string(start) != magic {
		return nil, f.corrupt(0, fmt.Errorf("begins with %q, not %q", start, magic))
	}
	return f, nil
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// Size is the length of the file in bytes.
func (f *File) Size() int64 { return f.size }

func (f *File) corrupt(offset int64, err error) error {
	return fmt.Errorf("%w: %s at byte %d: %w", ErrCorrupt, f.file.Name(), offset, err)
}

// block is one read block; its memory is used again by the next read.
type block struct {
	head    head
	payload []byte // packed
	records []byte // unpacked
}

// read reads the block at an offset into b and returns where the next begins. At the end of
// the file b.head.packed is 0.
func (f *File) read(offset int64, b *block) (after int64, err error) {
	h, sum, err := f.readHead(offset)
	if err != nil {
		return 0, err
	}
	if cap(b.payload) < int(h.packed) {
		b.payload = make([]byte, h.packed)
	}
	b.head, b.payload = h, b.payload[:h.packed]
	if n, err := f.file.ReadAt(b.payload, offset+headBytes); n < len(b.payload) { // an end right behind is no error
		return 0, fmt.Errorf("spill: %s at byte %d: %w", f.file.Name(), offset, err)
	}
	want := h.bytes(b.payload)
	if _, computed := parseHead(want[:]); computed != sum {
		return 0, f.corrupt(offset, fmt.Errorf("the checksum is %08x, of the bytes it is %08x", sum, computed))
	}
	if h.packed > 0 {
		if b.records, err = h.unpack(b.records, b.payload); err != nil {
			return 0, f.corrupt(offset, err)
		}
	}
	return offset + headBytes + int64(h.packed), nil
}

// readHead reads a head and checks that its block can be there.
func (f *File) readHead(offset int64) (h head, sum uint32, err error) {
	var raw [headBytes]byte
	if offset+headBytes > f.size {
		return h, 0, f.corrupt(offset, errors.New("the file is cut short: its last block is missing"))
	}
	if n, err := f.file.ReadAt(raw[:], offset); n < len(raw) {
		return h, 0, fmt.Errorf("spill: %s at byte %d: %w", f.file.Name(), offset, err)
	}
	h, sum = parseHead(raw[:])
	if h.raw > maxBlock || int64(h.packed) > f.size-offset-headBytes {
		return h, 0, f.corrupt(offset, fmt.Errorf("a block of %d bytes (%d unpacked) where %d are left", h.packed, h.raw, f.size-offset-headBytes))
	}
	return h, sum, nil
}

// atEnd checks the last block.
func (f *File) atEnd(offset, after int64, h head, blocks uint32) error {
	if h.raw != 0 || h.records != blocks || after != f.size {
		return f.corrupt(offset, fmt.Errorf("the last block counts %d blocks of %d and %d bytes follow", h.records, blocks, f.size-after))
	}
	return nil
}

// Records yields the records in their order. A record is lent until the next turn. An
// error is the last thing yielded.
func (f *File) Records() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var b block
		offset := int64(len(magic))
		for blocks := uint32(0); ; blocks++ {
			after, err := f.read(offset, &b)
			if err == nil && b.head.packed == 0 {
				err = f.atEnd(offset, after, b.head, blocks)
				if err == nil {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !f.each(offset, &b, yield) {
				return
			}
			offset = after
		}
	}
}

// each yields the records of a block; false: stop.
func (f *File) each(offset int64, b *block, yield func([]byte, error) bool) bool {
	rest, count := b.records, uint32(0)
	for len(rest) > 0 {
		record, after, err := next(rest)
		if err != nil {
			yield(nil, f.corrupt(offset, err))
			return false
		}
		if !yield(record, nil) {
			return false
		}
		rest = after
		count++
	}
	if count != b.head.records {
		yield(nil, f.corrupt(offset, fmt.Errorf("%d records, the head says %d", count, b.head.records)))
		return false
	}
	return true
}

// Blocks returns the offsets of all blocks, from their heads alone; it checks that the
// file is whole.
func (f *File) Blocks() ([]int64, error) {
	var out []int64
	for offset := int64(len(magic)); ; {
		h, _, err := f.readHead(offset)
		if err != nil {
			return nil, err
		}
		after := offset + headBytes + int64(h.packed)
		if h.packed == 0 {
			return out, f.atEnd(offset, after, h, uint32(len(out)))
		}
		out = append(out, offset)
		offset = after
	}
}

// Block appends the records of the block at an offset to into. They are the caller's.
func (f *File) Block(offset int64, into [][]byte) ([][]byte, error) {
	var b block
	if _, err := f.read(offset, &b); err != nil {
		return nil, err
	}
	var failed error
	f.each(offset, &b, func(record []byte, err error) bool {
		if err != nil {
			failed = err
			return false
		}
		into = append(into, record)
		return true
	})
	return into, failed
}
