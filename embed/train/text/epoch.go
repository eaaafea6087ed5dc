package text

import (
	"context"
	"fmt"

	"github.com/kindred-rec/kindred/embed/train/text/internal/network"
	"github.com/kindred-rec/kindred/embed/train/text/internal/state"
)

// programs bounds how many shapes of batches are compiled for an epoch.
const programs = 8

// train runs the epochs that are left.
func (r *run) train(ctx context.Context) error {
	for !r.stands.Done && r.stands.Epoch <= r.options.Epochs {
		if err := r.epoch(ctx); err != nil {
			return r.describe(err)
		}
	}
	if r.stands.Done {
		return nil
	}
	r.stands.Done = true
	return r.save()
}

// epoch trains what is left of an epoch and judges it.
func (r *run) epoch(ctx context.Context) error {
	s := &r.stands
	if err := r.task.begin(ctx, s.Epoch, r.options.State, r.encode); err != nil {
		return err
	}
	batches := r.task.order(s.Epoch)
	if !r.parts {
		r.planner.Survey(func(yield func([]int32) bool) {
			for _, batch := range batches {
				if !yield(r.task.texts(batch)) {
					return
				}
			}
		}, programs)
		r.network.Keep(r.planner.Shapes())
	}
	for s.Batch < len(batches) {
		if err := ctx.Err(); err != nil {
			if saved := r.save(); saved != nil {
				return fmt.Errorf("%w; and the state was not saved: %w", err, saved)
			}
			return err
		}
		if err := r.step(batches[s.Batch], r.options.Epochs*len(batches)); err != nil {
			return err
		}
		s.Batch++
		if every := r.options.SaveEvery; every > 0 && s.Step%every == 0 && s.Batch < len(batches) {
			if err := r.save(); err != nil {
				return err
			}
		}
	}
	if err := r.endEpoch(ctx, s.Epoch, s.Loss/float64(len(batches))); err != nil {
		return err
	}
	s.Epoch, s.Batch, s.Loss = s.Epoch+1, 0, 0
	waited := s.Epoch - 1 - s.Best
	s.Done = s.Epoch > r.options.Epochs || r.task.judges() && r.options.Patience > 0 && waited >= r.options.Patience
	return r.save()
}

// step learns from one batch.
func (r *run) step(batch []int, steps int) error {
	chunks, rows := r.planner.Chunks(r.task.texts(batch), !r.parts)
	rate := r.options.rate(r.stands.Step+1, steps)
	outcome, err := r.network.Step(network.Batch{Chunks: chunks, Inputs: r.task.inputs(batch, rows), Parts: r.parts}, rate)
	if err != nil {
		return err
	}
	if !outcome.Finite() {
		return fmt.Errorf("%w in epoch %d, step %d of %d: loss %g, norm of the gradient %g, learning rate %g; what was exported and saved before stays",
			ErrDiverged, r.stands.Epoch, r.stands.Step+1, steps, outcome.Loss, outcome.Norm, rate)
	}
	r.stands.Step++
	r.stands.Loss += outcome.Loss
	if r.options.Progress != nil {
		r.options.Progress(Progress{Epoch: r.stands.Epoch, Epochs: r.options.Epochs, Step: r.stands.Step, Steps: steps,
			Loss: outcome.Loss, Norm: outcome.Norm, Rate: rate})
	}
	return nil
}

// endEpoch judges the weights and exports them if none were better.
func (r *run) endEpoch(ctx context.Context, epoch int, loss float64) error {
	s := &r.stands
	point := Epoch{Epoch: epoch, Step: s.Step, Loss: loss}
	better := true
	if r.task.judges() {
		head, err := r.network.Head()
		if err != nil {
			return err
		}
		if point.Figure, err = r.task.judge(ctx, r.encode, head); err != nil {
			return err
		}
		better = epoch == 0 || point.Figure > s.Curve[s.Best].Figure
		r.options.Log.Info("text encoder's training", "epoch", epoch, "of", r.options.Epochs, "steps", s.Step, "loss", loss, "dev", point.Figure)
	}
	s.Curve = append(s.Curve, point)
	if !better {
		return nil
	}
	s.Best = epoch
	return r.export()
}

// save keeps the run, if it is to be kept.
func (r *run) save() error {
	if r.options.State == "" {
		return nil
	}
	s, err := r.network.State()
	if err != nil {
		return err
	}
	return state.Save(r.options.State, r.network.Trained(), s, r.stands)
}

// encode gives the vectors of texts of the corpus as they are now.
func (r *run) encode(ctx context.Context, texts []int32) ([]float32, error) {
	hidden := r.model.Config.Hidden
	out := make([]float32, len(texts)*hidden)
	places := map[int32][]int{} // of each text in texts
	var once []int32
	for i, text := range texts {
		if places[text] == nil {
			once = append(once, text)
		}
		places[text] = append(places[text], i)
	}
	sorted := r.task.corpus().ByLength(once)
	for len(sorted) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		some := sorted[:min(len(sorted), r.planner.Rows)]
		sorted = sorted[len(some):]
		shape := network.Shape{Rows: r.planner.Rows, Tokens: r.planner.Natural(some)[0]}
		vectors, err := r.network.Encode(r.task.corpus().Fill(shape, some))
		if err != nil {
			return nil, err
		}
		for row, text := range some {
			for _, i := range places[text] {
				copy(out[i*hidden:(i+1)*hidden], vectors[row*hidden:])
			}
		}
	}
	return out, nil
}

func (r *run) describe(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("text: after %d steps: %w", r.stands.Step, err)
}
