package batch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kindred-rec/kindred/embed"
)

// Lane says how urgent a call is.
type Lane int

// The lanes.
const (
	Interactive Lane = iota // somebody waits for it
	Bulk                    // all else
	lanes
)

// Batcher makes batches for one encoder. It is an [embed.Encoder] of the bulk lane.
// All methods are safe for concurrent use.
type Batcher struct {
	info     embed.Info
	plain    embed.Encoder
	staged   Staged         // nil: a plain encoder
	measurer embed.Measurer // nil: the encoder is none, or staged
	shapes   *shapes        // nil: a plain encoder
	queue    *queue
	cancel   context.CancelFunc
	stages   sync.WaitGroup
}

var _ embed.Encoder = (*Batcher)(nil)

// New returns a batcher in front of an encoder, with its goroutines running; Close ends
// them. Errors wrap [ErrConfig]. An encoder that is [Staged] is used as such.
func New(encoder embed.Encoder, config Config) (*Batcher, error) {
	return newAt(encoder, config, time.Now)
}

func newAt(encoder embed.Encoder, config Config, now func() time.Time) (*Batcher, error) {
	b := &Batcher{info: encoder.Info(), plain: encoder}
	b.staged, _ = encoder.(Staged)
	if b.info.Dim < 1 {
		return nil, fmt.Errorf("%w: encoder %q has dimension %d", ErrConfig, b.info.Model, b.info.Dim)
	}
	config, err := config.resolve(b.info, b.staged != nil)
	if err != nil {
		return nil, err
	}
	if b.staged == nil {
		b.measurer, _ = encoder.(embed.Measurer)
	} else {
		s := newShapes(config.Lengths, config.Rows, config.Tokens)
		b.shapes = &s
	}
	b.queue = newQueue(config, b.info, b.shapes)
	b.queue.pace.now = now
	b.start(config)
	return b, nil
}

func newQueue(config Config, info embed.Info, shapes *shapes) *queue {
	q := &queue{config: config, shapes: shapes, maxBytes: info.MaxBytes, maxToken: info.MaxTokens, fits: config.Tokens, pace: newPace(config)}
	q.stats.seen = map[Shape]bool{}
	q.untaken.L, q.ready.L = &q.mu, &q.mu
	return q
}

func (b *Batcher) start(config Config) {
	var ctx context.Context
	ctx, b.cancel = context.WithCancel(context.Background())
	for range config.Tokenizers {
		b.stages.Go(b.tokenize)
	}
	for range config.Runners {
		r := &runner{Batcher: b}
		b.stages.Go(func() { r.run(ctx) })
	}
}

// Info describes the encoder's model.
func (b *Batcher) Info() embed.Info { return b.info }

// Encode encodes in the bulk lane, as [embed.Encoder] says. It is refused with an
// [*OverloadError] when the queue is full.
func (b *Batcher) Encode(ctx context.Context, texts []string, out []float32) error {
	_, err := b.Do(ctx, Call{Lane: Bulk, Texts: texts}, out)
	return err
}

// Lane returns an encoder whose calls go through a lane.
func (b *Batcher) Lane(l Lane) embed.Encoder { return laneEncoder{b, l} }

type laneEncoder struct {
	batcher *Batcher
	lane    Lane
}

func (e laneEncoder) Info() embed.Info { return e.batcher.Info() }

func (e laneEncoder) Encode(ctx context.Context, texts []string, out []float32) error {
	_, err := e.batcher.Do(ctx, Call{Lane: e.lane, Texts: texts}, out)
	return err
}

// Call is what [Batcher.Do] is asked to do.
type Call struct {
	Lane Lane
	// Texts may be any number: a call holds a bounded part of the queue at a time.
	Texts []string
	// Wait for room instead of being refused. Whoever sets it bounds how many of
	// its calls wait.
	Wait bool
}

// Do encodes the call's texts to out, [len(Texts), Dim], as [embed.Encoder] says of
// Encode, and tells what became of them. Errors, beside those of the encoder and of the
// context: [embed.ErrShape]; an [*OverloadError], at once, when there is no room;
// [ErrTooLarge]; [embed.ErrUnavailable] after Close. The receipt is valid without an
// error only.
func (b *Batcher) Do(ctx context.Context, want Call, out []float32) (Receipt, error) {
	if err := b.info.CheckShape(len(want.Texts), len(out)); err != nil {
		return Receipt{}, err
	}
	if err := ctx.Err(); err != nil {
		return Receipt{}, fmt.Errorf("batch: %w", err)
	}
	if want.Lane != Interactive {
		want.Lane = Bulk
	}
	if len(want.Texts) == 0 {
		return Receipt{}, nil
	}
	c := &call{
		lane: want.Lane, dim: b.info.Dim, texts: want.Texts, out: out,
		done: make(chan struct{}), arrived: time.Now(),
	}
	if err := b.enter(ctx, c, want.Wait); err != nil {
		return Receipt{}, err
	}
	defer c.close()
	select {
	case <-c.done:
	case <-ctx.Done():
		b.queue.abandon(c)
		return Receipt{}, fmt.Errorf("batch: given up: %w", ctx.Err())
	}
	if c.err != nil {
		return Receipt{}, c.err
	}
	c.receipt.Queue = c.begun.Sub(c.arrived)
	c.receipt.Run = time.Since(c.begun)
	return c.receipt, nil
}

func (b *Batcher) enter(ctx context.Context, c *call, wait bool) error {
	if !wait {
		return b.queue.admit(c)
	}
	err := b.queue.await(ctx, c)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("batch: gave up waiting for room: %w", err)
	}
	return err
}

// Warmer is implemented by plain encoders that have something to compile before they are
// fast, and see to their shapes themselves.
type Warmer interface {
	// WarmUp makes ready for texts of up to so many tokens.
	WarmUp(ctx context.Context, tokens int) error
}

// Warm runs every shape once, so that an encoder that compiles has done so before the
// first caller comes. Progress, which may be nil, is called before each shape with how
// many are done and how many there are. Shapes for which memory does not suffice lower
// the bound on batches; when not even the smallest batch of a length fits, the error
// wraps [ErrOutOfMemory]. A plain encoder is warmed up as a [Warmer], if it is one, and
// encodes one text. In the end a few batches of made-up texts are timed, so that the rate
// is known that Config.Latency goes by.
func (b *Batcher) Warm(ctx context.Context, progress func(done, all int, next Shape)) error {
	if b.shapes == nil {
		if w, ok := b.plain.(Warmer); ok {
			if err := w.WarmUp(ctx, b.info.MaxTokens); err != nil {
				return fmt.Errorf("batch: warming up: %w", err)
			}
		}
		if err := b.plain.Encode(ctx, []string{"warm"}, make([]float32, b.info.Dim)); err != nil {
			return fmt.Errorf("batch: trying the encoder: %w", err)
		}
		return b.calibrate(ctx)
	}
	all := b.shapes.all()
	for i, shape := range all {
		if progress != nil {
			progress(i, len(all), shape)
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("batch: warming up was stopped after %d of %d shapes: %w", i, len(all), err)
		}
		err := b.warm(ctx, shape)
		if err != nil && (!errors.Is(err, ErrOutOfMemory) || shape.Rows == b.queue.config.Rows[0]) {
			return fmt.Errorf("batch: warming up with %d texts of %d tokens: %w", shape.Rows, shape.Length, err)
		}
	}
	return b.calibrate(ctx)
}

func (b *Batcher) warm(ctx context.Context, shape Shape) error {
	ids, _ := b.staged.AppendTokens(nil, "warm")
	ids = ids[:min(len(ids), shape.Length)]
	rows := make([][]int32, shape.Rows)
	for i := range rows {
		rows[i] = ids
	}
	err := safely(func() error {
		return b.staged.EncodeTokens(ctx, rows, shape, make([]float32, shape.Rows*b.info.Dim))
	})
	b.queue.mu.Lock()
	defer b.queue.mu.Unlock()
	b.queue.shape(shape, false)
	if errors.Is(err, ErrOutOfMemory) {
		b.queue.stats.outOfMemory++
		b.queue.fits = max(1, min(b.queue.fits, shape.Rows*shape.Length)/2)
	}
	return err
}

// Stats returns what happened so far and what waits now.
func (b *Batcher) Stats() Stats { return b.queue.snapshot() }

// Close refuses new calls, lets those that were accepted end, and stops the goroutines.
// When ctx ends first, what is left fails with [embed.ErrUnavailable] and Close returns
// the context's error once the encoder is back from its last batch. Further calls of
// Close wait likewise.
func (b *Batcher) Close(ctx context.Context) error {
	b.queue.close()
	ended := make(chan struct{})
	go func() { b.stages.Wait(); close(ended) }()
	defer b.cancel()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	b.queue.abort(errClosed)
	b.cancel()
	<-ended
	return fmt.Errorf("batch: work was cut off at closing: %w", ctx.Err())
}
