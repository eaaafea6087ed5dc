package transformer

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/transformer/internal/batch"
)

// windowTexts is how many texts are cut and sorted by length at a time: many, so that
// texts of one length come together; few, so that their tokens take little memory.
const windowTexts = 2048

// cutTexts is how many texts a goroutine takes at a time to cut them into tokens.
const cutTexts = 64

// window is some texts of one call on their way through the encoder.
type window struct {
	texts []string
	first int // place of the first one in the call

	cuts    [][]int32 // [chunks]: the tokens of cutTexts texts each
	lengths []int32   // [texts]: tokens, special ones included; 0 if it has none
	places  []int32   // [texts]: where in its chunk a text's tokens begin
	order   []int32   // places of the texts with tokens, longest first

	ids    []int32 // of one batch
	starts []int
	rows   []float32
}

// Encode writes the vectors of texts to out, [len(texts), Dim], as [embed.Encoder]
// says. Texts are cut into tokens on all cores while others are computed, and computed
// with others of their length, wherever they stand. It returns early with the context's
// error when that is done.
func (e *Encoder) Encode(ctx context.Context, texts []string, out []float32) error {
	if err := e.info.CheckShape(len(texts), len(out)); err != nil {
		return err
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.closing.RUnlock()
	if err := ctx.Err(); err != nil {
		return e.describe(err)
	}
	next := func(first int) *window {
		w := e.scratch.Get().(*window)
		w.first, w.texts = first, texts[first:min(first+windowTexts, len(texts))]
		e.cut(w)
		return w
	}
	if len(texts) <= windowTexts { // nothing to overlap
		w := next(0)
		defer e.release(w)
		return e.compute(ctx, w, out)
	}
	ready := make(chan *window)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	wg.Go(func() {
		defer close(ready)
		for first := 0; first < len(texts); first += windowTexts {
			w := next(first)
			select {
			case ready <- w:
			case <-stop:
				e.release(w)
				return
			}
		}
	})
	for w := range ready {
		err := e.compute(ctx, w, out)
		e.release(w)
		if err != nil {
			return err
		}
	}
	return nil
}

// release gives back a window's memory, without the caller's texts.
func (e *Encoder) release(w *window) {
	w.texts = nil
	e.scratch.Put(w)
}

// cut turns a window's texts into tokens, on all cores if they are many.
func (e *Encoder) cut(w *window) {
	n := len(w.texts)
	chunks := (n + cutTexts - 1) / cutTexts
	w.lengths, w.places = resize(w.lengths, n), resize(w.places, n)
	for len(w.cuts) < chunks {
		w.cuts = append(w.cuts, nil)
	}
	var next, truncated atomic.Int64
	work := func() {
		for {
			chunk := int(next.Add(1)) - 1
			if chunk >= chunks {
				return
			}
			truncated.Add(e.cutChunk(w, chunk))
		}
	}
	var wg sync.WaitGroup
	for range min(e.workers, chunks) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	w.order = w.order[:0]
	for i, length := range w.lengths {
		if length > 0 {
			w.order = append(w.order, int32(i))
		}
	}
	slices.SortStableFunc(w.order, func(a, b int32) int { return cmp.Compare(w.lengths[b], w.lengths[a]) })
	e.counts.texts.Add(int64(n))
	e.counts.empty.Add(int64(n - len(w.order)))
	e.counts.truncated.Add(truncated.Load())
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// cutChunk cuts the texts of one chunk and counts those whose end is left out.
func (e *Encoder) cutChunk(w *window, chunk int) (truncated int64) {
	ids := w.cuts[chunk][:0]
	for i := chunk * cutTexts; i < min((chunk+1)*cutTexts, len(w.texts)); i++ {
		first := len(ids)
		var extent embed.Extent
		ids, extent = e.words.Append(ids, w.texts[i])
		w.places[i], w.lengths[i] = int32(first), int32(len(ids)-first)
		if extent.Truncated {
			truncated++
		}
	}
	w.cuts[chunk] = ids
	return truncated
}

// compute encodes a window's texts, longest first, in batches of about one length.
func (e *Encoder) compute(ctx context.Context, w *window, out []float32) error {
	dim := e.info.Dim
	clear(out[w.first*dim : (w.first+len(w.texts))*dim])
	for order := w.order; len(order) > 0; {
		n := min(len(order), e.engine.batch(int(w.lengths[order[0]])))
		w.gather(order[:n])
		w.rows = resize(w.rows, n*dim)
		if err := e.engine.encode(ctx, batch.Texts{IDs: w.ids, Starts: w.starts}, w.rows); err != nil {
			return e.describe(err)
		}
		normalizeRows(w.rows, dim)
		for i, place := range order[:n] {
			copy(out[(w.first+int(place))*dim:][:dim], w.rows[i*dim:])
		}
		e.counts.tokens.Add(int64(len(w.ids)))
		order = order[n:]
	}
	return nil
}

// gather puts the tokens of a batch one after the other.
func (w *window) gather(order []int32) {
	w.ids, w.starts = w.ids[:0], append(w.starts[:0], 0)
	for _, place := range order {
		chunk := w.cuts[place/cutTexts]
		w.ids = append(w.ids, chunk[w.places[place]:][:w.lengths[place]]...)
		w.starts = append(w.starts, len(w.ids))
	}
}
