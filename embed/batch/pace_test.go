package batch_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/batch"
)

// paced is a fake encoder whose time is the test's own clock: a batch moves it on by what
// the batch would cost at the rate, and each waits for a step. Nothing is measured.
type paced struct {
	slow
	rate  atomic.Int64 // tokens a second, four bytes and two tokens as the batcher takes them
	fixed time.Duration
	clock atomic.Int64 // nanoseconds
}

func (p *paced) now() time.Time { return time.Unix(1, p.clock.Load()) }

func (p *paced) Encode(ctx context.Context, texts []string, out []float32) error {
	err := p.slow.Encode(ctx, texts, out)
	p.clock.Add(int64(p.fixed) + int64(tokens(texts))*int64(time.Second)/p.rate.Load())
	return err
}

func tokens(texts []string) (sum int) {
	for _, t := range texts {
		sum += len(t)/4 + 2
	}
	return sum
}

// tenTokens is a text that is taken for so many.
const tenTokens = "12345678901234567890123456789012"

func startPaced(t *testing.T, p *paced, c batch.Config) *batch.Batcher {
	t.Helper()
	b, err := batch.NewAt(p, c, p.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(context.Background()) })
	return b
}

// newPaced does 1,000 tokens a second, so that 100 ms are 100 tokens, and knows it.
func newPaced(t *testing.T, c batch.Config) (*paced, *batch.Batcher) {
	t.Helper()
	p := &paced{}
	p.rate.Store(1000)
	c.Latency = 100 * time.Millisecond
	b := startPaced(t, p, c)
	if err := b.Warm(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.batches = nil
	p.mu.Unlock()
	p.entered.Store(0)
	p.steps = make(chan struct{}, 10_000)
	return p, b
}

func TestWarmFindsTheRate(t *testing.T) {
	_, b := newPaced(t, batch.Config{})
	if s := b.Stats(); s.Rate < 999 || s.Rate > 1001 || s.BatchBound != 50 {
		t.Errorf("rate %g and batches of %d tokens, want 1,000 and the 50 of half of 100 ms", s.Rate, s.BatchBound)
	}
}

// Ten times what can be done in time comes at once: what fits into the latency is
// accepted, the rest is refused before anything ran, and is told when to come back.
func TestInteractiveCallsThatWouldWaitTooLongAreRefused(t *testing.T) {
	p, b := newPaced(t, batch.Config{})
	var wg sync.WaitGroup
	var accepted, refused atomic.Int64
	for range 100 { // each of 10 ms
		wg.Go(func() {
			texts, out := []string{tenTokens}, make([]float32, fakeDim)
			err := b.Lane(batch.Interactive).Encode(context.Background(), texts, out)
			var late *batch.OverloadError
			switch {
			case err == nil:
				accepted.Add(1)
				check(t, texts, out)
			case errors.As(err, &late) && errors.Is(err, embed.ErrOverloaded):
				refused.Add(1)
				if late.Wait <= 100*time.Millisecond || late.MaxWait != 100*time.Millisecond ||
					late.RetryAfter < late.Wait.Round(time.Millisecond) || late.RetryAfter > 2*late.Wait+time.Millisecond {
					t.Errorf("refusal %+v", late)
				}
			default:
				t.Error(err)
			}
		})
	}
	// Behind ten of them 100 ms pass, which the eleventh may wait.
	eventually(t, "the surplus is refused", func() bool { return refused.Load() == 89 })
	if s := b.Stats(); s.Interactive.Texts != 11 || s.Interactive.Refused != 89 || s.Batches != 0 {
		t.Errorf("nothing has run; stats %+v", s)
	}
	for range 20 {
		p.steps <- struct{}{}
	}
	wg.Wait()
	for _, ran := range p.ran() {
		if tokens(ran) > 50 {
			t.Errorf("a batch of %d tokens, want at most half of the latency: 50", tokens(ran))
		}
	}
	if accepted.Load() != 11 {
		t.Errorf("%d accepted, want 11", accepted.Load())
	}
}

// The same work is all accepted where the encoder does it in time.
func TestLatencyDoesNotBindAFastEncoder(t *testing.T) {
	p := &paced{}
	p.rate.Store(10_000_000)
	b := startPaced(t, p, batch.Config{})
	if err := b.Warm(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if s := b.Stats(); s.BatchBound != batch.DefaultTokens {
		t.Errorf("batches of %d tokens, want %d", s.BatchBound, batch.DefaultTokens)
	}
	p.steps = make(chan struct{}, 1000)
	var wg sync.WaitGroup
	for range 600 {
		wg.Go(func() {
			texts := slices.Repeat([]string{tenTokens}, 8)
			if err := b.Lane(batch.Interactive).Encode(context.Background(), texts, make([]float32, 8*fakeDim)); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "all are in", func() bool { return b.Stats().Interactive.Texts == 4800 })
	for range 1000 {
		p.steps <- struct{}{}
	}
	wg.Wait()
}

// A call that nothing is before is accepted however large it is, and those behind it are
// told how long it takes.
func TestLargeInteractiveCallIsAcceptedAlone(t *testing.T) {
	p, b := newPaced(t, batch.Config{})
	texts := slices.Repeat([]string{tenTokens}, 200)
	out := make([]float32, len(texts)*fakeDim)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.Lane(batch.Interactive).Encode(context.Background(), texts, out); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "it is in", func() bool { return b.Stats().Interactive.Admitted == 1 })
	var late *batch.OverloadError
	err := b.Lane(batch.Interactive).Encode(context.Background(), texts[:1], out[:fakeDim])
	if !errors.As(err, &late) || late.Wait != 2*time.Second {
		t.Errorf("behind 2,000 tokens at 1,000 a second: %v, want a wait of 2 s", err)
	}
	for range 200 {
		p.steps <- struct{}{}
	}
	wg.Wait()
	check(t, texts, out)
	for _, ran := range p.ran() {
		if tokens(ran) > 50 {
			t.Errorf("a batch of %d tokens, want at most 50", tokens(ran))
		}
	}
}

// A bulk batch that was begun holds an interactive call up by half of the latency at
// most, bulk goes on beside interactive work, and is itself never late.
func TestBulkBatchesAreAsShort(t *testing.T) {
	p, b := newPaced(t, batch.Config{})
	var wg sync.WaitGroup
	wg.Go(func() {
		texts := slices.Repeat([]string{tenTokens}, 500)
		if err := b.Encode(context.Background(), texts, make([]float32, len(texts)*fakeDim)); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "bulk runs", func() bool { return p.entered.Load() == 5 || p.entered.Load() == 1 })
	wg.Go(func() {
		if err := b.Lane(batch.Interactive).Encode(context.Background(), []string{"now"}, make([]float32, fakeDim)); err != nil {
			t.Error("behind one bulk batch:", err)
		}
	})
	eventually(t, "interactive is ready", func() bool { return b.Stats().Interactive.Ready == 1 })
	for range 600 {
		p.steps <- struct{}{}
	}
	wg.Wait()
	ran := p.ran()
	if place := slices.IndexFunc(ran, func(b []string) bool { return b[0] == "now" }); place != 1 {
		t.Errorf("interactive ran in batch %d, want right after the one that ran", place)
	}
	for _, texts := range ran {
		if tokens(texts) > 50 {
			t.Errorf("a batch of %d tokens, want at most 50", tokens(texts))
		}
	}
}

// The encoder becomes five times slower, and fast again: the bound follows. Small batches,
// most of whose time is the same for any size, do not take it down.
func TestRateFollowsFullBatches(t *testing.T) {
	p, b := newPaced(t, batch.Config{})
	encode := func(texts int) {
		t.Helper()
		for range 1000 {
			p.steps <- struct{}{}
		}
		list := slices.Repeat([]string{tenTokens}, texts)
		if err := b.Encode(context.Background(), list, make([]float32, texts*fakeDim)); err != nil {
			t.Fatal(err)
		}
		for len(p.steps) > 0 {
			<-p.steps
		}
	}
	p.rate.Store(200)
	encode(200)
	if s := b.Stats(); s.Rate > 220 {
		t.Errorf("rate %g after full batches at 200", s.Rate)
	}
	p.rate.Store(1000)
	encode(200)
	if s := b.Stats(); s.Rate < 900 {
		t.Errorf("rate %g after full batches at 1,000", s.Rate)
	}
	before := b.Stats().Rate
	p.fixed = time.Second
	for range 50 {
		encode(1)
	}
	if s := b.Stats(); s.Rate < before {
		t.Errorf("rate %g, was %g: batches of one text say nothing of it", s.Rate, before)
	}
}

// Before the first batch nothing is known of the encoder, and little is let in.
func TestFewAreLetInBeforeTheRateIsKnown(t *testing.T) {
	p := &paced{slow: slow{steps: make(chan struct{}, 1000)}}
	p.rate.Store(1000)
	b := startPaced(t, p, batch.Config{})
	var wg sync.WaitGroup
	var refused atomic.Int64
	for range 300 {
		wg.Go(func() {
			err := b.Lane(batch.Interactive).Encode(context.Background(), []string{tenTokens}, make([]float32, fakeDim))
			if errors.Is(err, embed.ErrOverloaded) {
				refused.Add(1)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "the surplus is refused", func() bool { return refused.Load() == 300-103 }) // behind 1,024 tokens
	for range 300 {
		p.steps <- struct{}{}
	}
	wg.Wait()
}

// A caller that would rather wait is let in when what is before it is done in time.
func TestInteractiveCallsMayWaitForTheirTime(t *testing.T) {
	p, b := newPaced(t, batch.Config{})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			call := batch.Call{Lane: batch.Interactive, Texts: []string{tenTokens}, Wait: true}
			if _, err := b.Do(context.Background(), call, make([]float32, fakeDim)); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "the surplus waits", func() bool { s := b.Stats().Interactive; return s.Texts == 11 && s.Waiting == 39 })
	for range 100 {
		p.steps <- struct{}{}
	}
	wg.Wait()
}

func TestLatencyIsChecked(t *testing.T) {
	for _, d := range []time.Duration{-time.Second, time.Microsecond, 2 * time.Hour} {
		if _, err := batch.New(&slow{}, batch.Config{Latency: d}); !errors.Is(err, batch.ErrConfig) {
			t.Errorf("latency %v: got %v, want ErrConfig", d, err)
		}
	}
}
