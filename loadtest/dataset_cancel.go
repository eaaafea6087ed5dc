package main

import (
	"context"
	"iter"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// cancellable ends the rows of a source when the command is interrupted.
type cancellable struct {
	ctx    context.Context
	source dataset.Source
}

func (c cancellable) Items() iter.Seq2[dataset.Item, error] { return until(c.ctx, c.source.Items()) }

func (c cancellable) Events() iter.Seq2[dataset.Event, error] {
	return until(c.ctx, c.source.Events())
}

func until[T any](ctx context.Context, rows iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for row, err := range rows {
			if ended := ctx.Err(); ended != nil {
				var zero T
				yield(zero, ended)
				return
			}
			if !yield(row, err) {
				return
			}
		}
	}
}
