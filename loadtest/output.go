package main

import (
	"errors"
	"io"

	"github.com/kindred-rec/kindred/loadtest/report"
)

// output is where a command writes: figures to out, progress and failures to log.
type output struct{ out, log io.Writer }

// A figure is what a command came to, as a table, a line of JSON and a page.
type figure interface {
	WriteTable(io.Writer) error
	Page() report.Page
}

// show prints a figure, then draws it into a file, if one is named: a disk that is full
// costs the page alone.
func (o output) show(f figure, asJSON bool, file string) error {
	var err error
	if asJSON {
		err = writeJSON(o.out, f)
	} else {
		err = f.WriteTable(o.out)
	}
	if file == "" {
		return err
	}
	return errors.Join(err, f.Page().WriteFile(file))
}

// checkReport refuses, before the work, a report that could not be written after it.
func checkReport(file string) error {
	if file == "" {
		return nil
	}
	return report.CheckFile(file)
}
