package training

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/sentiment"
	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/train"
	"github.com/kindred-rec/kindred/embed/train/history"
	"github.com/kindred-rec/kindred/embed/train/sequence"
)

// Result is what a run made.
type Result struct {
	Bundle  *bundle.Bundle
	History history.Report
	Train   train.Report
	// Model and Popular are ranked on Cases validation cases; zeros where there are none.
	Model, Popular sequence.Metrics
	Cases          int
	Ranking        Ranking
	Items          int // with events
	Resumed        bool
	Seconds        float64
}

// Run trains a model and writes its bundle. Errors wrap [ErrTooLittle], [ErrOptions],
// sequence.ErrDiverged, bundle.ErrDiskFull or those of the source, of the packages that it
// uses, or of the context. Nothing is left in Options.Dir after an error.
func Run(ctx context.Context, src Source, o Options) (Result, error) {
	o, err := o.withDefaults()
	if err != nil {
		return Result{}, err
	}
	start := time.Now()
	if o.own, err = openForest(o.RankerFile); err != nil {
		return Result{}, err
	}
	point, err := openCheckpoint(o.Checkpoint)
	if err != nil {
		return Result{}, err
	}
	result, err := run(ctx, src, o, point)
	if errors.Is(err, sequence.ErrCheckpoint) {
		if err := point.clear(); err != nil {
			return Result{}, err
		}
		result, err = run(ctx, src, o, point)
	}
	if err != nil {
		return Result{}, explained(err)
	}
	result.Seconds = time.Since(start).Seconds()
	return result, point.clear()
}

// explained adds the way out where there is one that the error does not name.
func explained(err error) error {
	var diverged *sequence.DivergedError
	if errors.As(err, &diverged) {
		return fmt.Errorf("%w: nothing was written; train with another seed, or a smaller dim", err)
	}
	return err
}

func run(ctx context.Context, src Source, o Options, point *checkpoint) (r Result, err error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return r, err
	}
	work, err := os.MkdirTemp(o.Dir, bundle.LeftoverPrefix)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	log, err := read(ctx, src, o, work, point)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	r.History = log.Report()
	if err := point.save(r.History.Read); err != nil {
		return r, err
	}
	d := &corpus{log: log, types: weigh(src.Types())}
	if err := d.survey(); err != nil {
		return r, err
	}
	if err := d.cut(o); err != nil {
		return r, err
	}
	o.say(Progress{Stage: "encoding texts"})
	if err := d.encode(ctx, src, o); err != nil {
		return r, err
	}
	settings, err := d.settings(o, point)
	if err != nil {
		return r, err
	}
	if r.Resumed = point.present; r.Resumed && o.Resuming != nil {
		o.Resuming(point.of.Acts)
	}
	trained, err := train.Behaviour(ctx, d.data(), settings)
	if d.failed != nil {
		err = d.failed // the log could not be read
	}
	if err != nil {
		return r, err
	}
	o.say(Progress{Stage: "ranking the validation"})
	r.Train, r.Cases, r.Items = trained.Report, len(d.asked), d.seen
	if r.Model, r.Popular, err = d.measure(ctx, trained.Model, o); err != nil {
		return r, err
	}
	o.say(Progress{Stage: "fitting the ranker"})
	if r.Ranking, err = d.ranking(ctx, src, trained.Model, o); err != nil {
		return r, err
	}
	payloads := trained.Model.Payloads()
	r.Ranking.files(payloads)
	r.Bundle, err = bundle.Write(o.Dir, d.manifest(o, settings, trained.Model, r), payloads, bundle.Limits{})
	return r, err
}

// read cleans the log.
func read(ctx context.Context, src Source, o Options, work string, point *checkpoint) (*history.Log, error) {
	o.say(Progress{Stage: "reading the log"})
	scorer, err := feelings()
	if err != nil {
		return nil, err
	}
	types := weigh(src.Types())
	log, err := history.Build(ctx, src.Acts(ctx, point.limit()), history.Options{
		Dir: work, Types: types, Sentiment: scorer, Memory: min(o.Memory/8, 256<<20), Seed: o.Seed,
	})
	if err != nil {
		return nil, fmt.Errorf("reading the log: %w", err)
	}
	return log, nil
}

// feelings reads comments. It has the encoder that its head belongs to, whatever the
// tenant's is.
func feelings() (history.Scorer, error) {
	encoder, err := static.Default()
	if err != nil {
		return nil, err
	}
	head, err := sentiment.Default()
	if err != nil {
		return nil, err
	}
	return head.With(encoder)
}
