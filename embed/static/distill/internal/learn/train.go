package learn

import (
	"context"
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/embed/static/distill/internal/table"
	"github.com/viterin/vek/vek32"
)

// Result is what Train found.
type Result struct {
	Rows   table.Rows // the best, or the last if nothing was validated
	Steps  int        // after which they stood
	Figure float64    // validation of Rows; 0 if nothing was validated
	Curve  []Point    // every validation
}

// Point is one validation.
type Point struct {
	Step   int     `json:"step"`
	Loss   float64 `json:"loss"`       // mean over the steps since the last one
	Figure float64 `json:"validation"` // the larger, the better
}

// warmUp is how many steps the learning rate takes to its height; from there it falls
// to zero like a cosine.
const warmUp = 50

func (o Options) rate(step int) float64 {
	rise := min(1, float64(step)/warmUp)
	return o.LearningRate * rise * (1 + math.Cos(math.Pi*float64(step)/float64(o.Steps))) / 2
}

// Train changes rows so that texts come to lie as the teacher says, and ends after
// until steps, 1 to o.Steps, for which the learning rate is planned. Start is not
// changed. Validate, unless nil, is asked for the figure of rows that it must not keep;
// progress is told the share that is done.
func Train(ctx context.Context, start table.Rows, e Examples, target Target, o Options, until int,
	validate func(table.Rows) (float64, error), progress func(float64)) (Result, error) {
	if err := o.Check(); err != nil {
		return Result{}, err
	}
	if until < 1 || until > o.Steps {
		return Result{}, fmt.Errorf("%w: to end after %d steps; want 1 to %d", ErrOptions, until, o.Steps)
	}
	e, err := e.usable(len(start.Data) / start.Dim)
	if err != nil {
		return Result{}, err
	}
	t := newTraining(start, e, target, o)
	best := Result{Figure: math.Inf(-1)}
	loss, since := 0.0, 0
	for step := 1; step <= until; step++ {
		if err := ctx.Err(); err != nil {
			return Result{}, fmt.Errorf("learn: stopped after %d of %d steps: %w", step-1, until, err)
		}
		loss += t.step(o.rate(step))
		since++
		progress(float64(step) / float64(until))
		if validate == nil || step%o.Every != 0 && step != until {
			continue
		}
		figure, err := validate(t.rows)
		if err != nil {
			return Result{}, err
		}
		best.Curve = append(best.Curve, Point{Step: step, Loss: loss / float64(since), Figure: figure})
		loss, since = 0, 0
		if figure > best.Figure {
			best.Figure, best.Steps = figure, step
			best.Rows = table.Rows{Dim: t.rows.Dim, Data: append(best.Rows.Data[:0], t.rows.Data...)}
		} else if o.Patience > 0 && step-best.Steps >= o.Patience*o.Every {
			break
		}
	}
	if validate == nil {
		return Result{Rows: t.rows, Steps: until}, nil
	}
	return best, nil
}

// training is the state of Train.
type training struct {
	rows      table.Rows
	examples  Examples
	targets   []float32 // [texts, dim]
	sampler   *sampler
	gradients *gradients
	objective *objective
	adam      *adamW

	texts [][]int32 // of one batch
	want  teacherSide
}

func newTraining(start table.Rows, e Examples, target Target, o Options) *training {
	t := &training{rows: table.Rows{Dim: start.Dim, Data: append([]float32(nil), start.Data...)}, examples: e,
		targets: target.Reduce(e.Vectors), sampler: newSampler(e, o), gradients: newGradients(start),
		objective: &objective{options: o, dim: start.Dim}, adam: newAdamW(start, o)}
	n := len(t.sampler.batch)
	t.texts = make([][]int32, n)
	t.want = teacherSide{targets: make([]float32, n*start.Dim), cosines: make([]float32, n*n)}
	return t
}

// step learns from one batch and returns its loss.
func (t *training) step(rate float64) float64 {
	batch, dim, n := t.sampler.next(), t.rows.Dim, len(t.texts)
	vector := func(k int) []float32 { return t.examples.Vectors[k*t.examples.Dim : (k+1)*t.examples.Dim] }
	each(n, t.objective.options.Workers, func(i int) {
		k := batch[i]
		t.texts[i] = t.examples.Tokens[k]
		copy(t.want.targets[i*dim:(i+1)*dim], t.targets[k*dim:(k+1)*dim])
		for j, other := range batch {
			t.want.cosines[i*n+j] = vek32.Dot(vector(k), vector(other))
		}
	})
	loss := t.gradients.of(t.rows, t.texts, t.objective, t.want)
	t.adam.update(t.rows, t.gradients.rows, t.gradients.tokens, rate)
	return loss
}
