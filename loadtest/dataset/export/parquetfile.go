package export

import (
	"bufio"
	"errors"
	"fmt"

	"github.com/google/renameio"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// parquetFile is a file of rows that appears under its name when it is whole. Not safe for concurrent use.
type parquetFile struct {
	path   string
	file   *renameio.PendingFile
	buffer *bufio.Writer
	out    *parquet.GenericWriter[any]
	values columns
	row    parquet.Row
	rows   int64
}

func createParquet(o Options, root parquet.Group) (*parquetFile, *parquet.Schema, error) {
	schema := parquet.NewSchema(string(o.What), root)
	f := &parquetFile{path: o.path(), values: make(columns, len(schema.Columns()))}
	var err error
	if f.file, err = renameio.TempFile(o.Dir, f.path); err != nil {
		return nil, nil, err
	}
	if err := f.file.Chmod(0o644); err != nil {
		return nil, nil, errors.Join(err, f.file.Cleanup())
	}
	f.buffer = bufio.NewWriterSize(f.file, 1<<18)
	f.out = parquet.NewGenericWriter[any](f.buffer, schema, parquet.Compression(codec(o.Packing)), parquet.MaxRowsPerRowGroup(int64(o.GroupRows)))
	return f, schema, nil
}

func codec(p dataset.Packing) compress.Codec {
	switch p {
	case dataset.Gzip:
		return &parquet.Gzip
	case dataset.Zstd:
		return &parquet.Zstd
	}
	return &parquet.Uncompressed
}

// write writes what stands in values, and clears it.
func (f *parquetFile) write() error {
	f.row = f.values.row(f.row[:0])
	f.values.reset()
	f.rows++
	if _, err := f.out.WriteRows([]parquet.Row{f.row}); err != nil {
		return fmt.Errorf("row %d of %s: %w", f.rows, f.path, err)
	}
	return nil
}

// finish ends the file well, unless an error is given or arises: then there is none.
func (f *parquetFile) finish(err error) error {
	if err == nil {
		err = errors.Join(f.out.Close(), f.buffer.Flush())
	}
	if err != nil {
		return errors.Join(err, f.file.Cleanup())
	}
	return f.file.CloseAtomicallyReplace()
}
