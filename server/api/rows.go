package api

import (
	"errors"
	"fmt"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

// maxRows bounds a batch; maxListed the row errors that one reply lists.
const (
	maxRows   = 1000
	maxListed = 1000
)

// batch gathers the good rows of a request and the errors of the others.
type batch struct {
	field  string // of the request: "items", "events", ...
	base   int64  // row number of the first row, for streams
	good   []record.Mutation
	at     []int64  // row of each good one
	ids    []string // id of each good one
	bad    map[int64]bool
	errors []*kindredv1.RowError
	faults []violation // those of form, for a batch with no good row
	more   int64       // errors past maxListed
}

func newBatch(field string, rows int, base int64) *batch {
	return &batch{
		field: field, base: base, bad: map[int64]bool{},
		good: make([]record.Mutation, 0, rows), at: make([]int64, 0, rows), ids: make([]string, 0, rows),
	}
}

// add takes row i: a mutation if its form is right, its faults otherwise.
func (b *batch) add(i int, id string, m record.Mutation, faults []record.Violation) {
	row := b.base + int64(i)
	if len(faults) == 0 {
		b.good, b.at, b.ids = append(b.good, m), append(b.at, row), append(b.ids, id)
		return
	}
	for _, f := range faults {
		field := fmt.Sprintf("%s[%d]", b.field, i)
		if f.Field != "" {
			field += "." + f.Field
		}
		b.faults = append(b.faults, violation{field, f.Description})
		b.fail(row, id, field, f.Description, kindredv1.RowErrorCode_ROW_ERROR_CODE_INVALID)
	}
}

func (b *batch) fail(row int64, id, field, description string, code kindredv1.RowErrorCode) {
	b.bad[row] = true
	if len(b.errors) >= maxListed {
		b.more++
		return
	}
	b.errors = append(b.errors, &kindredv1.RowError{
		Row: row, Id: printable(id), Field: field, Description: description, Code: code,
	})
}

// answer takes what the shop said of the good rows and returns the counts.
func (b *batch) answer(outcomes []record.Outcome) (counts *kindredv1.RowCounts, unjoined int64) {
	counts = &kindredv1.RowCounts{}
	for i, o := range outcomes {
		switch o.Status {
		case record.Added:
			counts.Added++
		case record.Changed:
			counts.Changed++
		case record.Unchanged:
			counts.Unchanged++
		case record.Removed:
			counts.Removed++
		case record.Stale:
			counts.Stale++
		default:
			b.refuse(i, o.Err)
		}
		if o.Unjoined && o.Status == record.Added {
			unjoined++
		}
	}
	counts.Rejected = int64(len(b.bad))
	return counts, unjoined
}

// refuse lists why the store or the shop did not take good row i.
func (b *batch) refuse(i int, err error) {
	row := b.at[i]
	field := fmt.Sprintf("%s[%d]", b.field, row-b.base)
	var input *shop.InputError
	if errors.As(err, &input) {
		if input.Field != "" {
			field += "." + input.Field
		}
		b.faults = append(b.faults, violation{field, input.Description})
		b.fail(row, b.ids[i], field, input.Description, kindredv1.RowErrorCode_ROW_ERROR_CODE_INVALID)
		return
	}
	b.fail(row, b.ids[i], field, err.Error(), rowCode(err))
}

func rowCode(err error) kindredv1.RowErrorCode {
	switch {
	case errors.Is(err, record.ErrConflict):
		return kindredv1.RowErrorCode_ROW_ERROR_CODE_ALREADY_EXISTS
	case errors.Is(err, record.ErrNotFound):
		return kindredv1.RowErrorCode_ROW_ERROR_CODE_NOT_FOUND
	case errors.Is(err, record.ErrExpired):
		return kindredv1.RowErrorCode_ROW_ERROR_CODE_EXPIRED
	case errors.Is(err, record.ErrLimit):
		return kindredv1.RowErrorCode_ROW_ERROR_CODE_LIMIT
	}
	return kindredv1.RowErrorCode_ROW_ERROR_CODE_INVALID
}

// malformed is the error of a unary batch of rows rows of which every one is
// malformed, nil otherwise.
func (b *batch) malformed(rows int) error {
	if len(b.bad) < rows || len(b.faults) == 0 || int64(len(b.errors))+b.more != int64(len(b.faults)) {
		return nil
	}
	return invalid(b.faults[:min(len(b.faults), maxListed)]...)
}
