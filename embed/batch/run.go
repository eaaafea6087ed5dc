package batch

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/kindred-rec/kindred/embed"
)

// tokenize is the first stage: it runs until the queue is closed and empty.
func (b *Batcher) tokenize() {
	chunk := make([]*text, 0, chunkTexts)
	for {
		var ok bool
		if chunk, ok = b.queue.take(chunk[:0]); !ok {
			return
		}
		estimate := 0
		for _, t := range chunk {
			estimate += t.tokens
		}
		begin := time.Now()
		err := safely(func() error { return b.measure(chunk) })
		b.queue.lay(chunk, estimate, time.Since(begin), err)
	}
}

// safely turns a panic of the encoder into an error: it must not take the program along.
func safely(run func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: it panicked: %v\n%s", ErrEncoder, cause, debug.Stack())
		}
	}()
	return run()
}

// measure finds the tokens of texts, or as much of that as the encoder lets see.
func (b *Batcher) measure(chunk []*text) error {
	for _, t := range chunk {
		switch {
		case b.staged != nil:
			var extent embed.Extent
			t.ids, extent = b.staged.AppendTokens(t.ids[:0], t.value)
			t.truncated = extent.Truncated
			t.tokens = len(t.ids)
			t.bucket = b.shapes.bucket(t.tokens)
			if last := b.shapes.lengths[len(b.shapes.lengths)-1]; t.tokens > last {
				return fmt.Errorf("%w: a text gave %d tokens, MaxTokens is %d", ErrEncoder, t.tokens, last)
			}
		case b.measurer != nil && mayTruncate(b.info, t.value):
			extent := b.measurer.Measure(t.value)
			t.truncated = extent.Truncated
			if b.info.MaxTokens > 0 { // better than the estimate
				t.tokens = min(extent.Tokens+2, b.info.MaxTokens)
			}
		}
	}
	return nil
}

// mayTruncate is false for texts that are surely read to their end, which need not be
// measured: a token takes a byte at least, and a model adds two of its own.
func mayTruncate(info embed.Info, text string) bool {
	return info.MaxBytes > 0 && len(text) > info.MaxBytes || info.MaxTokens > 0 && len(text)+2 > info.MaxTokens
}

// runner is the second stage. Each has memory of its own.
type runner struct {
	*Batcher
	rows    [][]int32
	texts   []string
	vectors []float32 // [batch, dim]
}

func (r *runner) run(ctx context.Context) {
	var batch []*text
	for {
		var since float64
		var ok bool
		if batch, since, ok = r.queue.next(batch); !ok {
			return
		}
		r.encode(ctx, batch, since)
		clear(batch)
	}
}

// encode computes a batch, in smaller ones if it does not fit the encoder's memory, and
// answers its callers. Since is from the batch's begin.
func (r *runner) encode(ctx context.Context, batch []*text, since float64) {
	size := r.size(batch)
	begin := time.Now()
	err := safely(func() error { return r.compute(ctx, batch, size) })
	if err != nil && ctx.Err() != nil {
		err = errClosed
	}
	r.queue.ran(batch, size, since, time.Since(begin), err)
	if errors.Is(err, ErrOutOfMemory) {
		if half := r.half(batch, size); half > 0 {
			r.encode(ctx, batch[:half], r.queue.again(batch[:half]))
			r.encode(ctx, batch[half:], r.queue.again(batch[half:]))
			return
		}
		err = fmt.Errorf("%w; the smallest batch, %d rows of %d tokens, does not fit: free memory, or bound the tokens of a text",
			err, size.Rows, size.Length)
	}
	if err == nil {
		r.deliver(batch)
	}
	r.queue.finish(batch, err)
}

// half is where to cut a batch so that its first part, and so its second, is of a
// smaller shape; 0 if there is none.
func (r *runner) half(batch []*text, size Shape) int {
	for n := len(batch) - len(batch)/2; n < len(batch); {
		if r.shapes == nil || r.size(batch[:n]).Rows < size.Rows {
			return n
		}
		if n == 1 {
			break
		}
		n -= n / 2
	}
	return 0
}

// size is the shape that a batch is padded to; for a plain encoder, its rows and its
// longest text.
func (b *Batcher) size(batch []*text) Shape {
	longest, bucket := 0, 0
	for _, t := range batch {
		longest, bucket = max(longest, t.tokens), max(bucket, t.bucket)
	}
	if b.shapes != nil {
		return b.shapes.fit(bucket, len(batch))
	}
	return Shape{Rows: len(batch), Length: longest}
}

func (r *runner) compute(ctx context.Context, batch []*text, size Shape) error {
	if n := len(batch) * r.info.Dim; cap(r.vectors) < n {
		r.vectors = make([]float32, n)
	} else {
		r.vectors = r.vectors[:n]
	}
	if r.staged != nil {
		r.rows = r.rows[:0]
		for _, t := range batch {
			r.rows = append(r.rows, t.ids)
		}
		return r.staged.EncodeTokens(ctx, r.rows, size, r.vectors)
	}
	r.texts = r.texts[:0]
	for _, t := range batch {
		r.texts = append(r.texts, t.value)
	}
	defer clear(r.texts)
	return r.plain.Encode(ctx, r.texts, r.vectors)
}

// deliver copies the vectors to the callers, those of one call in a row together.
func (r *runner) deliver(batch []*text) {
	for begin := 0; begin < len(batch); {
		end := begin + 1
		for end < len(batch) && batch[end].call == batch[begin].call {
			end++
		}
		batch[begin].call.deliver(batch[begin:end], r.vectors[begin*r.info.Dim:end*r.info.Dim])
		begin = end
	}
}

// goodBatches is after how many batches in a row the bound that memory set is doubled.
const goodBatches = 1000

// again begins a part of a batch that was too large.
func (q *queue) again(batch []*text) (since float64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pace.begin(tokensOf(batch))
}

// ran counts a batch and learns from it what fits and how fast the encoder is.
func (q *queue) ran(batch []*text, size Shape, since float64, took time.Duration, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	tokens := tokensOf(batch)
	charged := q.pace.end(since, tokens)
	q.stats.run.add(took)
	q.shape(size, true)
	switch {
	case errors.Is(err, ErrOutOfMemory):
		q.stats.outOfMemory++
		q.fits, q.good = max(1, min(q.fits, size.Rows*size.Length)/2), 0
		return
	case err != nil:
		q.stats.failed++
		return
	}
	if q.good++; q.good >= goodBatches && q.fits < q.config.Tokens {
		q.fits, q.good = min(2*q.fits, q.config.Tokens), 0
	}
	now := float64(len(batch)) / max(took.Seconds(), 1e-9)
	if q.speed == 0 {
		q.speed = now
	}
	q.speed += (now - q.speed) / 16
	possible := q.possible(batch, size)
	q.pace.learn(tokens, charged, 2*size.Rows*size.Length >= q.bound())
	q.stats.count(batch, size, possible, q.shapes != nil)
}

// shape notes that a shape ran.
func (q *queue) shape(size Shape, late bool) {
	if q.shapes == nil || q.stats.seen[size] {
		return
	}
	q.stats.seen[size] = true
	if late {
		q.stats.late++
	}
}

// possible is how many rows a batch of this length could have had.
func (q *queue) possible(batch []*text, size Shape) int {
	if q.shapes != nil {
		return q.shapes.most(q.shapes.bucket(size.Length), q.bound())
	}
	return max(len(batch), min(q.bound()/max(size.Length, 1), q.config.Rows[len(q.config.Rows)-1]))
}

func (s *counters) count(batch []*text, size Shape, possible int, padded bool) {
	tokens := tokensOf(batch)
	s.batches++
	s.texts += uint64(len(batch))
	s.tokens += uint64(tokens)
	s.possible += uint64(max(possible, len(batch)))
	if padded {
		tokens = size.Rows * size.Length
	}
	s.padded += uint64(tokens)
}
