package dataset

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

const rowsAtOnce = 64

// parquetReader gives the rows of a file one by one.
type parquetReader struct {
	file   *os.File
	groups []parquet.RowGroup
	rows   parquet.Rows
	ended  bool // rows has no more; it is closed once its last rows, which share its memory, are used up
	leaves []leaf
	batch  [rowsAtOnce]parquet.Row
	have   []parquet.Row
	cells  [][]string
}

func openParquet(path string) (*parquetReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &parquetReader{file: f}
	if err := guard(r.open); err != nil {
		_ = f.Close()
		return nil, err
	}
	return r, nil
}

func (r *parquetReader) open() error {
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	if err := checkFooter(r.file, info.Size()); err != nil {
		return err
	}
	file, err := parquet.OpenFile(r.file, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("not a parquet file: %w", err)
	}
	r.groups = file.RowGroups()
	r.leaves = leavesOf(file.Schema())
	r.cells = make([][]string, len(r.leaves))
	return nil
}

// checkFooter looks at the length that the file claims for its footer, for which the library makes room unseen.
func checkFooter(f io.ReaderAt, size int64) error {
	const tail = 8 // the length and "PAR1"
	var end [tail]byte
	if size < tail+4 {
		return fmt.Errorf("not a parquet file: it has %d bytes", size)
	}
	if _, err := f.ReadAt(end[:], size-tail); err != nil {
		return err
	}
	if length := int64(binary.LittleEndian.Uint32(end[:])); string(end[4:]) != "PAR1" || length > size-tail-4 {
		return fmt.Errorf("not a parquet file, or cut short: its last bytes are %x, and it has %d", end, size)
	}
	return nil
}

func (r *parquetReader) close() {
	if r.rows != nil {
		_ = guard(r.rows.Close)
	}
	_ = r.file.Close()
}

func (r *parquetReader) next() (row parquet.Row, err error) {
	for len(r.have) == 0 {
		if err := guard(r.fill); err != nil {
			return nil, err
		}
	}
	row, r.have = r.have[0], r.have[1:]
	return row, nil
}

// fill reads the next few rows, or moves on to the next row group, or says io.EOF.
func (r *parquetReader) fill() error {
	if r.ended {
		rows := r.rows
		r.rows, r.ended = nil, false
		if err := rows.Close(); err != nil {
			return err
		}
	}
	if r.rows == nil {
		if len(r.groups) == 0 {
			return io.EOF
		}
		r.rows, r.groups = r.groups[0].Rows(), r.groups[1:]
	}
	n, err := r.rows.ReadRows(r.batch[:])
	r.have = r.batch[:n]
	if err == io.EOF {
		r.ended = true
		return nil
	}
	if err == nil && n == 0 {
		return io.ErrNoProgress
	}
	return err
}

// texts writes the values of a row as text, by leaf. The slices hold until the next call.
func (r *parquetReader) texts(row parquet.Row, maxBytes int) ([][]string, error) {
	for i := range r.cells {
		r.cells[i] = r.cells[i][:0]
	}
	size := 0
	for _, v := range row {
		if v.IsNull() {
			continue
		}
		l := &r.leaves[v.Column()]
		text, err := l.text(v)
		if err != nil {
			return nil, err
		}
		if size += len(text); size > maxBytes {
			return nil, bad("", "", "row is longer than %d bytes; raise MaxRowBytes", maxBytes)
		}
		if !utf8.ValidString(text) {
			return nil, bad(l.name, fmt.Sprintf("%x", text), "invalid UTF-8 (shown in hex)")
		}
		r.cells[v.Column()] = append(r.cells[v.Column()], text)
	}
	return r.cells, nil
}

// guard turns a panic of the parquet library, which a damaged file can bring about, into an error.
func guard(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged parquet file: %v", p)
		}
	}()
	return do()
}
