package importer

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// BadRow is one row that was not taken, and why.
type BadRow struct {
	Kind string `json:"kind"` // "item" or "event"
	// By says who rejected it: "file" (its reader could not make sense of it), "service", or "check" (of a dry run).
	By string `json:"by"`
	// File and Row are where a reader found it: the 1-based line on which the row begins, the header included.
	File string `json:"file,omitempty"`
	Row  int64  `json:"row,omitempty"`
	// Number is the row's 1-based place among the items or events read; 0: not known. ID is its id, where it has one.
	Number int64  `json:"number,omitempty"`
	ID     string `json:"id,omitempty"`
	Column string `json:"column,omitempty"` // column or field at fault; empty: the row as a whole
	Value  string `json:"value,omitempty"`  // the text at fault, shortened
	Reason string `json:"reason"`
	// Code is the kind of error that the service names, such as "INVALID"; empty where the file is at fault.
	Code string `json:"code,omitempty"`
}

// Place is where the row is, for people: "items.csv:12", or "event 340 (id 5f1c)".
func (b BadRow) Place() string {
	if b.File != "" {
		return fmt.Sprintf("%s:%d", b.File, b.Row)
	}
	place := b.Kind
	if b.Number > 0 {
		place += " " + grouped(b.Number)
	}
	if b.ID != "" {
		place += fmt.Sprintf(" (id %s)", b.ID)
	}
	return place
}

const (
	kindItem  = "item"
	kindEvent = "event"
	byFile    = "file"
	byService = "service"
	byCheck   = "check"

	codeExpired = "EXPIRED"
)

func fromFile(kind string, number int64, e *dataset.RowError) BadRow {
	return BadRow{Kind: kind, By: byFile, File: e.File, Row: e.Row, Number: number, Column: e.Column, Value: e.Value, Reason: e.Reason}
}

func fromService(kind string, number int64, e *kindredv1.RowError) BadRow {
	return BadRow{Kind: kind, By: byService, Number: number, ID: e.GetId(), Column: fieldName(e.GetField()), Reason: oneLine(e.GetDescription()),
		Code: strings.TrimPrefix(e.GetCode().String(), "ROW_ERROR_CODE_")}
}

// fieldName drops the place in the batch from a path such as "items[3].price.nanos": Number has the place that counts.
func fieldName(path string) string {
	if _, field, ok := strings.Cut(path, "]."); ok && (strings.HasPrefix(path, "items[") || strings.HasPrefix(path, "events[")) {
		return field
	}
	return path
}

// listedRows is how many bad rows a summary shows.
const listedRows = 20

// rejects collects bad rows: the first for the summary, all of them for the errors file. Safe for concurrent use.
type rejects struct {
	max int // of rows; 0: no bound

	mu    sync.Mutex
	first []BadRow
	total int64
	// expired counts those that were older than the tenant keeps.
	expired int64
	file    *os.File // nil: none asked for
	lines   *bufio.Writer
	err     error // the first failure to write lines
	full    chan struct{}
}

func newRejects(path string, max int) (*rejects, error) {
	r := &rejects{max: max, full: make(chan struct{})}
	if path == "" {
		return r, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("importer: errors file: %w", err)
	}
	r.file, r.lines = f, bufio.NewWriter(f)
	return r, nil
}

// add keeps one bad row.
func (r *rejects) add(row BadRow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.first) < listedRows {
		r.first = append(r.first, row)
	}
	if row.Code == codeExpired {
		r.expired++
	}
	r.count(1)
	if r.lines == nil || r.err != nil {
		return
	}
	line, err := json.Marshal(row)
	if err == nil {
		_, err = r.lines.Write(append(line, '\n'))
	}
	r.err = err
}

// unlisted counts rows that the service rejected without naming them.
func (r *rejects) unlisted(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count(n)
}

func (r *rejects) count(n int64) {
	before := r.total
	r.total += n
	if r.max > 0 && before < int64(r.max) && r.total >= int64(r.max) {
		close(r.full)
	}
}

// enough reports whether the bound is reached; the channel full is closed from then on.
func (r *rejects) enough() bool {
	select {
	case <-r.full:
		return true
	default:
		return false
	}
}

// close ends the errors file.
func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}
	err := r.err
	if flushed := r.lines.Flush(); err == nil {
		err = flushed
	}
	if closed := r.file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("importer: errors file: %w", err)
	}
	return nil
}
