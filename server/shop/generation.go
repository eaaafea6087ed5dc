package shop

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/itemtext"
	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/server/record"
)

// generation is what serves a tenant now. Its vectors and its index change with the
// catalog; the encoder and the meaning of the vectors do not.
type generation struct {
	id       string
	number   int64 // counts the tenant's generations since the start
	encoder  embed.Encoder
	index    index.Index
	vectors  *vectors
	nearest  *nearest
	around   *ranker.NeighbourCache
	pipeline *ranker.Pipeline
	changes  atomic.Uint64 // of vectors
	encoded  atomic.Int64
}

// newGeneration makes an empty one over the tenant's live table and counters.
func (s *Shop) newGeneration() (*generation, error) {
	idx, err := s.config.NewIndex(s.dim)
	if err != nil {
		return nil, fmt.Errorf("making the index: %w", err)
	}
	n := s.generations.Add(1)
	g := &generation{
		id:     fmt.Sprintf("%s/%s/%d", s.config.Encoder.Info().Model, idx.Stats().Engine, n),
		number: n, encoder: s.config.Encoder, index: idx, vectors: newVectors(s.config.MaxItems), nearest: &nearest{index: idx},
	}
	if g.around, err = ranker.NewNeighbourCache(g.nearest, g.vectors, neighbourSlots, neighbourCount); err != nil {
		return nil, err
	}
	g.pipeline, err = ranker.New(ranker.World{
		Catalog: s.table, Vectors: g.vectors, Nearest: g.nearest, Neighbours: g.around,
		CoVisited: s.counters.covisit, Popular: s.counters.popular, Trending: s.counters.trending, Arrivals: s.arrivals,
	})
	return g, err
}

// itemText is what the encoder reads of an item.
func itemText(it *record.Item) string {
	return itemtext.Fields{
		Title: it.Title, Brand: it.Brand, Categories: it.Categories, Tags: it.Tags, Description: it.Description,
	}.Text()
}

// encodeBatch bounds the texts that are encoded at once.
const encodeBatch = 256

// numbered is an item with its number.
type numbered struct {
	number uint32
	item   *record.Item
}

// set gives items their vectors: the caller's own, else that of the text. An item
// without text has no vector and is found by other sources.
func (g *generation) set(ctx context.Context, items []numbered) error {
	dim := g.index.Dim()
	texts := make([]string, 0, len(items))
	of := make([]uint32, 0, len(items))
	for _, it := range items {
		if len(it.item.Vector) == dim {
			if err := g.put(it.number, unit(it.item.Vector)); err != nil {
				return err
			}
			continue
		}
		texts, of = append(texts, itemText(it.item)), append(of, it.number)
	}
	out := make([]float32, len(texts)*dim)
	if err := g.encoder.Encode(ctx, texts, out); err != nil {
		return fmt.Errorf("encoding %d items: %w", len(texts), err)
	}
	for i, number := range of {
		v := out[i*dim : (i+1)*dim]
		if isZero(v) {
			if err := g.remove(number); err != nil {
				return err
			}
		} else if err := g.put(number, v); err != nil {
			return err
		}
	}
	return nil
}

// put adds or replaces one vector. The ranker's copy is its own: the encoder's
// output is reused.
func (g *generation) put(number uint32, v []float32) error {
	err := g.index.Add(number, v)
	if err == nil {
		g.encoded.Add(1)
	} else if errors.Is(err, index.ErrExists) {
		err = g.index.Update(number, v)
	}
	if err == nil {
		g.changed(number, slices.Clone(v))
	}
	return err
}

// remove takes an item's vector out, if it has one.
func (g *generation) remove(number uint32) error {
	err := g.index.Delete(number)
	if errors.Is(err, index.ErrNotFound) {
		return nil
	}
	if err == nil {
		g.changed(number, nil)
		g.encoded.Add(-1)
	}
	return err
}

// changed publishes an item's vector, nil for none, after the index has it.
func (g *generation) changed(number uint32, v []float32) {
	g.vectors.set(number, v)
	g.changes.Add(1)
	g.around.Changed()
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

// Refresh builds a new generation from the catalog and swaps it in. The old one
// serves meanwhile; what changes meanwhile is brought over before the swap.
func (s *Shop) Refresh(ctx context.Context) error {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	next, err := s.newGeneration()
	if err != nil {
		return err
	}
	s.applying.Lock()
	s.touched = touchedSet{}
	s.next.Store(next) // from here on the applier writes to both
	s.applying.Unlock()
	defer s.next.Store(nil)
	if err := s.fill(ctx, next); err != nil {
		return err
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	s.gen.Store(next)
	return nil
}

// fill encodes the whole catalog into a generation. An item that the applier changes
// meanwhile is set again, from the stored row, under the applier's lock.
func (s *Shop) fill(ctx context.Context, g *generation) error {
	batch := make([]numbered, 0, encodeBatch)
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		s.applying.Lock()
		defer s.applying.Unlock()
		current := batch[:0]
		for _, it := range batch {
			// The scan may be behind the applier: an item that is gone stays gone, and
			// one that changed was set by the applier, from the newer row.
			if s.table.Row(it.number) != nil && !s.touched.has(it.number) {
				current = append(current, it)
			}
		}
		err := g.set(ctx, current)
		batch = batch[:0]
		return err
	}
	err := s.log.ScanItems(func(number uint32, it *record.Item) error {
		batch = append(batch, numbered{number, it})
		if len(batch) == encodeBatch {
			return flush()
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	return flush()
}

// touchedSet holds the items that the applier set while a generation was being
// filled.
type touchedSet map[uint32]struct{}

func (t touchedSet) has(n uint32) bool { _, ok := t[n]; return ok }
