package evaluate

import (
	"context"
	"fmt"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/itemtext"
	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// itemText is what the encoder reads of an item.
func itemText(item dataset.Item) string {
	return itemtext.Fields{
		Title: item.Title, Brand: item.Brand, Categories: item.Categories, Tags: item.Tags, Description: item.Description,
	}.Text()
}

// A matrix holds item vectors, [items, dim] row by row. Rows of zeros stand for
// items without text.
type matrix struct {
	rows [][]float32 // nil: none
	dim  int
}

// Vector meets ranker.Vectors.
func (m *matrix) Vector(item uint32) []float32 {
	if int(item) < len(m.rows) {
		return m.rows[item]
	}
	return nil
}

const encodeBatch = 256

func encode(ctx context.Context, encoder embed.Encoder, items []dataset.Item) (*matrix, error) {
	dim := encoder.Info().Dim
	m := &matrix{rows: make([][]float32, len(items)), dim: dim}
	texts := make([]string, 0, encodeBatch)
	for start := 0; start < len(items); start += encodeBatch {
		batch := items[start:min(start+encodeBatch, len(items))]
		texts = texts[:0]
		for _, item := range batch {
			texts = append(texts, itemText(item))
		}
		out := make([]float32, len(batch)*dim)
		if err := encoder.Encode(ctx, texts, out); err != nil {
			return nil, fmt.Errorf("encoding items %d to %d: %w", start, start+len(batch)-1, err)
		}
		for i := range batch {
			if row := out[i*dim : (i+1)*dim : (i+1)*dim]; !zero(row) {
				m.rows[start+i] = row
			}
		}
	}
	return m, nil
}

func zero(v []float32) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
}
