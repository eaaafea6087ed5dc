package training

import (
	"context"
	"errors"
	"iter"

	"github.com/kindred-rec/kindred/embed/itemtext"
	"github.com/kindred-rec/kindred/embed/train/history"
	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/server/record"
)

// Files are a catalog and a log on disk, as a Source. Types have their default weights; a
// type that is not built in is taken for a view.
type Files struct {
	Source dataset.Source
	// Bad, if not nil, is told of each row that was left out.
	Bad func(*dataset.RowError)
}

// Types implements Source.
func (f Files) Types() []record.EventType { return DefaultTypes() }

// left reports whether an error is about one row, which is left out.
func (f Files) left(err error) bool {
	var row *dataset.RowError
	if !errors.As(err, &row) {
		return false
	}
	if f.Bad != nil {
		f.Bad(row)
	}
	return true
}

// Acts implements Source.
func (f Files) Acts(ctx context.Context, limit int64) iter.Seq2[history.Act, error] {
	return func(yield func(history.Act, error) bool) {
		known := map[string]bool{}
		for _, t := range f.Types() {
			known[t.Name] = true
		}
		n := int64(0)
		for e, err := range f.Source.Events() {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				if f.left(err) {
					continue
				}
				yield(history.Act{}, err)
				return
			}
			if !known[e.Type] {
				e.Type = record.TypeView
			}
			act := history.Act{ID: e.ID, User: person(e.User, e.Session), Item: e.Item, Type: e.Type, Time: e.Time, Synthetic: e.Synthetic,
				Value: e.Value, HasValue: e.HasValue, Text: e.Text}
			if !yield(act, nil) {
				return
			}
			if n++; n == limit {
				return
			}
		}
	}
}

// Items implements Source.
func (f Files) Items(ctx context.Context) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for it, err := range f.Source.Items() {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				if f.left(err) {
					continue
				}
				yield(Item{}, err)
				return
			}
			text := itemtext.Fields{Title: it.Title, Brand: it.Brand, Categories: it.Categories, Tags: it.Tags, Description: it.Description}.Text()
			if !yield(Item{ID: it.ID, Text: text}, nil) {
				return
			}
		}
	}
}
