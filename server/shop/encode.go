package shop

import (
	"context"
	"fmt"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/itemtext"
	"github.com/kindred-rec/kindred/server/record"
)

// encodeBatch bounds the texts that are encoded at once.
const encodeBatch = 256

// numbered is an item with its number.
type numbered struct {
	number uint32
	item   *record.Item
}

// coded is an item's vector, of unit length; nil if it has none.
type coded struct {
	number uint32
	vector []float32
}

// itemText is what the encoder reads of an item.
func itemText(it *record.Item) string {
	return itemtext.Fields{
		Title: it.Title, Brand: it.Brand, Categories: it.Categories, Tags: it.Tags, Description: it.Description,
	}.Text()
}

// ownVectors returns the vectors that callers gave with items, and the items without. They
// are of the configured encoder's space: a bridge has no use for them.
func (g *generation) ownVectors(items []numbered) (made []coded, others []numbered) {
	made, others = make([]coded, 0, len(items)), make([]numbered, 0, len(items))
	for _, it := range items {
		if !g.bridge && len(it.item.Vector) == g.dim() {
			made = append(made, coded{it.number, unit(it.item.Vector)})
			continue
		}
		others = append(others, it)
	}
	return made, others
}

// vectorsNow makes the vectors that items can have at once: the caller's own and, by an
// immediate encoder, those of the texts.
func (g *generation) vectorsNow(ctx context.Context, items []numbered) ([]coded, error) {
	made, others := g.ownVectors(items)
	if g.slow {
		return made, nil
	}
	return encodeItems(ctx, g.encoder, others, made)
}

// vectorsKnown makes the vectors that items have: the caller's own, and those of the
// texts; by a slow encoder, those that are kept. The other items join the backlog.
func (s *Shop) vectorsKnown(ctx context.Context, g *generation, items []numbered) ([]coded, error) {
	made, others := g.ownVectors(items)
	if !g.slow {
		return encodeItems(ctx, g.encoder, others, made)
	}
	texts := make([]record.TextHash, len(others))
	for i, it := range others {
		texts[i] = record.HashText(itemText(it.item))
	}
	known := make([]bool, len(others))
	err := s.keptVectors(texts, func(i int, v []float32) {
		if known[i] = true; isZero(v) {
			v = nil
		}
		made = append(made, coded{others[i].number, v})
	})
	if err != nil {
		return nil, fmt.Errorf("reading kept vectors: %w", err)
	}
	for i, it := range others {
		if !known[i] {
			s.encoding.backlog.add(it.number, false)
		}
	}
	return made, nil
}

// encodeItems adds the vectors of items' texts to made. An item without text has no
// vector and is found by other sources.
func encodeItems(ctx context.Context, encoder embed.Encoder, items []numbered, made []coded) ([]coded, error) {
	dim := encoder.Info().Dim
	texts := make([]string, len(items))
	for i, it := range items {
		texts[i] = itemText(it.item)
	}
	out := make([]float32, len(texts)*dim)
	if err := encoder.Encode(ctx, texts, out); err != nil {
		return nil, fmt.Errorf("encoding %d items: %w", len(texts), err)
	}
	for i, it := range items {
		v := out[i*dim : (i+1)*dim]
		if isZero(v) {
			v = nil
		}
		// A copy, so that one vector that stays does not keep its whole batch.
		made = append(made, coded{it.number, slices.Clone(v)})
	}
	return made, nil
}

// encodeCatalog makes, or finds, the vectors of all stored items for a generation, on all
// cores. row, if not nil, sees each item first, in the order of the scan; take is called
// with batches and their vectors, concurrently.
func (s *Shop) encodeCatalog(ctx context.Context, g *generation, row func(numbered) error, take func([]numbered, []coded) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(allCores()) // also bounds the batches in memory
	send := func(batch []numbered) {
		group.Go(func() error {
			made, err := s.vectorsKnown(ctx, g, batch)
			if err != nil {
				return err
			}
			return take(batch, made)
		})
	}
	var batch []numbered
	err := s.log.ScanItems(func(number uint32, it *record.Item) error {
		if row != nil {
			if err := row(numbered{number, it}); err != nil {
				return err
			}
		}
		if batch = append(batch, numbered{number, it}); len(batch) == encodeBatch {
			send(batch)
			batch = nil
		}
		return ctx.Err()
	})
	if err == nil && len(batch) > 0 {
		send(batch)
	}
	// What a worker met says more than that the scan was then stopped.
	if failed := group.Wait(); failed != nil {
		return failed
	}
	return err
}

// unit returns v at unit length. Validated vectors have a direction.
func unit(v []float32) []float32 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	scale := float32(1 / math.Sqrt(sum))
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = x * scale
	}
	return out
}

func isZero(v []float32) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
}
