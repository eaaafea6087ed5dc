package batch_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/batch"
)

func TestFullQueueRefusesAtOnceAndSaysWhenToComeBack(t *testing.T) {
	e := &slow{steps: make(chan struct{})}
	b := start(t, e, batch.Config{MaxTexts: 64, Rows: []int{8}})
	var wg sync.WaitGroup
	var accepted, refused atomic.Int64
	for range 640 { // ten times what fits
		wg.Go(func() {
			texts, out := []string{"desk lamp"}, make([]float32, fakeDim)
			err := b.Encode(context.Background(), texts, out)
			var full *batch.OverloadError
			switch {
			case err == nil:
				accepted.Add(1)
				check(t, texts, out)
			case errors.As(err, &full) && errors.Is(err, embed.ErrOverloaded):
				refused.Add(1)
				if full.RetryAfter < 10*time.Millisecond || full.RetryAfter > 5*time.Second || full.Texts > full.MaxTexts {
					t.Errorf("refusal %+v", full)
				}
			default:
				t.Error(err)
			}
		})
	}
	// Nothing was computed yet, and all that cannot be are answered already.
	eventually(t, "the surplus is refused", func() bool { return refused.Load() == 640-48 })
	if s := b.Stats(); s.Bulk.Texts != 48 || s.Bulk.Refused != 592 || s.Batches != 0 {
		t.Errorf("bulk may hold three quarters of 64 texts; stats %+v", s.Bulk)
	}
	// The other lane has its room.
	wg.Go(func() {
		texts, out := []string{"now"}, make([]float32, fakeDim)
		if err := b.Lane(batch.Interactive).Encode(context.Background(), texts, out); err != nil {
			t.Error("interactive beside a full bulk lane:", err)
		}
	})
	eventually(t, "interactive is in", func() bool { return b.Stats().Interactive.Texts == 1 })
	close(e.steps)
	wg.Wait()
	if accepted.Load() != 48 {
		t.Errorf("%d accepted, want 48", accepted.Load())
	}
}

func TestBytesBoundTheQueueToo(t *testing.T) {
	e := &slow{steps: make(chan struct{})}
	b := start(t, e, batch.Config{MaxBytes: 64 << 10})
	large := strings.Repeat("x", 20<<10)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if err := b.Encode(context.Background(), []string{large}, make([]float32, fakeDim)); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "two are in", func() bool { return b.Stats().Bulk.Bytes == 40<<10 })
	if err := b.Encode(context.Background(), []string{large}, make([]float32, fakeDim)); !errors.Is(err, embed.ErrOverloaded) {
		t.Errorf("60 of 48 KiB: got %v, want ErrOverloaded", err)
	}
	huge := []string{strings.Repeat("x", 50<<10)}
	if err := b.Encode(context.Background(), huge, make([]float32, fakeDim)); !errors.Is(err, batch.ErrTooLarge) {
		t.Errorf("a text larger than the queue: got %v, want ErrTooLarge", err)
	}
	close(e.steps)
	wg.Wait()
}

// A call larger than the whole queue works, and leaves room for others.
func TestLargeCallHoldsAPartOfTheQueue(t *testing.T) {
	e := &slow{steps: make(chan struct{}, 10_000)}
	b := start(t, e, batch.Config{MaxTexts: 64, Rows: []int{4}})
	texts := make([]string, 5000)
	for i := range texts {
		texts[i] = strings.Repeat("y", i%50)
	}
	out := make([]float32, len(texts)*fakeDim)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.Encode(context.Background(), texts, out); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the large call is in", func() bool { return b.Stats().Bulk.Texts == 12 })
	wg.Go(func() {
		if err := b.Encode(context.Background(), []string{"small"}, make([]float32, fakeDim)); err != nil {
			t.Error("a small call beside a large one:", err)
		}
	})
	eventually(t, "the small call is in", func() bool { return b.Stats().Bulk.Texts == 13 })
	for range 10_000 {
		e.steps <- struct{}{}
	}
	wg.Wait()
	check(t, texts, out)
	place := slices.IndexFunc(e.ran(), func(b []string) bool { return slices.Contains(b, "small") })
	if place > 5 {
		t.Errorf("the small call ran in batch %d, want among the first: the large one holds 12 texts at a time", place)
	}
}

func TestAbandonedWorkIsNotComputed(t *testing.T) {
	e := &slow{steps: make(chan struct{})}
	b := start(t, e, batch.Config{Rows: []int{1}})
	var wg sync.WaitGroup
	wg.Go(func() { b.Encode(context.Background(), []string{"first"}, make([]float32, fakeDim)) })
	eventually(t, "the encoder is busy", func() bool { s := b.Stats(); return s.Bulk.Texts == 1 && s.Bulk.Ready == 0 && s.Tokenize.Count == 1 })
	ctx, cancel := context.WithCancel(context.Background())
	texts, out := slices.Repeat([]string{"left"}, 30), make([]float32, 30*fakeDim)
	wg.Go(func() {
		if err := b.Encode(ctx, texts, out); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		for i := range out { // the memory is the caller's again
			out[i] = 7
		}
		clear(texts)
	})
	wg.Go(func() {
		eventually(t, "the call is in", func() bool { return b.Stats().Bulk.Texts == 31 })
		if err := b.Encode(context.Background(), []string{"stays"}, make([]float32, fakeDim)); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "both are in", func() bool { return b.Stats().Bulk.Texts == 32 })
	cancel()
	eventually(t, "its room is free", func() bool { return b.Stats().Bulk.Texts == 2 })
	close(e.steps)
	wg.Wait()
	for _, batch := range e.ran() {
		if batch[0] == "left" {
			t.Error("a text of a caller that had gone was computed")
		}
	}
	if s := b.Stats(); s.Bulk.Abandoned != 1 || s.Texts != 2 {
		t.Errorf("stats %+v: want one call abandoned and two texts computed", s)
	}
	for _, x := range out {
		if x != 7 {
			t.Fatal("the output was written after Encode had returned")
		}
	}
}

func TestWaitersComeInTheirOrderBeforeOthers(t *testing.T) {
	e := &slow{steps: make(chan struct{})}
	b := start(t, e, batch.Config{MaxTexts: 16, Rows: []int{1}}) // 12 texts a lane, 3 a call
	var wg sync.WaitGroup
	call := func(ctx context.Context, text string, wait bool) {
		n := 3
		wg.Go(func() {
			_, err := b.Do(ctx, batch.Call{Lane: batch.Bulk, Texts: slices.Repeat([]string{text}, n), Wait: wait}, make([]float32, n*fakeDim))
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	for range 4 {
		call(context.Background(), "early", false)
	}
	eventually(t, "the lane is full", func() bool { return b.Stats().Bulk.Texts == 12 })
	gone, cancel := context.WithCancel(context.Background())
	for i, text := range []string{"one", "gone", "two"} {
		ctx := context.Background()
		if text == "gone" {
			ctx = gone
		}
		call(ctx, text, true)
		eventually(t, "it waits", func() bool { return b.Stats().Bulk.Waiting == i+1 })
	}
	if err := b.Encode(context.Background(), []string{"late"}, make([]float32, fakeDim)); !errors.Is(err, embed.ErrOverloaded) {
		t.Errorf("a call that does not wait, behind those that do: %v", err)
	}
	cancel()
	eventually(t, "one waiter has gone", func() bool { return b.Stats().Bulk.Waiting == 2 })
	close(e.steps)
	wg.Wait()
	var order []string
	for _, b := range e.ran() {
		if len(order) == 0 || order[len(order)-1] != b[0] {
			order = append(order, b[0])
		}
	}
	if slices.Contains(order, "gone") || slices.Index(order, "one") > slices.Index(order, "two") {
		t.Errorf("ran in the order %v", order)
	}
}

func TestCloseEndsWhatWasAcceptedAndRefusesTheRest(t *testing.T) {
	e := &slow{steps: make(chan struct{}, 100)}
	b, err := batch.New(e, batch.Config{Rows: []int{4}})
	if err != nil {
		t.Fatal(err)
	}
	texts := slices.Repeat([]string{"accepted"}, 40)
	out := make([]float32, len(texts)*fakeDim)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.Encode(context.Background(), texts, out); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "it is in", func() bool { return b.Stats().Bulk.Texts == 40 })
	wg.Go(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "new calls are refused", func() bool {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(5*time.Millisecond, cancel)
		return errors.Is(b.Lane(batch.Interactive).Encode(ctx, []string{"late"}, make([]float32, fakeDim)), embed.ErrUnavailable)
	})
	for range 20 {
		e.steps <- struct{}{}
	}
	wg.Wait()
	check(t, texts, out)
}

func TestCloseInHasteFailsWhatIsLeft(t *testing.T) {
	e := &slow{steps: make(chan struct{})}
	b, err := batch.New(e, batch.Config{Rows: []int{1}, MaxTexts: 16})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			_, err := b.Do(context.Background(), batch.Call{Texts: slices.Repeat([]string{"x"}, 9), Lane: batch.Bulk, Wait: true}, make([]float32, 9*fakeDim))
			if !errors.Is(err, embed.ErrUnavailable) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
		})
	}
	eventually(t, "four are in and two wait", func() bool { s := b.Stats().Bulk; return s.Texts == 12 && s.Waiting == 2 })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := b.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close: %v", err)
	}
	wg.Wait()
}
