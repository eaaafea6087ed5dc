package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// sample is what batches are made of to find the rate: about as long as a title.
const sample = "a lamp for the desk in the study, of brass and green glass"

// calibrate times batches of twice as many texts each, until one takes half of the
// latency or is as large as may be, and takes the rate from the last.
func (b *Batcher) calibrate(ctx context.Context) error {
	most := b.queue.config.Rows[len(b.queue.config.Rows)-1]
	for n := 1; n <= most; n *= 2 {
		tokens, seconds, err := b.try(ctx, n)
		switch {
		case errors.Is(err, ErrOutOfMemory) || tokens == 0:
			return nil // what fitted tells enough
		case err != nil:
			return fmt.Errorf("batch: timing the encoder with %d texts: %w", n, err)
		}
		if b.queue.timed(tokens, seconds) {
			return nil
		}
	}
	return nil
}

// try encodes n samples. Tokens are 0 if so many make no batch.
func (b *Batcher) try(ctx context.Context, n int) (tokens int, seconds float64, err error) {
	tokens = b.queue.estimate(len(sample))
	run := func() error {
		return b.plain.Encode(ctx, slices.Repeat([]string{sample}, n), make([]float32, n*b.info.Dim))
	}
	if b.shapes != nil {
		ids, _ := b.staged.AppendTokens(nil, sample)
		tokens = len(ids)
		shape := b.shapes.fit(b.shapes.bucket(tokens), n)
		if shape.Rows < n {
			return 0, 0, nil
		}
		run = func() error {
			return b.staged.EncodeTokens(ctx, slices.Repeat([][]int32{ids}, n), shape, make([]float32, n*b.info.Dim))
		}
	}
	if b.queue.beyond(n * tokens) {
		return 0, 0, nil
	}
	begin := b.queue.pace.now()
	err = safely(run)
	return n * tokens, b.queue.pace.now().Sub(begin).Seconds(), err
}

// beyond reports whether so many tokens are more than fit.
func (q *queue) beyond(tokens int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return tokens > q.fits
}

// timed takes the rate of a batch that ran alone. It reports whether the batch was long
// enough.
func (q *queue) timed(tokens int, seconds float64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pace.rate = 0 // the last one is nearest to what comes
	q.pace.learn(tokens, seconds, true)
	return seconds >= q.config.Latency.Seconds()/2
}
