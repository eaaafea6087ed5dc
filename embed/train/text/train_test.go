package text

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/transformertest"
)

// quick are options for the tiny model, which learns fast.
func quick() Options {
	o := Defaults()
	o.Backend, o.Epochs, o.Batch, o.LearningRate, o.ChunkTexts = transformer.Go, 3, 8, 3e-3, 8
	o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	return o
}

func model(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := transformertest.Write(dir, transformertest.Small, 1); err != nil {
		t.Fatal(err)
	}
	return dir
}

// eachBackend runs a test on Go, and on XLA where there is a plugin.
func eachBackend(t *testing.T, test func(*testing.T, transformer.Backend)) {
	t.Helper()
	t.Run("go", func(t *testing.T) {
		if pointerChecks {
			t.Skip("the race detector's checks of pointers stop GoMLX's backend")
		}
		test(t, transformer.Go)
	})
	t.Run("xla:cpu", func(t *testing.T) {
		b, err := transformer.OpenXLA(transformer.XLACPU, "")
		if err != nil {
			t.Skip(err)
		}
		b.Finalize()
		test(t, transformer.XLACPU)
	})
}

// couples are texts that have nothing in common two by two: text 2i belongs to 2i+1.
func couples(n int) (texts []string, pairs []Pair) {
	random := rand.New(rand.NewPCG(9, 9))
	words := transformertest.Words[5:20]
	for i := range 2 * n {
		text := ""
		for range 3 + random.IntN(12) {
			text += words[random.IntN(len(words))] + " "
		}
		texts = append(texts, fmt.Sprint(text, i))
		if i%2 == 1 {
			pairs = append(pairs, Pair{uint32(i - 1), uint32(i), 1})
		}
	}
	return texts, pairs
}

func contrastive(texts []string, pairs []Pair) Contrastive {
	return Contrastive{Texts: texts, Pairs: slices.Values(pairs), MaxPairs: 1000, Temperature: 0.1}
}

func TestPairsBecomeNearest(t *testing.T) {
	eachBackend(t, func(t *testing.T, b transformer.Backend) {
		texts, pairs := couples(20)
		o := quick()
		o.Backend, o.Epochs, o.Batch = b, 60, 20
		objective := contrastive(texts, pairs)
		to := t.TempDir()
		result, err := Train(t.Context(), model(t), to, objective, o)
		if err != nil {
			t.Fatal(err)
		}
		if result.Steps != 60 || result.Best != 60 || len(result.Curve) != 61 {
			t.Errorf("%+v; want 60 steps and the last epoch", result)
		}
		encoder, err := transformer.Load(to, transformer.Options{Backend: transformer.Go})
		if err != nil {
			t.Fatal(err)
		}
		defer encoder.Close()
		dim := encoder.Info().Dim
		vectors := make([]float32, len(texts)*dim)
		if err := encoder.Encode(t.Context(), texts, vectors); err != nil {
			t.Fatal(err)
		}
		nearest := 0
		for _, p := range pairs {
			best, at := float32(-2), 0
			for i := range texts {
				if dot := dot(vectors[int(p.A)*dim:][:dim], vectors[i*dim:][:dim]); i != int(p.A) && dot > best {
					best, at = dot, i
				}
			}
			if at == int(p.B) {
				nearest++
			}
		}
		if nearest < len(pairs) {
			t.Errorf("%d of %d partners are nearest; curve %+v", nearest, len(pairs), result.Curve)
		}
	})
}

func dot(a, b []float32) (sum float32) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func TestDegenerateExamplesAreRefused(t *testing.T) {
	texts := []string{"desk lamp", "black paper", "", "desk  LAMP", "red pen"}
	for name, pairs := range map[string][]Pair{
		"no pairs": nil, "one pair": {{0, 1, 1}}, "one pair twice": {{0, 1, 1}, {0, 1, 1}}, "equal texts": {{0, 3, 1}, {0, 0, 1}},
		"texts without words": {{0, 2, 1}, {2, 1, 1}}, "unknown item": {{0, 1, 1}, {1, 5, 1}}, "weight 0": {{0, 1, 1}, {1, 4, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Train(t.Context(), model(t), t.TempDir(), contrastive(texts, pairs), quick()); !errors.Is(err, ErrExamples) {
				t.Errorf("error %v; want ErrExamples", err)
			}
		})
	}
	t.Run("too many", func(t *testing.T) {
		x := contrastive(texts, []Pair{{0, 1, 1}, {1, 4, 1}})
		x.MaxPairs = 1
		if _, err := Train(t.Context(), model(t), t.TempDir(), x, quick()); !errors.Is(err, ErrExamples) {
			t.Errorf("error %v; want ErrExamples", err)
		}
	})
}

func TestPairsThatTeachNothingAreCounted(t *testing.T) {
	if pointerChecks {
		t.Skip("GoMLX's backend")
	}
	texts := []string{"desk lamp", "black paper", "", "desk  LAMP", "red pen"}
	o := quick()
	o.Epochs = 1
	result, err := Train(t.Context(), model(t), t.TempDir(), contrastive(texts, []Pair{{0, 1, 1}, {1, 4, 1}, {0, 3, 1}, {2, 1, 1}}), o)
	if err != nil || result.Skipped != 2 || result.Steps != 1 {
		t.Errorf("%+v, %v; want 2 skipped and 1 step", result, err)
	}
}

func TestCancelledTrainingStops(t *testing.T) {
	if pointerChecks {
		t.Skip("GoMLX's backend")
	}
	texts, pairs := couples(20)
	ctx, cancel := context.WithCancel(t.Context())
	o := quick()
	o.Progress = func(p Progress) {
		if p.Step == 2 {
			cancel()
		}
	}
	result, err := Train(ctx, model(t), t.TempDir(), contrastive(texts, pairs), o)
	if !errors.Is(err, context.Canceled) || result.Steps != 2 {
		t.Errorf("%d steps, error %v; want 2, cancelled", result.Steps, err)
	}
}
