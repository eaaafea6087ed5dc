package text

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// ready prepares a run of Go.
func ready(t *testing.T, from string, objective Objective, o Options) *run {
	t.Helper()
	if pointerChecks {
		t.Skip("the race detector's checks of pointers stop GoMLX's backend")
	}
	r, err := prepare(from, t.TempDir(), objective, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.network.Close)
	return r
}

// gradients are those of all examples in one batch.
func gradients(t *testing.T, r *run, examples int, parts bool) (float64, [][]float32) {
	t.Helper()
	loss, buffers, err := r.network.Gradients(wholeBatch(r, examples, parts))
	if err != nil {
		t.Fatal(err)
	}
	values, err := r.network.Fetch(buffers)
	if err != nil {
		t.Fatal(err)
	}
	return loss, values
}

// Moved a little along its gradient, the loss changes by the gradient's length times the
// way.
func TestGradientsAreThoseOfFiniteDifferences(t *testing.T) {
	texts, pairs := couples(6)
	adapter := &Adapter{Rank: 3, Alpha: 6, Matrices: Matrices()}
	for name, change := range map[string]func(*Options){
		"all weights": func(*Options) {}, "dropout": func(o *Options) { o.Dropout = 0.2 }, "adapter": func(o *Options) { o.Adapter = adapter },
		"upper layer": func(o *Options) { o.FreezeEmbeddings, o.FreezeLayers = true, 1 },
	} {
		t.Run(name, func(t *testing.T) {
			o := quick()
			change(&o)
			objective := contrastive(texts, pairs)
			objective.Temperature, objective.Symmetric = 1, true
			r := ready(t, model(t), objective, o)
			_, slopes := gradients(t, r, len(pairs), false)
			s, err := r.network.State()
			if err != nil {
				t.Fatal(err)
			}
			var squares float64
			for _, values := range slopes {
				for _, x := range values {
					squares += float64(x) * float64(x)
				}
			}
			length := math.Sqrt(squares)
			const way = 1e-2
			var losses [2]float64
			for side, by := range []float64{way, -way} {
				moved := s
				moved.Weights = nil
				for i, values := range s.Weights {
					there := slices.Clone(values)
					for j := range there {
						there[j] += float32(by / length * float64(slopes[i][j]))
					}
					moved.Weights = append(moved.Weights, there)
				}
				if err := r.network.Restore(moved); err != nil {
					t.Fatal(err)
				}
				losses[side], _ = gradients(t, r, len(pairs), false)
			}
			if got := (losses[0] - losses[1]) / (2 * way); math.Abs(got-length) > 0.02*length {
				t.Errorf("the loss changes by %g a unit of way; the gradient's length is %g", got, length)
			}
		})
	}
}

func TestABatchInPartsGivesTheSameGradients(t *testing.T) {
	texts, pairs := couples(8)
	for _, dropout := range []float64{0, 0.3} {
		o := quick()
		o.Dropout, o.ChunkTexts = dropout, 5
		r := ready(t, model(t), contrastive(texts, pairs), o)
		loss, atOnce := gradients(t, r, len(pairs), false)
		other, inParts := gradients(t, r, len(pairs), true)
		if math.Abs(loss-other) > 1e-5*loss {
			t.Errorf("dropout %v: loss %v in parts, %v at once", dropout, other, loss)
		}
		for i := range atOnce {
			for j := range atOnce[i] {
				if d := math.Abs(float64(atOnce[i][j] - inParts[i][j])); d > 1e-4 {
					t.Fatalf("dropout %v: gradient %d of parameter %d is %g in parts, %g at once", dropout, j, i, inParts[i][j], atOnce[i][j])
				}
			}
		}
	}
}

func TestLargeBatchesAreComputedInParts(t *testing.T) {
	texts, pairs := couples(8)
	o := quick()
	o.StepTokens = 50
	if r := ready(t, model(t), contrastive(texts, pairs), o); !r.parts {
		t.Error("a batch of many tokens is computed at once")
	}
}

// encodeAll are the vectors that a folder's model gives.
func encodeAll(t *testing.T, dir string, texts []string) []float32 {
	t.Helper()
	e, err := transformer.Load(dir, transformer.Options{Backend: transformer.Go})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	out := make([]float32, len(texts)*e.Info().Dim)
	if err := e.Encode(t.Context(), texts, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func furthest(a, b []float32) (most float64) {
	for i := range a {
		most = max(most, math.Abs(float64(a[i]-b[i])))
	}
	return most
}

func TestAnExportedAdapterIsMultipliedIn(t *testing.T) {
	texts, pairs := couples(10)
	for _, matrices := range [][]string{Matrices(), {"query", "value"}} {
		o := quick()
		o.Adapter = &Adapter{Rank: 4, Alpha: 8, Matrices: matrices}
		o.LearningRate = 1e-2
		from := model(t)
		r := ready(t, from, contrastive(texts, pairs), o)
		if err := r.resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := r.train(t.Context()); err != nil {
			t.Fatal(err)
		}
		var vectors []float32
		for i := range texts {
			v, err := r.encode(t.Context(), []int32{r.task.corpus().Of[i]})
			if err != nil {
				t.Fatal(err)
			}
			vectors = append(vectors, v...)
		}
		merged := encodeAll(t, r.to, texts)
		if d := furthest(vectors, merged); d > 1e-5 {
			t.Errorf("%v: vectors of the merged model are %g off", matrices, d)
		}
		if d := furthest(merged, encodeAll(t, from, texts)); d < 0.01 {
			t.Errorf("%v: training changed vectors by %g only", matrices, d)
		}
	}
}

// What is frozen is exported as it was, to the bit.
func TestFrozenWeightsStay(t *testing.T) {
	texts, pairs := couples(10)
	o := quick()
	o.FreezeEmbeddings, o.FreezeLayers = true, 1
	from := model(t)
	r := ready(t, from, contrastive(texts, pairs), o)
	if err := errors.Join(r.resume(t.Context()), r.train(t.Context())); err != nil {
		t.Fatal(err)
	}
	a, errA := checkpoint.Load(from, checkpoint.Settings{})
	b, errB := checkpoint.Load(r.to, checkpoint.Settings{})
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a.Weights.Words, b.Weights.Words) || !slices.Equal(a.Weights.Layers[0].Key.Weight, b.Weights.Layers[0].Key.Weight) {
		t.Error("frozen weights changed")
	}
	if slices.Equal(a.Weights.Layers[1].Key.Weight, b.Weights.Layers[1].Key.Weight) {
		t.Error("the upper layer did not change")
	}
}

// A temperature so small and a rate so large that weights leave the range of float32.
func TestTrainingThatDivergesStopsAndKeepsTheLastGoodModel(t *testing.T) {
	texts, pairs := couples(20)
	o := quick()
	o.LearningRate, o.Clip, o.Warmup, o.Decay, o.State = 1e30, 0, 0, 0, t.TempDir()
	from := model(t)
	r := ready(t, from, contrastive(texts, pairs), o)
	err := errors.Join(r.resume(t.Context()), r.train(t.Context()))
	if !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "epoch 1, step ") {
		t.Errorf("error %v; want ErrDiverged with epoch and step", err)
	}
	if d := furthest(encodeAll(t, from, texts), encodeAll(t, r.to, texts)); d != 0 {
		t.Errorf("the model that stays is %g off the last good one", d)
	}
}

// Dev pairs that were learned first and then unlearned: the best epoch is exported, and
// after it patience ends the run.
func TestTheBestEpochIsKeptAndPatienceEnds(t *testing.T) {
	texts, pairs := couples(20)
	objective := contrastive(texts, pairs)
	objective.Dev = pairs
	o := quick()
	o.Epochs, o.LearningRate, o.Clip, o.Patience, o.Warmup = 30, 0.05, 0, 2, 0
	r := ready(t, model(t), objective, o)
	if err := errors.Join(r.resume(t.Context()), r.train(t.Context())); err != nil {
		t.Fatal(err)
	}
	result := r.result()
	for _, point := range result.Curve {
		if point.Figure > result.Curve[result.Best].Figure {
			t.Errorf("epoch %d has %g, the best, %d, has %g", point.Epoch, point.Figure, result.Best, result.Curve[result.Best].Figure)
		}
	}
	if last := len(result.Curve) - 1; last < 30 && last != result.Best+2 {
		t.Errorf("ended after epoch %d; the best was %d and patience is 2", last, result.Best)
	}
	// The folder's model has the best figure.
	vectors := encodeAll(t, r.to, texts)
	dim := len(vectors) / len(texts)
	hits := 0
	for _, p := range pairs {
		query := vectors[int(p.A)*dim:][:dim]
		want := dot(query, vectors[int(p.B)*dim:][:dim])
		before := 0
		for i := range texts {
			if uint32(i) != p.A && uint32(i) != p.B && dot(query, vectors[i*dim:][:dim]) >= want {
				before++
			}
		}
		if before < 10 {
			hits++
		}
	}
	if got := float64(hits) / float64(len(pairs)); math.Abs(got-result.Curve[result.Best].Figure) > 1e-9 {
		t.Errorf("recall of the exported model is %g; the curve says %g", got, result.Curve[result.Best].Figure)
	}
}

func TestHardNegativesAreAskedForEachEpochAndFiltered(t *testing.T) {
	texts := []string{"desk lamp", "black paper", "red pen", "blue ink", "office chair", "black paper", ""}
	pairs := []Pair{{0, 1, 1}, {2, 3, 1}}
	objective := contrastive(texts, pairs)
	objective.Hard = 2
	var epochs []int
	objective.Negatives = func(_ context.Context, epoch int, vectors []float32) (func(uint32, int) []uint32, error) {
		epochs = append(epochs, epoch)
		if d := math.Abs(float64(dot(vectors[:32], vectors[:32])) - 1); len(vectors) != 7*32 || d > 1e-5 || vectors[6*32] != 0 {
			t.Errorf("%d numbers, the first row's length is off by %g", len(vectors), d)
		}
		return func(item uint32, k int) []uint32 {
			return []uint32{5, item, 6, 4, 3} // the partner's text, itself, no text, good, good
		}, nil
	}
	o := quick()
	o.Epochs = 2
	r := ready(t, model(t), objective, o)
	if err := errors.Join(r.resume(t.Context()), r.train(t.Context())); err != nil {
		t.Fatal(err)
	}
	k := r.task.(*contrast)
	if !slices.Equal(epochs, []int{1, 2}) || !slices.Equal(k.hardOf(0), []int32{4, 3}) {
		t.Errorf("asked in epochs %v; negatives of item 0 are %v; want [4 3]", epochs, k.hardOf(0))
	}
	if !slices.Contains(k.texts([]int{0}), 4) {
		t.Error("hard negatives are not in the batch")
	}
}

// opinions are texts whose score depends on their words.
func opinions(n int) (all []Scored) {
	good, bad := []string{"lamp", "blue", "gel"}, []string{"red", "black", "ink"}
	for i := range n {
		a, b := good[i%3], bad[i/3%3]
		score := float64(i%5) - 2
		all = append(all, Scored{strings.Repeat(a+" ", 1+i%5) + strings.Repeat(b+" ", 5-i%5) + fmt.Sprint(i), score, 1})
	}
	return all
}

func TestScoresAreLearnedAndReadAgain(t *testing.T) {
	eachBackend(t, func(t *testing.T, b transformer.Backend) {
		all := opinions(90)
		x := Regression{Examples: append(all[:60:60], Scored{" ", 5, 1}), Dev: all[60:], Ridge: 1}
		o := quick()
		o.Backend, o.Batch, o.Epochs, o.LearningRate, o.HeadRate, o.ChunkTexts = b, 16, 12, 1e-3, 10, 64
		to := t.TempDir()
		result, err := Train(t.Context(), model(t), to, x, o)
		if err != nil {
			t.Fatal(err)
		}
		best := result.Curve[result.Best].Figure
		if result.Skipped != 1 || best < 0.9 || best < result.Curve[0].Figure {
			t.Errorf("%+v; want 1 skipped and a correlation of .9", result)
		}
		scorer, err := LoadScorer(to, transformer.Options{Backend: transformer.Go})
		if err != nil {
			t.Fatal(err)
		}
		defer scorer.Close()
		var texts []string
		for _, s := range x.Dev {
			texts = append(texts, s.Text)
		}
		scores, err := scorer.Score(t.Context(), append(texts, ""))
		if err != nil {
			t.Fatal(err)
		}
		var off float64
		for i, s := range x.Dev {
			off += math.Abs(scores[i]-s.Score) / float64(len(x.Dev))
		}
		if low, high := scorer.Range(); off > 0.6 || low != -2 || high != 5 || math.IsNaN(scores[len(texts)]) {
			t.Errorf("scores are %g off on average; the range is %g to %g", off, low, high)
		}
	})
}

func TestEqualScoresAreNoHarm(t *testing.T) {
	r := ready(t, model(t), Regression{Examples: []Scored{{"lamp", 2, 1}, {"lamp", 2, 1}}, Ridge: 1}, quick())
	if err := errors.Join(r.resume(t.Context()), r.train(t.Context())); err != nil {
		t.Fatal(err)
	}
	if loss := r.stands.Curve[len(r.stands.Curve)-1].Loss; loss > 0.1 {
		t.Errorf("loss %g", loss)
	}
}

func TestBadOptionsAndExamplesAreNamed(t *testing.T) {
	texts, pairs := couples(4)
	from := model(t)
	for want, change := range map[string]func(*Options, *Contrastive){
		"Epochs is 0":          func(o *Options, _ *Contrastive) { o.Epochs = 0 },
		"Batch is 1":           func(o *Options, _ *Contrastive) { o.Batch = 1 },
		"LearningRate is NaN":  func(o *Options, _ *Contrastive) { o.LearningRate = math.NaN() },
		"Dropout is 1":         func(o *Options, _ *Contrastive) { o.Dropout = 1 },
		"FreezeLayers is 3":    func(o *Options, _ *Contrastive) { o.FreezeLayers = 3 },
		"the whole model":      func(o *Options, _ *Contrastive) { o.FreezeEmbeddings, o.FreezeLayers = true, 2 },
		"Adapter.Rank is 0":    func(o *Options, _ *Contrastive) { o.Adapter = &Adapter{Alpha: 1, Matrices: Matrices()} },
		"want some of [query":  func(o *Options, _ *Contrastive) { o.Adapter = &Adapter{Rank: 1, Alpha: 1, Matrices: []string{"bias"}} },
		"SaveEvery is 5":       func(o *Options, _ *Contrastive) { o.SaveEvery = 5 },
		"Temperature is 0":     func(_ *Options, x *Contrastive) { x.Temperature = 0 },
		"Hard is 3":            func(_ *Options, x *Contrastive) { x.Hard = 3 },
		"Popularity of 1":      func(_ *Options, x *Contrastive) { x.Popularity = []float64{1} },
		"dev item 99":          func(_ *Options, x *Contrastive) { x.Dev, x.DevItems = pairs, []uint32{99} },
		`Backend is "magic"`:   func(o *Options, _ *Contrastive) { o.Backend = "magic" },
		"Pairs is nil":         func(_ *Options, x *Contrastive) { x.Pairs = nil },
		"none of the 1 dev":    func(_ *Options, x *Contrastive) { x.Dev = []Pair{{1, 1, 1}} },
		"dev pair 0 is of ite": func(_ *Options, x *Contrastive) { x.Dev = []Pair{{1, 99, 1}} },
	} {
		o, x := quick(), contrastive(texts, pairs)
		change(&o, &x)
		if _, err := Train(t.Context(), from, t.TempDir(), x, o); err == nil || !strings.Contains(err.Error(), want) ||
			!errors.Is(err, ErrOptions) && !errors.Is(err, ErrExamples) {
			t.Errorf("error %v; want %q", err, want)
		}
	}
	if _, err := Train(t.Context(), from, from, contrastive(texts, pairs), quick()); !errors.Is(err, ErrOptions) {
		t.Errorf("over itself: error %v; want ErrOptions", err)
	}
	if _, err := LoadScorer(from, transformer.Options{Backend: transformer.Go}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a model without a head: error %v; want that the file is not there", err)
	}
}

// Tensors and files that the encoder does not use stay for other readers; weights in other
// forms, which would be wrong, do not.
func TestTheExportedFolderIsTheModelsWithOtherWeights(t *testing.T) {
	from := model(t)
	m, err := checkpoint.Load(from, checkpoint.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(from, checkpoint.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	pooler := checkpoint.Tensor{Name: "pooler.dense.bias", Shape: []int{2}, Data: []float32{1, 2}}
	if err := errors.Join(checkpoint.WriteSafetensors(f, nil, append(m.Weights.Tensors(m.Config), pooler)), f.Close(),
		os.WriteFile(filepath.Join(from, "pytorch_model.bin"), nil, 0o600), os.Mkdir(filepath.Join(from, ".git"), 0o700),
		os.WriteFile(filepath.Join(from, ".git", "config"), nil, 0o600), os.WriteFile(filepath.Join(from, "README.md"), []byte("words"), 0o600)); err != nil {
		t.Fatal(err)
	}
	texts, pairs := couples(8)
	r := ready(t, from, contrastive(texts, pairs), quick())
	if err := r.resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, err := os.Open(filepath.Join(r.to, checkpoint.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	stat, err := out.Stat()
	if err != nil {
		t.Fatal(err)
	}
	tensors, err := checkpoint.ReadHeader(out, stat.Size())
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := tensors.Float32("pooler.dense.bias", 2); err != nil || kept[1] != 2 {
		t.Errorf("the pooler is %v, %v", kept, err)
	}
	if _, err := os.Stat(filepath.Join(r.to, "pytorch_model.bin")); !errors.Is(err, os.ErrNotExist) {
		t.Error("old weights lie beside the new ones")
	}
	if _, err := os.Stat(filepath.Join(r.to, ".git")); !errors.Is(err, os.ErrNotExist) {
		t.Error("hidden files are copied")
	}
	if words, err := os.ReadFile(filepath.Join(r.to, "README.md")); err != nil || string(words) != "words" {
		t.Errorf("README.md is %q, %v", words, err)
	}
}
