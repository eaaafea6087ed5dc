package dataset

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// jsonlWriter writes one object a line, fields in the order of the columns, attributes last.
type jsonlWriter[T any] struct {
	out     io.Writer
	columns []column[T]
	line    bytes.Buffer
}

func (w *jsonlWriter[T]) write(row *T) error {
	w.line.Reset()
	w.line.WriteByte('{')
	for _, c := range w.columns {
		if v := c.get(row); v != nil {
			w.member(c.name, *v)
		}
	}
	if item, ok := any(row).(*Item); ok && len(item.Attributes) > 0 {
		w.name("attributes")
		w.line.WriteByte('{')
		for _, name := range slices.Sorted(maps.Keys(item.Attributes)) {
			w.attribute(name, item.Attributes[name])
		}
		w.line.WriteByte('}')
	}
	w.line.WriteString("}\n")
	_, err := w.out.Write(w.line.Bytes())
	return err
}

func (w *jsonlWriter[T]) close() error { return nil }

func (w *jsonlWriter[T]) name(name string) {
	if last := w.line.Bytes()[w.line.Len()-1]; last != '{' {
		w.line.WriteByte(',')
	}
	w.json(name)
	w.line.WriteByte(':')
}

func (w *jsonlWriter[T]) member(name string, v cell) {
	w.name(name)
	switch {
	case v.form != plain:
		w.line.WriteString(v.Text)
	case v.Kind == KindTime:
		w.json(v.Time.Format(time.RFC3339Nano))
	default:
		w.json(v.any())
	}
}

// attribute is member for an attribute: there a time says that it is one.
func (w *jsonlWriter[T]) attribute(name string, v Value) {
	if v.Kind != KindTime {
		w.member(name, cell{Value: v})
		return
	}
	w.name(name)
	fmt.Fprintf(&w.line, `{"time":%q}`, v.Time.UTC().Format(time.RFC3339Nano))
}

// json writes a value without the escapes that HTML needs.
func (w *jsonlWriter[T]) json(v any) {
	e := json.NewEncoder(&w.line)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // texts, finite numbers and lists of them: cannot fail
	w.line.Truncate(w.line.Len() - 1)
}

func (v Value) any() any {
	switch v.Kind {
	case KindNumber:
		return v.Number
	case KindBool:
		return v.Bool
	case KindStrings:
		return append([]string{}, v.Strings...)
	case KindNumbers:
		return append([]float64{}, v.Numbers...)
	}
	return v.Text
}

// csvWriter writes a header and a record a row.
type csvWriter[T any] struct {
	out     *csv.Writer
	columns []column[T]
	record  []string
}

func newCSVWriter[T any](out io.Writer, columns []column[T]) (*csvWriter[T], error) {
	w := &csvWriter[T]{out: csv.NewWriter(out), columns: columns, record: make([]string, len(columns))}
	for i, c := range columns {
		w.record[i] = c.name
		if name, attribute := splitAttribute(c.name); attribute {
			if strings.Contains(name, ":") {
				return nil, fmt.Errorf("dataset: %w: attribute %q has a colon in its name, behind which csv says its kind; write %s or %s", ErrUnwritable, name, JSONL, Parquet)
			}
			w.record[i] += ":" + c.kind.String()
		}
	}
	return w, w.out.Write(w.record)
}

func (w *csvWriter[T]) write(row *T) error {
	for i, c := range w.columns {
		w.record[i] = ""
		v := c.get(row)
		if v == nil {
			continue
		}
		text, err := v.csv()
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		w.record[i] = text
	}
	return w.out.Write(w.record)
}

func (w *csvWriter[T]) close() error {
	w.out.Flush()
	return w.out.Error()
}

func (v cell) csv() (text string, err error) {
	switch v.Kind {
	case KindNumber:
		return formatNumber(v.Number), nil
	case KindBool:
		return strconv.FormatBool(v.Bool), nil
	case KindTime:
		return v.Time.Format(time.RFC3339Nano), nil
	case KindNumbers:
		parts := make([]string, len(v.Numbers))
		for i, n := range v.Numbers {
			parts[i] = formatNumber(n)
		}
		return strings.Join(parts, "|"), nil
	case KindStrings:
		for _, part := range v.Strings {
			if part == "" || strings.Contains(part, "|") || strings.TrimSpace(part) != part {
				return "", fmt.Errorf("%w: %q in a list, which csv separates by \"|\" and trims; write %s or %s", ErrUnwritable, part, JSONL, Parquet)
			}
		}
		text = strings.Join(v.Strings, "|")
	default:
		text = v.Text
	}
	if strings.Contains(text, "\r\n") {
		return "", fmt.Errorf("%w: %q has a carriage return before a line feed, which csv reads as a line feed; write %s or %s", ErrUnwritable, shorten(text), JSONL, Parquet)
	}
	return text, nil
}

func formatNumber(n float64) string { return strconv.FormatFloat(n, 'g', -1, 64) }

// shorten keeps a message readable.
func shorten(text string) string { return bad("", text, "").Value }
