package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"github.com/google/renameio"
)

// Page is a report from top to bottom.
type Page struct {
	Title string
	Lead  string // one paragraph: what was done, where
	Facts []Fact // the few numbers that answer the question, as tiles
	// Sections stand two in a row where there is room, in this order.
	Sections []Section
	Foot     string // how the figures are defined
}

// Fact is one number.
type Fact struct{ Name, Value, Note string }

// Section is a chart or a table, or a chart over a table.
type Section struct {
	Title, Text string
	Chart       *Chart // nil: none
	Table       *Table // nil: none
	Wide        bool   // takes a whole row
}

// Table is rows of text. The first column is set left, the others right, as numbers are.
type Table struct {
	Head []string
	Rows [][]string
}

//go:embed page.html.tmpl
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"draw": draw}).Parse(pageText))

// Write writes the page as HTML.
func (p Page) Write(w io.Writer) error {
	if err := pageTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// WriteFile writes the page to a file. A file that is there is replaced whole or, on an error such as a full disk, left as
// it was.
func (p Page) WriteFile(path string) error {
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		return err
	}
	if err := renameio.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("report: write %s: %w", path, err)
	}
	return nil
}
