package batch_test

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/batch"
)

const (
	fakeDim       = 3
	fakeMaxTokens = 64
)

// slow is a fake encoder whose pace the test sets: each batch waits for a step. Its
// vectors are made of the bytes of a text, so that a wrong row shows.
type slow struct {
	steps chan struct{} // one received per batch; nil: no waiting
	max   int           // MaxTokens

	entered atomic.Int64 // texts that came, before the wait

	mu      sync.Mutex
	batches [][]string    // what ran
	shapes  []batch.Shape // of staged batches
	memory  int           // rows times length that fit; 0: all
	err     error
	panics  bool
}

func (f *slow) Info() embed.Info {
	return embed.Info{Model: "fake@1", Dim: fakeDim, MaxTokens: f.max}
}

func (f *slow) Encode(ctx context.Context, texts []string, out []float32) error {
	if err := f.Info().CheckShape(len(texts), len(out)); err != nil {
		return err
	}
	longest := 0
	for _, t := range texts {
		longest = max(longest, len(t)/4+2)
	}
	if err := f.compute(ctx, texts, batch.Shape{Rows: len(texts), Length: longest}); err != nil {
		return err
	}
	for i, t := range texts {
		fakeVector(t, out[i*fakeDim:(i+1)*fakeDim])
	}
	return nil
}

func (f *slow) compute(ctx context.Context, texts []string, size batch.Shape) error {
	f.entered.Add(int64(len(texts)))
	if f.steps != nil {
		select {
		case <-f.steps:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.memory > 0 && size.Rows*size.Length > f.memory {
		return batch.ErrOutOfMemory
	}
	f.batches = append(f.batches, slices.Clone(texts))
	f.shapes = append(f.shapes, size)
	if f.panics {
		panic("the fake panics")
	}
	return f.err
}

func (f *slow) ran() [][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.batches)
}

// fakeVector is a unit vector that depends on every byte; zeros for white space.
func fakeVector(text string, out []float32) {
	var sum [fakeDim]float64
	for i, c := range []byte(text) {
		if c > ' ' {
			sum[(i+int(c))%fakeDim] += float64(c) + float64(i)
		}
	}
	length := math.Sqrt(sum[0]*sum[0] + sum[1]*sum[1] + sum[2]*sum[2])
	for i := range out {
		if out[i] = 0; length > 0 {
			out[i] = float32(sum[i] / length)
		}
	}
}

// staged is slow in two steps: a token is a byte, at most 64 of a text.
type staged struct{ slow }

func newStaged() *staged { return &staged{slow: slow{max: fakeMaxTokens}} }

func (s *staged) AppendTokens(ids []int32, text string) ([]int32, embed.Extent) {
	n := min(len(text), fakeMaxTokens)
	for _, c := range []byte(text[:n]) {
		ids = append(ids, int32(c))
	}
	return ids, embed.Extent{Tokens: n, Bytes: n, Truncated: n < len(text)}
}

func (s *staged) EncodeTokens(ctx context.Context, rows [][]int32, shape batch.Shape, out []float32) error {
	texts := make([]string, len(rows))
	for i, row := range rows {
		if len(row) > shape.Length || len(rows) > shape.Rows {
			panic("a row or the batch is larger than its shape")
		}
		raw := make([]byte, len(row))
		for j, id := range row {
			raw[j] = byte(id)
		}
		texts[i] = string(raw)
		fakeVector(texts[i], out[i*fakeDim:(i+1)*fakeDim])
	}
	return s.compute(ctx, texts, shape)
}

// Encode is the direct way, in one step.
func (s *staged) Encode(ctx context.Context, texts []string, out []float32) error {
	cut := make([]string, len(texts))
	for i, t := range texts {
		cut[i] = t[:min(len(t), fakeMaxTokens)]
	}
	return s.slow.Encode(ctx, cut, out)
}

// start makes a batcher that the test closes.
func start(t testing.TB, e embed.Encoder, c batch.Config) *batch.Batcher {
	t.Helper()
	b, err := batch.New(e, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error("close:", err)
		}
	})
	return b
}

// check compares rows with what the fake gives for texts.
func check(t *testing.T, texts []string, out []float32) {
	t.Helper()
	want := make([]float32, fakeDim)
	for i, text := range texts {
		fakeVector(text[:min(len(text), fakeMaxTokens)], want)
		if got := out[i*fakeDim : (i+1)*fakeDim]; !slices.Equal(got, want) {
			t.Fatalf("row %d of %q: got %v, want %v", i, text, got, want)
		}
	}
}

// eventually waits for a state that another goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatal("did not come about:", what)
		}
		time.Sleep(time.Millisecond)
	}
}
