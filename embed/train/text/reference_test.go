package text

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"testing"

	"github.com/kindred-rec/kindred/embed/train/text/internal/network"
	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/bertgraph"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/transformertest"
)

var update = flag.Bool("update", false, "write testdata/tiny anew; run testdata/reference.py afterwards")

// reference is what testdata/reference.py wrote, case is what it read.
type reference struct {
	Contrastive []struct {
		Loss   float64
		Slopes map[string]slope
		Steps  []struct{ Loss, Norm float64 }
		After  map[string][]float64
	}
	Regression struct {
		Loss   float64
		Slopes map[string]slope
		Head   []float64
		Bias   float64
	}
}

type slope struct {
	Norm  float64
	First []float64
}

type referenceCase struct {
	Texts       []string
	Contrastive []struct {
		Pairs                    [][3]float64
		Popularity, Rates        []float64
		Temperature, Decay, Clip float64
		Symmetric                bool
		Batch                    int
	}
	Regression struct {
		Scored                []string
		Scores, Weights, Head []float64
		Bias                  float64
	}
}

func readReference(t *testing.T) (c referenceCase, r reference) {
	t.Helper()
	if *update {
		if err := transformertest.Write("testdata/tiny", transformertest.Small, 3); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]any{"testdata/case.json": &c, "testdata/reference.json": &r} {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(content, to); err != nil {
			t.Fatal(err)
		}
	}
	return c, r
}

func near(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if math.Abs(got-want) > relative*math.Abs(want)+1e-6 {
		t.Errorf("%s is %.7g; PyTorch has %.7g", what, got, want)
	}
}

// wholeBatch puts all examples into one batch, in parts or at once.
func wholeBatch(r *run, examples int, parts bool) network.Batch {
	batch := make([]int, examples)
	for i := range batch {
		batch[i] = i
	}
	chunks, rows := r.planner.Chunks(r.task.texts(batch), false)
	return network.Batch{Chunks: chunks, Inputs: r.task.inputs(batch, rows), Parts: parts}
}

// named gives gradients or weights, in the order of Trained, the names of Hugging Face.
func named(c checkpoint.Config, values [][]float32) map[string][]float32 {
	all := map[string][]float32{}
	for _, tensor := range bertgraph.Checkpoint(c, values).Tensors(c) {
		all[tensor.Name] = tensor.Data
	}
	return all
}

func checkSlopes(t *testing.T, got map[string][]float32, want map[string]slope) {
	t.Helper()
	for name, w := range want {
		var squares float64
		for _, x := range got[name] {
			squares += float64(x) * float64(x)
		}
		near(t, "norm of "+name, math.Sqrt(squares), w.Norm, 1e-4)
		for i, x := range w.First {
			if math.Abs(float64(got[name][i])-x) > 1e-4*w.Norm+1e-6 {
				t.Errorf("gradient %d of %s is %g; PyTorch has %g", i, name, got[name][i], x)
			}
		}
	}
}

func TestContrastiveGradientsAndStepsAreThoseOfPyTorch(t *testing.T) {
	c, want := readReference(t)
	eachBackend(t, func(t *testing.T, backend transformer.Backend) {
		for i, x := range c.Contrastive {
			for _, parts := range []bool{false, true} {
				o := quick()
				o.Backend, o.Batch, o.Decay, o.Clip, o.ChunkTexts = backend, x.Batch, x.Decay, x.Clip, 3
				var pairs []Pair
				for _, p := range x.Pairs {
					pairs = append(pairs, Pair{uint32(p[0]), uint32(p[1]), float32(p[2])})
				}
				objective := contrastive(c.Texts, pairs)
				objective.Temperature, objective.Symmetric = x.Temperature, x.Symmetric
				if len(x.Popularity) > 0 {
					objective.Popularity = x.Popularity
				}
				r, err := prepare("testdata/tiny", t.TempDir(), objective, o)
				if err != nil {
					t.Fatal(err)
				}
				batch := wholeBatch(r, len(pairs), parts)
				loss, gradients, err := r.network.Gradients(batch)
				if err != nil {
					t.Fatal(err)
				}
				near(t, "loss", loss, want.Contrastive[i].Loss, 1e-5)
				values, err := r.network.Fetch(gradients)
				if err != nil {
					t.Fatal(err)
				}
				checkSlopes(t, named(r.model.Config, values), want.Contrastive[i].Slopes)
				for step, rate := range x.Rates {
					outcome, err := r.network.Step(batch, rate)
					if err != nil {
						t.Fatal(err)
					}
					near(t, "loss of a step", outcome.Loss, want.Contrastive[i].Steps[step].Loss, 1e-4)
					near(t, "norm of a step", outcome.Norm, want.Contrastive[i].Steps[step].Norm, 1e-3)
				}
				s, err := r.network.State()
				if err != nil {
					t.Fatal(err)
				}
				for name, values := range want.Contrastive[i].After {
					for j, x := range values {
						// Adam divides a gradient by its size: where that is rounding alone, so is the step.
						if got := float64(named(r.model.Config, s.Weights)[name][j]); math.Abs(got-x) > 1e-4 && want.Contrastive[i].Slopes[name].Norm > 1e-6 {
							t.Errorf("case %d: %s[%d] is %.7g after the steps; PyTorch has %.7g", i, name, j, got, x)
						}
					}
				}
				r.network.Close()
			}
		}
	})
}

func TestRegressionGradientsAreThoseOfPyTorch(t *testing.T) {
	c, want := readReference(t)
	eachBackend(t, func(t *testing.T, backend transformer.Backend) {
		for _, parts := range []bool{false, true} {
			o := quick()
			o.Backend, o.ChunkTexts = backend, 2
			objective := Regression{Ridge: 1}
			for i, text := range c.Regression.Scored {
				objective.Examples = append(objective.Examples, Scored{text, c.Regression.Scores[i], c.Regression.Weights[i]})
			}
			r, err := prepare("testdata/tiny", t.TempDir(), objective, o)
			if err != nil {
				t.Fatal(err)
			}
			head := make([]float32, len(c.Regression.Head))
			for i, x := range c.Regression.Head {
				head[i] = float32(x)
			}
			if err := r.network.SetHead([][]float32{head, {float32(c.Regression.Bias)}}); err != nil {
				t.Fatal(err)
			}
			loss, gradients, err := r.network.Gradients(wholeBatch(r, len(objective.Examples), parts))
			if err != nil {
				t.Fatal(err)
			}
			near(t, "loss", loss, want.Regression.Loss, 1e-5)
			values, err := r.network.Fetch(gradients)
			if err != nil {
				t.Fatal(err)
			}
			checkSlopes(t, named(r.model.Config, values[:len(values)-2]), want.Regression.Slopes)
			for i, x := range want.Regression.Head {
				near(t, "gradient of the head", float64(values[len(values)-2][i]), x, 1e-3)
			}
			near(t, "gradient of the bias", float64(values[len(values)-1][0]), want.Regression.Bias, 1e-4)
			r.network.Close()
		}
	})
}
