package sequence

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/internal/kernel"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/optimize"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/team"
)

// Train trains an encoder. It returns what it has so far with an error of the context
// when that is done, or with a [DivergedError]; then Weights are the last good ones. Other errors
// wrap [ErrOptions], [causal.ErrConfig], [ErrData] or [ErrCheckpoint], or are of the file
// system, and come with an empty result.
//
// The same data and options give the same weights, whatever the number of Workers, on
// processors with the same instruction set.
func Train(ctx context.Context, d Data, o Options) (Result, error) {
	if err := o.Validate(); err != nil {
		return Result{}, err
	}
	if err := d.check(o.Config); err != nil {
		return Result{}, err
	}
	c, err := gather(d, o.Config, o.longest(), o.MaxEvents)
	if err != nil {
		return Result{}, err
	}
	r := newRun(d, o, c)
	defer r.team.Close()
	if err := r.resume(); err != nil {
		return Result{}, err
	}
	err = r.train(ctx)
	return r.result(), err
}

// run is one training run.
type run struct {
	options Options
	corpus  *corpus
	team    *team.Team
	state   *optimize.State
	network *network
	exam    *examiner
	batch   batch
	mark    string // what it trains on, so that a checkpoint of something else is refused

	best []float32 // the best weights so far, as they were judged
	progress
}

// progress is where a run stands. With the arrays of its state it is all that a run goes
// on from.
type progress struct {
	Epoch  int     `json:"epoch"` // finished
	Step   int     `json:"step"`  // finished, of the epoch under way
	Steps  int     `json:"steps"` // finished, of all epochs
	Loss   float64 `json:"loss"`  // the sum over the steps of the epoch under way
	Rate   float64 `json:"rate"`
	Waited int     `json:"waited"` // validations since the best
	Best   Epoch   `json:"best"`
	Curve  []Epoch `json:"curve"`
	Ended  string  `json:"ended"` // why, if it has

	Seconds float64 `json:"seconds"` // of the epoch under way
	Tokens  int     `json:"tokens"`
}

func newRun(d Data, o Options, c *corpus) *run {
	w, flat := causal.NewWeights(o.Config)
	g, flatGradient := causal.NewWeights(o.Config)
	initialize(o.Config, w, o.Seed)
	r := &run{options: o, corpus: c, team: team.New(o.workers()), state: optimize.NewState(flat, flatGradient, ranges(o, w), residuals(o), o.EMA > 0)}
	r.network = newNetwork(o, r.team, w, g, d.Text, newSampler(o, c))
	r.exam = &examiner{options: o, cases: d.Valid, hide: d.HideSeen}
	r.best = slices.Clone(flat)
	r.mark = fingerprint(d, o, c)
	return r
}

// ranges are where the parameters lie in one array, but for residuals of which not all
// take part in a step.
func ranges(o Options, w *causal.Weights) (all []optimize.Range) {
	at := 0
	for _, p := range w.Parameters(o.Config) {
		next := at + causal.Aligned(p.Len())
		if !o.samples() || &p.Data[0] != &w.Residual[0] {
			all = append(all, optimize.Range{From: at, To: next, Decays: p.Matrix})
		}
		at = next
	}
	return all
}

// residuals are where the residuals lie in that array, if not all take part in a step.
func residuals(o Options) optimize.Table {
	if !o.samples() {
		return optimize.Table{}
	}
	return optimize.Table{First: causal.Aligned(o.Config.Dim * o.Config.TextDim), Width: o.Config.Dim, Rows: o.Config.Items}
}

// rows are the residuals that took part in a step, if not all did.
func (r *run) rows() *optimize.Rows {
	if r.network.sampler == nil {
		return nil
	}
	return &optimize.Rows{Numbers: r.network.table.chosen, Gradient: r.network.table.d}
}

// train runs the epochs that are left.
func (r *run) train(ctx context.Context) error {
	for r.Ended == "" {
		if err := r.epoch(ctx); err != nil {
			r.Ended = err.Error()
			return err
		}
		if err := r.finishEpoch(ctx); err != nil {
			r.Ended = err.Error()
			return err
		}
	}
	return nil
}

// epoch runs the steps that are left of an epoch.
func (r *run) epoch(ctx context.Context) error {
	order, ends := r.options.epochOrder(r.corpus, r.Epoch)
	for r.Step < len(ends) {
		if err := ctx.Err(); err != nil {
			if saved := r.save(); saved != nil {
				return fmt.Errorf("%w, and the checkpoint was not written: %w", err, saved)
			}
			return err
		}
		from := 0
		if r.Step > 0 {
			from = ends[r.Step-1]
		}
		if err := r.step(order[from:ends[r.Step]], len(ends)); err != nil {
			return err
		}
		if every := r.options.CheckpointSteps; every > 0 && r.Steps%every == 0 && r.Step < len(ends) {
			if err := r.save(); err != nil {
				return err
			}
		}
	}
	return nil
}

// step learns from some sequences.
func (r *run) step(sequences []int, perEpoch int) error {
	o, start := r.options, time.Now()
	number := r.Steps + 1
	r.batch.assemble(o, r.corpus, sequences, uint64(number))
	r.Rate = o.LearningRate * optimize.Schedule(o.Schedule).Rate(number, o.WarmUp, o.Epochs*perEpoch)
	if len(r.batch.targets) > 0 {
		loss := r.network.learn(&r.batch, o.masks(uint64(number)), o.LabelSmoothing, uint64(number))
		rows := r.rows()
		norm := r.state.Norm(r.team, rows)
		if !finite(loss) || !finite(norm) {
			return r.diverged(loss)
		}
		scale := 1.0
		if o.Clip > 0 && norm > o.Clip {
			scale = o.Clip / norm
		}
		r.state.Apply(r.team, rows, r.optimizerStep(number, scale))
		r.Loss += loss
	}
	r.Step++
	r.Steps = number
	r.Tokens += len(r.batch.events)
	r.Seconds += time.Since(start).Seconds()
	return nil
}

// optimizerStep is how the weights change, given what gradients are multiplied by.
func (r *run) optimizerStep(number int, scale float64) optimize.Step {
	o := r.options
	return optimize.Step{Average: optimize.Warming(o.EMA, number), Adam: kernel.Adam{
		GradScale: float32(scale), Beta1: o.Beta1, Beta2: o.Beta2, Epsilon: 1e-8, Rate: r.Rate, Decay: o.WeightDecay, Step: number}}
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// diverged says what is not finite.
func (r *run) diverged(loss float64) error {
	e := &DivergedError{Epoch: r.Epoch + 1, Step: r.Step + 1, Tensor: "loss"}
	if !finite(loss) {
		return e
	}
	all := r.network.g.Parameters(r.options.Config)
	if r.network.sampler != nil {
		all = append(all, causal.Parameter{Name: "item.residual", Data: r.network.table.d})
	}
	for _, p := range all {
		if slices.ContainsFunc(p.Data, func(x float32) bool { return !finite(float64(x)) }) {
			e.Tensor = p.Name
			return e
		}
	}
	e.Tensor = "the length of the gradient"
	return e
}

// finishEpoch judges the weights, and ends training if it is time.
func (r *run) finishEpoch(ctx context.Context) error {
	e := Epoch{Number: r.Epoch + 1, Loss: r.Loss / float64(r.Step), Rate: r.Rate, Seconds: r.Seconds, TokensPerSecond: float64(r.Tokens) / max(r.Seconds, 1e-9)}
	last := e.Number == r.options.Epochs
	r.state.CatchUp(r.team, r.Steps, optimize.Warming(r.options.EMA, r.Steps))
	if len(r.exam.cases) > 0 && (e.Number%r.options.Evaluate == 0 || last) {
		valid, err := r.judge(ctx)
		if err != nil {
			return err
		}
		e.Valid = &valid
	}
	switch {
	case len(r.exam.cases) == 0 || e.Valid != nil && (r.Best.Valid == nil || e.Valid.NDCG10 > r.Best.Valid.NDCG10):
		r.Best, r.Waited = e, 0
		copy(r.best, r.judged())
	case e.Valid != nil:
		r.Waited++
	}
	r.Curve = append(r.Curve, e)
	r.Epoch, r.Step, r.Loss, r.Seconds, r.Tokens = e.Number, 0, 0, 0, 0
	switch {
	case last:
		r.Ended = "all epochs are done"
	case r.options.Patience > 0 && r.Waited >= r.options.Patience:
		r.Ended = fmt.Sprintf("NDCG@10 was not better than that of epoch %d in %d validations", r.Best.Number, r.Waited)
	}
	if err := r.save(); err != nil {
		return err
	}
	if r.options.Progress != nil {
		r.options.Progress(e)
	}
	return nil
}

// judged are the weights that count: the average, if there is one.
func (r *run) judged() []float32 {
	if r.state.Average != nil {
		return r.state.Average
	}
	return r.state.Weights
}

// judge asks the validation cases of the weights that count.
func (r *run) judge(ctx context.Context) (Metrics, error) {
	if r.state.Average == nil {
		return r.exam.examine(ctx, r.network)
	}
	own := slices.Clone(r.state.Weights)
	copy(r.state.Weights, r.state.Average)
	defer copy(r.state.Weights, own)
	return r.exam.examine(ctx, r.network)
}

// result is what there is. After it the run is over.
func (r *run) result() Result {
	w, flat := causal.NewWeights(r.options.Config)
	copy(flat, r.best)
	return Result{Config: r.options.Config, Weights: w, Best: r.Best, Curve: r.Curve, Short: r.corpus.short, Stopped: r.Ended}
}
