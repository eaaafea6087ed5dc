// Package faults gathers what is wrong with the rows of a file, so that one reading names all that is to be mended. A log is
// judged whole or not at all: which rows are broken may hang together with what they say.
package faults

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// shown is how many faults are told in full.
const shown = 3

// List is the faults of a file. The zero value has none.
type List struct {
	first []error
	count int
}

// Add notes a fault of a row, counted from 1.
func (l *List) Add(file string, row int64, column, value, reason string, args ...any) {
	if l.count++; len(l.first) < shown {
		const most = 80
		if len(value) > most {
			value = strings.ToValidUTF8(value[:most], "") + "…"
		}
		l.first = append(l.first, &dataset.RowError{File: file, Row: row, Column: column, Value: value, Reason: fmt.Sprintf(reason, args...)})
	}
}

// Err is nil, or an error that holds the first faults (as *dataset.RowError) and says how many more there are.
func (l *List) Err() error {
	if l.count > len(l.first) {
		return errors.Join(append(l.first[:len(l.first):len(l.first)], fmt.Errorf("and %d broken rows more", l.count-len(l.first)))...)
	}
	return errors.Join(l.first...)
}
