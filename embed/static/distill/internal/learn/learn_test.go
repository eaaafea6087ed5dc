package learn

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kindred-rec/kindred/embed/static/distill/internal/table"
)

// world is a teacher that sums hidden rows of its own, bent a little, and a table that
// sees noisy copies of these.
func world(t *testing.T, seed uint64) (table.Rows, Examples) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	const tokens, wide, texts = 60, 12, 240
	rows := table.Rows{Dim: wide, Data: make([]float32, tokens*wide)}
	hidden := table.Rows{Dim: wide, Data: make([]float32, tokens*wide)}
	for i := range hidden.Data {
		hidden.Data[i] = float32(r.NormFloat64())
		rows.Data[i] = hidden.Data[i] + float32(r.NormFloat64())
	}
	e := Examples{Dim: wide, Whole: texts / 2}
	for range texts {
		text := make([]int32, 2+r.IntN(6))
		for i := range text {
			text[i] = int32(r.IntN(tokens - 5)) // the last five never occur
		}
		e.Tokens = append(e.Tokens, text)
	}
	e.Vectors = hidden.Encode(e.Tokens)
	for i := range e.Vectors {
		e.Vectors[i] = float32(math.Tanh(2 * float64(e.Vectors[i])))
	}
	for i := 0; i < len(e.Vectors); i += wide {
		table.Normalize(e.Vectors[i : i+wide])
	}
	return rows, e
}

func started(t *testing.T, rows table.Rows, e Examples, dim int) (table.Rows, Target) {
	t.Helper()
	target, err := NewTarget(e, dim)
	if err != nil {
		t.Fatal(err)
	}
	start, err := Start(rows, e, target)
	if err != nil {
		t.Fatal(err)
	}
	return start, target
}

func options() Options {
	o := Defaults()
	o.Steps, o.Batch, o.Every, o.LearningRate = 200, 32, 20, 0.02
	return o
}

func quiet(float64) {}

// The gradient by every component of every row is the slope of the loss, whichever
// terms count. The loss is taken in float32, so slopes are compared to its rounding.
func TestGradientIsTheSlopeOfTheLoss(t *testing.T) {
	rows, e := world(t, 1)
	start, target := started(t, rows, e, 5)
	for _, weights := range [][2]float64{{1, 0}, {0, 1}, {1, 0.3}} {
		o := options()
		o.Cosine, o.Divergence, o.Temperature, o.Workers = weights[0], weights[1], 0.3, 3
		tr := newTraining(start, e, target, o)
		texts := append(slices.Clone(e.Tokens[:12]), []int32{7, 7, 3}) // one holds a token twice
		n := len(texts)
		want := teacherSide{targets: tr.targets[:n*5], cosines: make([]float32, n*n)}
		for i := range n {
			for j := range n {
				for d := range e.Dim {
					want.cosines[i*n+j] += e.Vectors[i*e.Dim+d] * e.Vectors[j*e.Dim+d]
				}
			}
		}
		loss := func() float64 { return newGradients(tr.rows).of(tr.rows, texts, tr.objective, want) }
		g := newGradients(tr.rows)
		g.of(tr.rows, texts, tr.objective, want)
		if len(g.tokens) < 20 {
			t.Fatalf("%d tokens in the batch; the test has lost its point", len(g.tokens))
		}
		const step = 4e-3
		largest := 0.0
		for _, token := range g.tokens {
			for d := range 5 {
				x := &tr.rows.Row(token)[d]
				before := *x
				*x = before + step
				up := loss()
				*x = before - step
				down := loss()
				*x = before
				got, slope := float64(g.rows.Row(token)[d]), (up-down)/(2*step)
				largest = max(largest, math.Abs(slope))
				if math.Abs(got-slope) > 2e-4+0.01*math.Abs(slope) {
					t.Errorf("weights %v, token %d, component %d: gradient %.6f, slope %.6f", weights, token, d, got, slope)
				}
			}
		}
		if largest < 0.02 {
			t.Errorf("weights %v: no slope is larger than %g; the test has lost its point", weights, largest)
		}
	}
}

// fidelity is the mean cosine of what rows make of texts and the target.
func fidelity(rows table.Rows, e Examples, target Target) float64 {
	got, want := rows.Encode(e.Tokens), target.Reduce(e.Vectors)
	sum := 0.0
	for i := range got {
		sum += float64(got[i]) * float64(want[i])
	}
	return sum / float64(len(e.Tokens))
}

func TestBothStepsComeNearerToTheTeacher(t *testing.T) {
	rows, e := world(t, 2)
	_, held := world(t, 2)
	held.Tokens, held.Vectors = held.Tokens[200:], held.Vectors[200*held.Dim:]
	e.Tokens, e.Vectors = e.Tokens[:200], e.Vectors[:200*e.Dim]
	start, target := started(t, rows, e, e.Dim)
	before := table.Rows{Dim: e.Dim, Data: start.Data}
	validate := func(r table.Rows) (float64, error) { return fidelity(r, held, target), nil }
	result, err := Train(t.Context(), start, e, target, options(), 200, validate, quiet)
	if err != nil {
		t.Fatal(err)
	}
	linear, learned := fidelity(before, held, target), fidelity(result.Rows, held, target)
	unmapped := table.Rows{Dim: e.Dim, Data: target.directions.Project(rows.Data)}
	plain := fidelity(unmapped, held, target)
	if !(plain+0.02 < linear && linear+0.05 < learned) {
		t.Errorf("cosine on texts not learned from: %.3f as given, %.3f mapped, %.3f learned; want each clearly above the last", plain, linear, learned)
	}
	if learned != result.Figure {
		t.Errorf("the best rows' figure is %v, and %v was reported", learned, result.Figure)
	}
	for token := int32(55); token < 60; token++ {
		if !slices.Equal(result.Rows.Row(token), start.Row(token)) {
			t.Errorf("token %d is in no text, and its row has moved", token)
		}
	}
}

func TestSameSeedSameRows(t *testing.T) {
	rows, e := world(t, 3)
	start, target := started(t, rows, e, 6)
	train := func(seed uint64, workers int) []float32 {
		o := options()
		o.Seed, o.Workers = seed, workers
		result, err := Train(t.Context(), start, e, target, o, 40, nil, quiet)
		if err != nil {
			t.Fatal(err)
		}
		return result.Rows.Data
	}
	one := train(1, 1)
	if !slices.Equal(one, train(1, 4)) {
		t.Error("other rows with 4 workers than with 1")
	}
	if slices.Equal(one, train(2, 1)) {
		t.Error("another seed gave the same rows")
	}
}

func TestEndsWhenTheFigureDoesNotRise(t *testing.T) {
	rows, e := world(t, 4)
	start, target := started(t, rows, e, 6)
	o := options()
	o.Patience = 3
	figures := []float64{0.1, 0.5, 0.4, 0.5, 0.3, 0.9}
	asked := 0
	result, err := Train(t.Context(), start, e, target, o, o.Steps, func(table.Rows) (float64, error) {
		asked++
		return figures[asked-1], nil
	}, quiet)
	if err != nil || asked != 5 || result.Steps != 2*o.Every || result.Figure != 0.5 || len(result.Curve) != 5 {
		t.Errorf("asked %d times, best %v after %d steps, error %v; want 5, 0.5, %d", asked, result.Figure, result.Steps, err, 2*o.Every)
	}
	again, err := Train(t.Context(), start, e, target, o, result.Steps, nil, quiet)
	if err != nil || !slices.Equal(again.Rows.Data, result.Rows.Data) {
		t.Errorf("as many steps without validation give other rows, or error %v", err)
	}
}

func TestTextsWithoutTokensTeachNothing(t *testing.T) {
	rows, e := world(t, 5)
	start, target := started(t, rows, e, 6)
	padded := Examples{Dim: e.Dim, Whole: e.Whole + 2, Tokens: append([][]int32{nil, {4, 5}}, e.Tokens...),
		Vectors: append(make([]float32, 2*e.Dim), e.Vectors...)} // one has no tokens, one no vector
	a, errA := Train(t.Context(), start, e, target, options(), 10, nil, quiet)
	b, errB := Train(t.Context(), start, padded, target, options(), 10, nil, quiet)
	if errA != nil || errB != nil || !slices.Equal(a.Rows.Data, b.Rows.Data) {
		t.Errorf("other rows, or errors %v, %v", errA, errB)
	}
}

func TestRefusesBadInput(t *testing.T) {
	rows, e := world(t, 6)
	start, target := started(t, rows, e, 6)
	for name, change := range map[string]func(*Options){
		"rate":        func(o *Options) { o.LearningRate = math.NaN() },
		"weights":     func(o *Options) { o.Cosine, o.Divergence = 0, 0 },
		"temperature": func(o *Options) { o.Temperature = 0 },
		"batch":       func(o *Options) { o.Batch = 1 },
		"workers":     func(o *Options) { o.Workers = 0 },
		"steps":       func(o *Options) { o.Steps = 0 },
	} {
		o := options()
		change(&o)
		if _, err := Train(t.Context(), start, e, target, o, 1, nil, quiet); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: error %v, want ErrOptions", name, err)
		}
	}
	for name, change := range map[string]func(*Examples){
		"vectors": func(e *Examples) { e.Vectors = e.Vectors[1:] },
		"token":   func(e *Examples) { e.Tokens = append([][]int32{{60}}, e.Tokens[1:]...) },
		"few":     func(e *Examples) { e.Whole = 3 },
	} {
		bad := e
		change(&bad)
		if _, err := Train(t.Context(), start, bad, target, options(), 1, nil, quiet); !errors.Is(err, ErrExamples) {
			t.Errorf("%s: error %v, want ErrExamples", name, err)
		}
	}
	if _, err := NewTarget(e, e.Dim+1); !errors.Is(err, table.ErrShape) {
		t.Errorf("more components than the teacher has: error %v, want table.ErrShape", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Train(ctx, start, e, target, options(), 1, nil, quiet); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

func BenchmarkStep(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	const tokens, wide, dim, texts = 30000, 384, 256, 2000
	e := Examples{Dim: wide, Whole: texts, Vectors: make([]float32, texts*wide)}
	for range texts {
		text := make([]int32, 50)
		for i := range text {
			text[i] = int32(r.IntN(tokens))
		}
		e.Tokens = append(e.Tokens, text)
	}
	for i := range e.Vectors {
		e.Vectors[i] = float32(r.NormFloat64()) / 20
	}
	target, err := NewTarget(e, dim)
	if err != nil {
		b.Fatal(err)
	}
	start := table.Rows{Dim: dim, Data: make([]float32, tokens*dim)}
	for i := range start.Data {
		start.Data[i] = float32(r.NormFloat64()) / 16
	}
	o := Defaults()
	o.Workers = 2
	tr := newTraining(start, e, target, o)
	b.ReportAllocs()
	for b.Loop() {
		if loss := tr.step(1e-3); math.IsNaN(loss) {
			b.Fatal("loss is not a number")
		}
	}
}
