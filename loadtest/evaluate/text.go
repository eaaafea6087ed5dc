package evaluate

import (
	"context"
	"fmt"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/itemtext"
	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/server/exact"
)

// itemText is what the encoder reads of an item.
func itemText(item dataset.Item) string {
	return itemtext.Fields{
		Title: item.Title, Brand: item.Brand, Categories: item.Categories, Tags: item.Tags, Description: item.Description,
	}.Text()
}

const encodeBatch = 256

// encode makes the vectors of the items' texts; an item without text has none.
func encode(ctx context.Context, encoder embed.Encoder, items []dataset.Item) (*exact.Space, error) {
	dim := encoder.Info().Dim
	rows := make([][]float32, len(items))
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
				rows[start+i] = row
			}
		}
	}
	return exact.New(rows, dim)
}

func zero(v []float32) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
}
