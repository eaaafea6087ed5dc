package batch_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/batch"
	"github.com/kindred-rec/kindred/embed/static"
)

func TestKeepsTheContractOfEncoders(t *testing.T) {
	table, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]embed.Encoder{"static": table, "plain": &slow{}, "staged": newStaged()} {
		t.Run(name, func(t *testing.T) {
			b := start(t, e, batch.Config{})
			for _, enc := range []embed.Encoder{b, b.Lane(batch.Interactive), b.Lane(batch.Bulk)} {
				if err := embed.Verify(context.Background(), enc); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Any mix of callers gets what the encoder alone would give, in order, whatever the
// budget, the shapes and the number of goroutines.
func TestManyCallersGetTheirOwnRows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		config := batch.Config{
			Tokens: rapid.IntRange(1, 300).Draw(rt, "tokens"), MaxTexts: rapid.IntRange(16, 200).Draw(rt, "texts"),
			Tokenizers: rapid.IntRange(1, 3).Draw(rt, "tokenizers"), Runners: rapid.IntRange(1, 3).Draw(rt, "runners"),
			Rows: []int{1, 3, 8},
		}
		var e embed.Encoder = &slow{}
		if rapid.Bool().Draw(rt, "staged") {
			e, config.Lengths = newStaged(), []int{7, 20, fakeMaxTokens}
		}
		b, err := batch.New(e, config)
		if err != nil {
			rt.Fatal(err)
		}
		calls := rapid.SliceOfN(rapid.SliceOfN(rapid.StringN(0, 30, 80), 0, 70), 1, 6).Draw(rt, "calls")
		var wg sync.WaitGroup
		outs := make([][]float32, len(calls))
		for i, texts := range calls {
			outs[i] = make([]float32, len(texts)*fakeDim)
			wg.Go(func() {
				if _, err := b.Do(context.Background(), batch.Call{Lane: batch.Lane(i % 2), Texts: texts, Wait: true}, outs[i]); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		stats := b.Stats()
		if err := b.Close(context.Background()); err != nil {
			rt.Fatal(err)
		}
		sum := 0
		for i, texts := range calls {
			sum += len(texts)
			want := make([]float32, len(texts)*fakeDim)
			if err := e.Encode(context.Background(), texts, want); err != nil {
				rt.Fatal(err)
			}
			if !slices.Equal(outs[i], want) {
				rt.Fatalf("call %d of %q: got %v, want %v", i, texts, outs[i], want)
			}
		}
		if int(stats.Texts) != sum || stats.Bulk.Texts+stats.Interactive.Texts != 0 || stats.Bulk.Bytes+stats.Interactive.Bytes != 0 {
			rt.Fatalf("%d texts were encoded once each and nothing waits; stats %+v", sum, stats)
		}
	})
}

func TestStagedBatchesHaveFewShapesAndWarmRunsThemAll(t *testing.T) {
	e := newStaged()
	b := start(t, e, batch.Config{Tokens: 256, Lengths: []int{8, 32, 64}, Rows: []int{1, 4, 16}})
	var seen []batch.Shape
	if err := b.Warm(context.Background(), func(done, all int, next batch.Shape) {
		if all != 7 { // 16 rows go with the shortest length only
			t.Errorf("%d shapes, want 7", all)
		}
		seen = append(seen, next)
	}); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var texts []string
	for range 500 {
		texts = append(texts, strings.Repeat("x", r.IntN(70)+1))
	}
	out := make([]float32, len(texts)*fakeDim)
	if err := b.Encode(context.Background(), texts, out); err != nil {
		t.Fatal(err)
	}
	check(t, texts, out)
	for _, s := range e.shapes {
		if !slices.Contains(seen, s) {
			t.Errorf("shape %+v was not warmed", s)
		}
		if s.Rows*s.Length > 256 {
			t.Errorf("shape %+v is beyond the budget", s)
		}
	}
	stats := b.Stats()
	if stats.Shapes != 7 || stats.LateShapes != 0 {
		t.Errorf("stats name %d shapes, %d of them late; want 7 and 0", stats.Shapes, stats.LateShapes)
	}
	if stats.MeanFill() < 0.5 || stats.PaddingShare() > 0.5 || stats.Truncated == 0 {
		t.Errorf("500 texts of mixed length: fill %.2f, padding %.2f, truncated %d", stats.MeanFill(), stats.PaddingShare(), stats.Truncated)
	}
}

// While the encoder is busy nobody runs; what comes meanwhile is one batch.
func TestBatchesGrowWhileTheEncoderIsBusy(t *testing.T) {
	e := &slow{steps: make(chan struct{})}
	b := start(t, e, batch.Config{})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			texts, out := []string{fmt.Sprint("text ", i)}, make([]float32, fakeDim)
			if err := b.Encode(context.Background(), texts, out); err != nil {
				t.Error(err)
			}
			check(t, texts, out)
		})
	}
	eventually(t, "all are ready, but for the batch that runs", func() bool {
		return b.Stats().Bulk.Ready+int(e.entered.Load()) == 20
	})
	first := int(e.entered.Load())
	e.steps <- struct{}{}
	e.steps <- struct{}{}
	wg.Wait()
	if ran := e.ran(); len(ran) != 2 || len(ran[0]) != first || len(ran[1]) != 20-first {
		t.Errorf("ran %v; want what was first, then all others together", ran)
	}
}

func TestInteractiveGoesBeforeBulkAndBulkDoesNotStarve(t *testing.T) {
	e := &slow{steps: make(chan struct{})}
	b := start(t, e, batch.Config{Rows: []int{1}, Tokenizers: 1})
	var wg sync.WaitGroup
	call := func(l batch.Lane, text string, n int) {
		texts := slices.Repeat([]string{text}, n)
		wg.Go(func() {
			if err := b.Lane(l).Encode(context.Background(), texts, make([]float32, n*fakeDim)); err != nil {
				t.Error(err)
			}
		})
	}
	call(batch.Bulk, "bulk", 40)
	eventually(t, "bulk fills the pool", func() bool { return b.Stats().Bulk.Ready == 39 })
	call(batch.Interactive, "now", 20)
	eventually(t, "interactive is ready", func() bool { return b.Stats().Interactive.Ready == 20 })
	for range 60 {
		e.steps <- struct{}{}
	}
	wg.Wait()
	ran := e.ran()
	last := slices.IndexFunc(ran, func(b []string) bool { return b[0] == "now" })
	for i, b := range ran {
		if b[0] == "now" {
			last = i
		}
	}
	bulkBefore := 0
	for _, b := range ran[:last] {
		if b[0] == "bulk" {
			bulkBefore++
		}
	}
	// One was running, and every ninth turn is the bulk lane's.
	if bulkBefore < 2 || bulkBefore > 4 {
		t.Errorf("%d bulk batches before the last of 20 interactive ones, want 2 to 4", bulkBefore)
	}
}

func TestEncoderErrorsReachTheirCallers(t *testing.T) {
	broken := errors.New("broken")
	e := &slow{err: broken}
	b := start(t, e, batch.Config{})
	err := b.Encode(context.Background(), []string{"a", "b"}, make([]float32, 2*fakeDim))
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the encoder's error", err)
	}
	e.err, e.panics = nil, true
	err = b.Encode(context.Background(), []string{"a"}, make([]float32, fakeDim))
	if !errors.Is(err, batch.ErrEncoder) || !strings.Contains(err.Error(), "the fake panics") {
		t.Errorf("got %v, want the panic as an error", err)
	}
	e.panics = false
	out := make([]float32, fakeDim)
	if err := b.Encode(context.Background(), []string{"a"}, out); err != nil {
		t.Fatal("after the encoder recovered:", err)
	}
	check(t, []string{"a"}, out)
	if s := b.Stats(); s.Failed != 2 {
		t.Errorf("%d batches failed, want 2", s.Failed)
	}
}

func TestOutOfMemoryMakesSmallerBatches(t *testing.T) {
	for name, e := range map[string]interface {
		embed.Encoder
		limit(int)
	}{"plain": &slow{}, "staged": newStaged()} {
		t.Run(name, func(t *testing.T) {
			e.limit(100)
			config := batch.Config{Tokens: 1000, Rows: []int{1, 4, 16, 64}}
			b := start(t, e, config)
			texts := slices.Repeat([]string{"twenty characters ..", "short"}, 60)
			out := make([]float32, len(texts)*fakeDim)
			if err := b.Encode(context.Background(), texts, out); err != nil {
				t.Fatal(err)
			}
			check(t, texts, out)
			s := b.Stats()
			if s.OutOfMemory == 0 || s.TokenBound > 500 {
				t.Errorf("stats %+v: want batches that did not fit and a lower bound", s)
			}
			e.limit(1)
			err := b.Encode(context.Background(), texts[:1], out[:fakeDim])
			if !errors.Is(err, batch.ErrOutOfMemory) || !strings.Contains(err.Error(), "does not fit") {
				t.Errorf("got %v, want ErrOutOfMemory that says what does not fit", err)
			}
			e.limit(0)
			for range 4000 { // the bound rises again when memory is there
				if err := b.Encode(context.Background(), texts[1:2], out[:fakeDim]); err != nil {
					t.Fatal(err)
				}
			}
			if later := b.Stats(); later.TokenBound < 8 {
				t.Errorf("bound is %d after 4,000 good batches", later.TokenBound)
			}
		})
	}
}

func (f *slow) limit(n int) {
	f.mu.Lock()
	f.memory = n
	f.mu.Unlock()
}

func TestBadConfigurationNamesTheSetting(t *testing.T) {
	for name, c := range map[string]batch.Config{
		"Tokens": {Tokens: -1}, "MaxTexts": {MaxTexts: 3}, "MaxBytes": {MaxBytes: 100}, "Rows": {Rows: []int{4, 2}},
		"Lengths": {Lengths: []int{16, 32}}, "Runners": {Runners: 5000}, "Tokenizers": {Tokenizers: -2},
	} {
		if _, err := batch.New(newStaged(), c); !errors.Is(err, batch.ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want ErrConfig naming it", name, err)
		}
	}
	table, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := batch.New(table, batch.Config{MaxBytes: 64 << 10}); !errors.Is(err, batch.ErrConfig) {
		t.Errorf("a queue that one text of 64 KiB does not fit into: %v", err)
	}
	unbounded := newStaged()
	unbounded.max = 0
	if _, err := batch.New(unbounded, batch.Config{}); !errors.Is(err, batch.ErrConfig) {
		t.Errorf("staged encoder without a bound: %v", err)
	}
}

func TestTruncatedTextsAreCounted(t *testing.T) {
	table, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("lamp ", static.MaxBytes/5+1)
	for name, e := range map[string]embed.Encoder{"plain": table, "staged": newStaged()} {
		b := start(t, e, batch.Config{})
		texts := []string{"short", long, long}
		receipt, err := b.Do(context.Background(), batch.Call{Texts: texts}, make([]float32, 3*b.Info().Dim))
		if err != nil || receipt.Truncated != 2 || b.Stats().Truncated != 2 {
			t.Errorf("%s: receipt %+v, %v; want 2 truncated", name, receipt, err)
		}
	}
}
