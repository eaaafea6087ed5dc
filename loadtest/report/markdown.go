package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// mostRows is how many rows a chart becomes at most in Markdown, where it is written as numbers.
const mostRows = 24

// WriteMarkdown writes the page as Markdown (CommonMark with tables), for a commit, an issue or a terminal. Charts are
// written as tables of their points; one with many is thinned to 24 rows, evenly, and says so.
func (p Page) WriteMarkdown(w io.Writer) error {
	var b bytes.Buffer
	paragraph(&b, "# "+markdown(p.Title))
	paragraph(&b, markdown(p.Lead))
	if len(p.Facts) > 0 {
		t := Table{Head: []string{"figure", "value", ""}}
		for _, f := range p.Facts {
			t.Rows = append(t.Rows, []string{f.Name, f.Value, f.Note})
		}
		writeTable(&b, t)
	}
	for _, s := range p.Sections {
		paragraph(&b, "## "+markdown(s.Title))
		paragraph(&b, markdown(s.Text))
		if s.Chart != nil {
			writeChart(&b, *s.Chart)
		}
		if s.Table != nil {
			writeTable(&b, *s.Table)
		}
	}
	paragraph(&b, markdown(p.Foot))
	if _, err := w.Write(append(bytes.TrimRight(b.Bytes(), "\n"), '\n')); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func paragraph(b *bytes.Buffer, text string) {
	if strings.Trim(text, "# ") != "" {
		b.WriteString(text + "\n\n")
	}
}

func writeTable(b *bytes.Buffer, t Table) {
	cells := func(row []string) {
		for i := range t.Head {
			text := "" // a short row, as HTML draws it
			if i < len(row) {
				text = markdown(row[i])
			}
			b.WriteString("| " + text + " ")
		}
		b.WriteString("|\n")
	}
	cells(t.Head)
	for i := range t.Head {
		b.WriteString(either(i == 0, "|:---", "|---:"))
	}
	b.WriteString("|\n")
	for _, row := range t.Rows {
		cells(row)
	}
	b.WriteString("\n")
}

// writeChart writes a row for each place on the horizontal axis, a column for each line.
func writeChart(b *bytes.Buffer, c Chart) {
	var xs []float64
	for _, s := range c.Series {
		for _, p := range s.Points {
			xs = append(xs, p.X)
		}
	}
	slices.Sort(xs)
	xs = slices.Compact(xs)
	if len(xs) == 0 {
		paragraph(b, "There is nothing to draw.")
		return
	}
	text := c.Label
	for _, l := range c.Levels {
		text += fmt.Sprintf("; %s at %s", l.Name, Number(l.Y))
	}
	kept := thin(xs)
	if len(kept) < len(xs) {
		text += fmt.Sprintf(" (%d of %d points)", len(kept), len(xs))
	}
	paragraph(b, markdown(text)+":")
	t := Table{Head: []string{c.X.Label}}
	for _, s := range c.Series {
		t.Head = append(t.Head, s.Name)
	}
	for _, x := range kept {
		row := []string{xText(c.X, x)}
		for _, s := range c.Series {
			row = append(row, yText(s, x))
		}
		t.Rows = append(t.Rows, row)
	}
	writeTable(b, t)
}

// thin keeps at most mostRows values, evenly, the first and the last among them.
func thin(xs []float64) []float64 {
	if len(xs) <= mostRows {
		return xs
	}
	kept := make([]float64, mostRows)
	for i := range kept {
		kept[i] = xs[i*(len(xs)-1)/(mostRows-1)]
	}
	return kept
}

// xText names a place as the axis does, where it has a name of its own.
func xText(axis Axis, x float64) string {
	for _, t := range axis.Ticks {
		if cmp.Compare(t.At, x) == 0 {
			return t.Text
		}
	}
	return Number(x)
}

// yText is the line's value at x; empty: it has none there.
func yText(s Series, x float64) string {
	for _, p := range s.Points {
		if p.X == x {
			return Number(p.Y)
		}
	}
	return ""
}

// markdown takes from text what Markdown or the HTML in it would read as more than text.
func markdown(text string) string { return markdownEscaper.Replace(text) }

var markdownEscaper = strings.NewReplacer("\\", "\\\\", "|", "\\|", "*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[", "]", "\\]",
	"<", "&lt;", ">", "&gt;", "&", "&amp;", "#", "\\#", "\r\n", " ", "\n", " ", "\r", " ")

func either(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}
