package spill

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// Writer writes records to a new file. It is not safe for concurrent use.
type Writer struct {
	file    *os.File
	out     *bufio.Writer
	target  int    // bytes of records of a block, from which on it is written
	block   []byte // records gathered
	packed  []byte // scratch
	records uint32
	blocks  uint32
	err     error // the first; all later calls return it
}

// Create makes a file, which must not exist, whose blocks have about target bytes of
// records unpacked, from 1 to MaxRecord. The caller closes it.
func Create(path string, target int) (*Writer, error) {
	if target < 1 || target > MaxRecord {
		return nil, fmt.Errorf("spill: blocks of %d bytes; want 1 to %d", target, MaxRecord)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	w := &Writer{file: file, out: bufio.NewWriterSize(file, 16<<10), target: target}
	_, w.err = w.out.WriteString(magic)
	return w, nil
}

// Append adds a record, which is copied. The error names a record that is too long.
func (w *Writer) Append(record []byte) error {
	if w.err != nil {
		return w.err
	}
	if len(record) > MaxRecord {
		return fmt.Errorf("spill: a record of %d bytes for %s; at most %d are kept", len(record), w.file.Name(), MaxRecord)
	}
	w.block = binary.AppendUvarint(w.block, uint64(len(record)))
	w.block = append(w.block, record...)
	w.records++
	if len(w.block) >= w.target {
		w.err = w.flush()
	}
	return w.err
}

// flush writes the records gathered as a block.
func (w *Writer) flush() error {
	e, err := packer()
	if err != nil {
		return err
	}
	w.packed = e.EncodeAll(w.block, w.packed[:0])
	h := head{uint32(len(w.packed)), uint32(len(w.block)), w.records}.bytes(w.packed)
	if _, err := w.out.Write(h[:]); err != nil {
		return err
	}
	if _, err := w.out.Write(w.packed); err != nil {
		return err
	}
	if cap(w.block) > 4*w.target { // a large record does not stay in memory
		w.block, w.packed = nil, nil
	}
	w.block, w.records = w.block[:0], 0
	w.blocks++
	return nil
}

// Close ends the file. Without it the file is known as cut short.
func (w *Writer) Close() error {
	if w.err == nil && len(w.block) > 0 {
		w.err = w.flush()
	}
	if w.err == nil {
		end := head{0, 0, w.blocks}.bytes(nil)
		_, w.err = w.out.Write(end[:])
	}
	if w.err == nil {
		w.err = w.out.Flush()
	}
	err := errors.Join(w.err, w.file.Close())
	if w.err == nil {
		w.err = os.ErrClosed
	}
	return err
}
