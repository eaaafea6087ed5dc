package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
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
