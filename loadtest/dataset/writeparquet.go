package dataset

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// groupRows bounds the memory of a written parquet file to that of so many rows.
const groupRows = 20_000

// parquetWriter writes rows with a column each: texts, numbers, bools and timestamps in nanoseconds (in microseconds where
// some lie too far ahead for that), all optional, lists as repeated columns, attributes in a group.
type parquetWriter[T any] struct {
	out     *parquet.GenericWriter[any]
	columns []column[T]
	order   []int // columns in the order of the file
	row     parquet.Row
}

func newParquetWriter[T any](out io.Writer, columns []column[T], packing Packing) (*parquetWriter[T], error) {
	w := &parquetWriter[T]{columns: columns, order: make([]int, len(columns))}
	root, attributes := parquet.Group{}, parquet.Group{}
	for _, c := range columns {
		if name, attribute := splitAttribute(c.name); attribute {
			attributes[name] = nodeOf(c)
		} else {
			root[c.name] = nodeOf(c)
		}
	}
	if len(attributes) > 0 {
		root["attributes"] = attributes
	}
	name := "events"
	if hasItems[T]() {
		name = "items"
	}
	schema := parquet.NewSchema(name, root)
	for i, c := range columns {
		path := []string{c.name}
		if name, attribute := splitAttribute(c.name); attribute {
			path = []string{"attributes", name}
		}
		leaf, ok := schema.Lookup(path...)
		if !ok {
			return nil, fmt.Errorf("dataset: column %q is not in its own schema", c.name)
		}
		w.order[leaf.ColumnIndex] = i
	}
	err := guard(func() error {
		w.out = parquet.NewGenericWriter[any](out, schema, parquet.Compression(codec(packing)), parquet.MaxRowsPerRowGroup(groupRows))
		return nil
	})
	return w, err
}

func hasItems[T any]() bool {
	var row T
	_, items := any(row).(Item)
	return items
}

func codec(p Packing) compress.Codec {
	switch p {
	case Gzip:
		return &parquet.Gzip
	case Zstd:
		return &parquet.Zstd
	}
	return &parquet.Uncompressed
}

func nodeOf[T any](c column[T]) parquet.Node {
	switch c.kind {
	case KindNumber:
		if c.form == whole {
			return parquet.Optional(parquet.Int(64))
		}
		return parquet.Optional(parquet.Leaf(parquet.DoubleType))
	case KindBool:
		return parquet.Optional(parquet.Leaf(parquet.BooleanType))
	case KindTime:
		if c.micros {
			return parquet.Optional(parquet.Timestamp(parquet.Microsecond))
		}
		return parquet.Optional(parquet.Timestamp(parquet.Nanosecond))
	case KindStrings:
		return parquet.Repeated(parquet.String())
	case KindNumbers:
		return parquet.Repeated(parquet.Leaf(parquet.DoubleType))
	}
	return parquet.Optional(parquet.String())
}

func (w *parquetWriter[T]) write(row *T) error {
	w.row = w.row[:0]
	for at, i := range w.order {
		values, err := valuesOf(w.columns[i].get(row), w.columns[i].micros)
		if err != nil {
			return fmt.Errorf("%s: %w", w.columns[i].name, err)
		}
		if len(values) == 0 {
			w.row = append(w.row, parquet.Value{}.Level(0, 0, at))
		}
		for n, v := range values {
			w.row = append(w.row, v.Level(min(n, 1), 1, at))
		}
	}
	return guard(func() error {
		_, err := w.out.WriteRows([]parquet.Row{w.row})
		return err
	})
}

func (w *parquetWriter[T]) close() error { return guard(w.out.Close) }

// valuesOf are those of a cell, one unless it is a list.
func valuesOf(c *cell, micros bool) ([]parquet.Value, error) {
	if c == nil {
		return nil, nil
	}
	if c.form == whole {
		n, err := strconv.ParseInt(c.Text, 10, 64)
		return []parquet.Value{parquet.Int64Value(n)}, err
	}
	switch c.Kind {
	case KindNumber:
		return []parquet.Value{parquet.DoubleValue(c.Number)}, nil
	case KindBool:
		return []parquet.Value{parquet.BooleanValue(c.Bool)}, nil
	case KindTime:
		n, err := timestamp(c.Time, micros)
		return []parquet.Value{parquet.Int64Value(n)}, err
	case KindStrings:
		var values []parquet.Value
		for _, text := range c.Strings {
			values = append(values, parquet.ByteArrayValue([]byte(text)))
		}
		return values, nil
	case KindNumbers:
		var values []parquet.Value
		for _, n := range c.Numbers {
			values = append(values, parquet.DoubleValue(n))
		}
		return values, nil
	}
	return []parquet.Value{parquet.ByteArrayValue([]byte(c.Text))}, nil
}

// The range of nanoseconds since 1970 in 64 bits.
var firstNano, lastNano = time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)

// fitsNanos reports whether a time can be told in nanoseconds.
func fitsNanos(at time.Time) bool { return !at.Before(firstNano) && !at.After(lastNano) }

func timestamp(at time.Time, micros bool) (int64, error) {
	switch {
	case !micros && !fitsNanos(at):
		return 0, fmt.Errorf("%w: %s is outside %d to %d; write %s", ErrUnwritable, at.Format(time.RFC3339), firstNano.Year(), lastNano.Year(), JSONL)
	case !micros:
		return at.UnixNano(), nil
	case at.Nanosecond()%1000 != 0:
		return 0, fmt.Errorf("%w: %s is finer than microseconds, and another time of the column outside %d to %d; write %s", ErrUnwritable,
			at.Format(time.RFC3339Nano), firstNano.Year(), lastNano.Year(), JSONL)
	}
	return at.UnixMicro(), nil
}
