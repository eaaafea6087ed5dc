package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Packing is how a written file is compressed.
type Packing string

// The packings. Parquet files pack their pages with it, the others the whole file, whose name then ends in .gz or .zst.
const (
	Plain Packing = "none"
	Gzip  Packing = "gzip"
	Zstd  Packing = "zstd"
)

// ending is what a packing adds to the name of a text file.
func (p Packing) ending() string {
	return map[Packing]string{Gzip: ".gz", Zstd: ".zst"}[p]
}

// WriteOptions say how to write. Format is JSONL, CSV or Parquet.
type WriteOptions struct {
	Format  Format
	Packing Packing // empty: Plain
	// OnRowError is told of each broken row of the source, which is left out; an error that it returns ends the writing. nil:
	// the first broken row ends it.
	OnRowError func(*RowError) error
}

// ErrUnwritable: the format cannot hold a row; the message says which and why.
var ErrUnwritable = errors.New("the format cannot hold this")

// Written says what Write wrote. An empty path: the source has no such rows, and there is no such file.
type Written struct {
	Items, Events         int64
	ItemsFile, EventsFile string
}

// Write writes the items and the events of a source to a directory, which is made if need be, as Open reads them again: with
// the same ids, in the same order. Each file appears whole or not at all, and replaces one of its name; one of the same rows
// in another packing is refused, since Open would not know which is meant.
//
// In csv and parquet an attribute must have one kind throughout, so the items are read more than once. Csv cannot hold a list
// whose parts contain "|" or begin or end with blanks, nor a carriage return before a line feed. Parquet tells times in
// nanoseconds, which end in 2262; a column of the items that goes beyond is told in microseconds, and must then have no finer
// times. What a format cannot hold is an ErrUnwritable. An empty list or text is
// written as none.
func Write(dir string, source Source, o WriteOptions) (Written, error) {
	var w Written
	if err := o.check(); err != nil {
		return w, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return w, fmt.Errorf("dataset: %w", err)
	}
	items, err := o.itemTable(source)
	if err != nil {
		return w, err
	}
	if w.Items, w.ItemsFile, err = writeTable(dir, "items", source.Items(), items, o); err != nil {
		return w, err
	}
	w.Events, w.EventsFile, err = writeTable(dir, "events", source.Events(), eventColumns, o)
	return w, err
}

func (o *WriteOptions) check() error {
	if o.Packing == "" {
		o.Packing = Plain
	}
	if !slices.Contains([]Format{JSONL, CSV, Parquet}, o.Format) {
		return fmt.Errorf("dataset: format %q cannot be written: must be %s, %s or %s", o.Format, JSONL, CSV, Parquet)
	}
	if !slices.Contains([]Packing{Plain, Gzip, Zstd}, o.Packing) {
		return fmt.Errorf("dataset: packing %q: must be %s, %s or %s", o.Packing, Plain, Gzip, Zstd)
	}
	return nil
}

// itemTable is the columns of the items, by what is in them. Attributes have columns of their own but in jsonl.
func (o WriteOptions) itemTable(source Source) ([]column[Item], error) {
	if o.Format == JSONL {
		return itemColumns, nil
	}
	kinds := map[string]Kind{}
	for item, err := range source.Items() {
		if isRowError(err) {
			continue // told of when the rows are written
		}
		if err != nil {
			return nil, err
		}
		for name, v := range item.Attributes {
			if was, has := kinds[name]; has && was != v.Kind {
				return nil, fmt.Errorf("dataset: %w: attribute %q is a %s in one item and a %s in %q; write %s, or mend the file",
					ErrUnwritable, name, was, v.Kind, item.ID, JSONL)
			}
			kinds[name] = v.Kind
		}
	}
	columns := slices.Concat(itemColumns, attributeColumns(kinds))
	if o.Format == Parquet {
		return columns, coarsen(columns, source)
	}
	return columns, nil
}

// coarsen finds the columns with times too far ahead for nanoseconds.
func coarsen(columns []column[Item], source Source) error {
	for item, err := range source.Items() {
		if err != nil && !isRowError(err) {
			return err
		}
		for i, c := range columns {
			if c.kind == KindTime && !c.micros {
				v := c.get(&item)
				columns[i].micros = v != nil && !fitsNanos(v.Time)
			}
		}
	}
	return nil
}

// tableWriter writes rows of cells. Close ends the table, not the file.
type tableWriter[T any] interface {
	write(row *T) error
	close() error
}

func writeTable[T any](dir, name string, rows iter.Seq2[T, error], columns []column[T], o WriteOptions) (n int64, path string, err error) {
	var out *outFile
	var table tableWriter[T]
	defer func() {
		if err != nil {
			out.drop()
		}
	}()
	for row, err := range rows {
		var broken *RowError
		switch {
		case errors.As(err, &broken):
			if o.OnRowError == nil {
				return n, "", fmt.Errorf("dataset: a row is broken: %w", err)
			}
			if err := o.OnRowError(broken); err != nil {
				return n, "", err
			}
			continue
		case err != nil:
			return n, "", err
		}
		if out == nil {
			if out, table, err = openTable(dir, name, columns, o); err != nil {
				return n, "", err
			}
		}
		n++
		if err := table.write(&row); err != nil {
			return n, "", fmt.Errorf("dataset: row %d of %s: %w", n, name, err)
		}
	}
	if out == nil {
		return 0, "", nil
	}
	if err := table.close(); err != nil {
		return n, "", fmt.Errorf("dataset: %s: %w", out.path, err)
	}
	return n, out.path, out.finish()
}

func openTable[T any](dir, name string, columns []column[T], o WriteOptions) (*outFile, tableWriter[T], error) {
	packing := o.Packing
	if o.Format == Parquet {
		packing = Plain
	}
	out, err := createFile(dir, name+"."+string(o.Format), packing)
	if err != nil {
		return nil, nil, err
	}
	switch o.Format {
	case JSONL:
		return out, &jsonlWriter[T]{out: out, columns: columns}, nil
	case CSV:
		w, err := newCSVWriter(out, columns)
		return out, w, err
	}
	w, err := newParquetWriter(out, columns, o.Packing)
	return out, w, err
}

// outFile is a file that appears under its name when it is whole. A nil one can be dropped.
type outFile struct {
	io.Writer
	path   string
	layers []io.Closer // from the outside in
	buffer *bufio.Writer
	file   *renameio.PendingFile
}

func createFile(dir, name string, packing Packing) (*outFile, error) {
	path := filepath.Join(dir, name+packing.ending())
	for _, ending := range packings {
		if other := filepath.Join(dir, name+ending); other != path {
			if _, err := os.Stat(other); err == nil {
				return nil, fmt.Errorf("dataset: %s is there: remove it before %s is written", other, path)
			}
		}
	}
	file, err := renameio.TempFile(dir, path)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	o := &outFile{path: path, file: file, buffer: bufio.NewWriterSize(file, 1<<16)}
	o.Writer = o.buffer
	switch packing {
	case Gzip:
		z := gzip.NewWriter(o.buffer)
		o.Writer, o.layers = z, []io.Closer{z}
	case Zstd:
		z, err := zstd.NewWriter(o.buffer, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, errors.Join(err, file.Cleanup())
		}
		o.Writer, o.layers = z, []io.Closer{z}
	}
	if err := file.Chmod(0o644); err != nil {
		return nil, errors.Join(err, file.Cleanup())
	}
	return o, nil
}

func (o *outFile) finish() error {
	for _, l := range o.layers {
		if err := l.Close(); err != nil {
			return fmt.Errorf("dataset: %s: %w", o.path, err)
		}
	}
	if err := errors.Join(o.buffer.Flush(), o.file.CloseAtomicallyReplace()); err != nil {
		return fmt.Errorf("dataset: %s: %w", o.path, err)
	}
	return nil
}

func (o *outFile) drop() {
	if o != nil {
		_ = o.file.Cleanup() // the error that led here is the one to tell
	}
}

// splitAttribute is the name of the attribute that a column holds.
func splitAttribute(column string) (string, bool) { return strings.CutPrefix(column, attributePrefix) }
