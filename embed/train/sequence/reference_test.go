package sequence

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/internal/kernel"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/optimize"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/team"
)

// reference is a model that testdata/reference.py trained with PyTorch.
type reference struct {
	Case struct {
		Text, Sides, Pre bool
		FromEnd          bool `json:"from_end"`
		Scale, Smoothing float32
	}
	Text                 []float32
	Start, Gradient, End map[string][]float32
	Losses               []float64
}

func (r reference) options() Options {
	o := DefaultOptions(causal.Config{Items: 11, Dim: 8, Layers: 2, Heads: 2, FeedForward: 12, Window: 6, PreNorm: r.Case.Pre, Scale: r.Case.Scale, Epsilon: 1e-5})
	if r.Case.Text {
		o.Config.TextDim = 5
	}
	if r.Case.Sides {
		o.Config.Types, o.Config.Gaps, o.Config.Values = 3, 4, 2
	}
	if r.Case.FromEnd {
		o.Config.Position = causal.FromEnd
	}
	o.Dropout, o.LabelSmoothing = 0, r.Case.Smoothing
	return o
}

func (r reference) batch() *batch {
	b := &batch{}
	for _, items := range [][]uint32{{1, 5, 3, 3, 7, 0, 9, 10, 2}, {4, 4}, {8, 6, 1, 2}, {10, 0, 5}} {
		events := Items(items...)
		for i := range events {
			e := &events[i]
			e.Weight = []float32{0, 1, 0.5}[i%3]
			e.Type, e.Gap, e.Value = uint16(i%3), uint16(2*i%4), uint16(i/2%2)
		}
		b.learn(events)
	}
	return b
}

func TestTrainingIsThatOfPyTorch(t *testing.T) {
	content, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var references []reference
	if err := json.Unmarshal(content, &references); err != nil {
		t.Fatal(err)
	}
	if len(references) != 4 {
		t.Fatalf("%d references", len(references))
	}
	for i, r := range references {
		o := r.options()
		w, flat := causal.NewWeights(o.Config)
		g, flatGradient := causal.NewWeights(o.Config)
		for _, p := range w.Parameters(o.Config) {
			if copy(p.Data, r.Start[p.Name]) != len(p.Data) {
				t.Fatalf("reference %d: %s has %d elements", i, p.Name, len(r.Start[p.Name]))
			}
		}
		members := team.New(2)
		defer members.Close()
		n := newNetwork(o, members, w, g, r.Text, nil)
		s := optimize.NewState(flat, flatGradient, ranges(o, w), residuals(o), false)
		for step, want := range r.Losses {
			loss := n.learn(r.batch(), o.masks(uint64(step+1)), o.LabelSmoothing, uint64(step+1))
			if math.Abs(loss-want) > 1e-5*math.Abs(want) {
				t.Errorf("reference %d: loss of step %d is %g, want %g", i, step+1, loss, want)
			}
			if step == 0 {
				equal(t, i, "gradient", g.Parameters(o.Config), r.Gradient, 1e-5)
			}
			scale := min(1, 0.8/s.Norm(members, nil))
			s.Apply(members, nil, optimize.Step{Adam: kernel.Adam{GradScale: float32(scale), Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Rate: 0.01, Decay: 0.1, Step: step + 1}})
		}
		equal(t, i, "trained", w.Parameters(o.Config), r.End, 2e-4)
	}
}

// equal compares parameters. A key's bias has no gradient but rounding errors, of which
// Adam makes steps.
func equal(t *testing.T, number int, what string, got []causal.Parameter, want map[string][]float32, tolerance float64) {
	t.Helper()
	for _, p := range got {
		for i, x := range p.Data {
			if p.Len() == 24 && i >= 8 && i < 16 {
				continue
			}
			if y := want[p.Name][i]; math.Abs(float64(x-y)) > tolerance*(1+math.Abs(float64(y))) {
				t.Errorf("reference %d: %s %s at %d is %g, want %g", number, what, p.Name, i, x, y)
				break
			}
		}
	}
}
