package report

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio"
)

// WriteFile writes the page to a file: Markdown where the name ends in .md, else HTML. A file that is there is replaced whole
// or, on an error such as a full disk, left as it was. What is not a regular file, such as /dev/stdout or a pipe, is written to.
func (p Page) WriteFile(path string) error {
	var b bytes.Buffer
	write := p.Write
	if strings.EqualFold(filepath.Ext(path), ".md") {
		write = p.WriteMarkdown
	}
	if err := write(&b); err != nil {
		return err
	}
	var err error
	if isDevice(path) {
		err = writeTo(path, &b)
	} else {
		err = renameio.WriteFile(path, b.Bytes(), 0o644)
	}
	if err != nil {
		return fmt.Errorf("report: write %s: %w", path, err)
	}
	return nil
}

// CheckFile says whether WriteFile could begin a file there, so that a long measurement does not end without its report. A
// disk may still fill up later.
func CheckFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("report: %s is a folder; name a file in it, such as %s", path, filepath.Join(path, "report.html"))
	case err == nil && !info.Mode().IsRegular():
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".report-*")
	if err != nil {
		return fmt.Errorf("report: %s cannot be written: %w", path, err)
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		return fmt.Errorf("report: %s cannot be written: %w", path, err)
	}
	return nil
}

func isDevice(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

func writeTo(path string, from io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return cmp.Or(err, f.Close())
}
