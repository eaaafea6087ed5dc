package evaluate

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour"
	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/server/exact"
)

// Progress is told how many of all questions have been answered. Calls come from
// several goroutines, at most one at a time.
type Progress func(done, all int)

// Run evaluates. progress may be nil. It stops early with the context's error.
func Run(ctx context.Context, o Options, progress Progress) (Result, error) {
	start := time.Now()
	o, err := o.withDefaults()
	if err != nil {
		return Result{}, err
	}
	source, err := dataset.Open(o.Format, o.Dir, o.Reader)
	if err != nil {
		return Result{}, fmt.Errorf("evaluate: %w", err)
	}
	split, err := dataset.NewSplit(source, dataset.SplitOptions{})
	if err != nil {
		return Result{}, fmt.Errorf("evaluate: %w", err)
	}
	if o.Cold > 0 {
		if split, err = split.Cold(o.Cold, o.Seed); err != nil {
			return Result{}, fmt.Errorf("evaluate: %w", err)
		}
	}
	result, err := measure(ctx, split, o, progress)
	if err != nil {
		return Result{}, fmt.Errorf("evaluate: %w", err)
	}
	result.Seconds = time.Since(start).Seconds()
	return result, nil
}

func measure(ctx context.Context, split *dataset.Split, o Options, progress Progress) (Result, error) {
	result := Result{Format: o.Format, Protocol: LeaveOneOut, Stage: o.Stage, Split: o.Split, Seed: o.Seed, Items: len(split.Items),
		ColdFraction: o.Cold}
	if split.Repeats {
		result.Protocol = Published
	}
	queries, err := split.Valid, error(nil)
	if o.Split == Test {
		if queries, err = split.Test(); err != nil {
			return result, err
		}
	}
	if len(queries) == 0 {
		return result, fmt.Errorf("the data has no %s questions: no user has three events", o.Split)
	}
	newAsker, err := o.stage(ctx, split, &result)
	if err != nil {
		return result, err
	}
	asked := time.Now()
	answers, covered, err := askAll(ctx, queries, newAsker, o.workers(), progress)
	if err != nil {
		return result, err
	}
	result.MicrosPerCase = float64(time.Since(asked).Microseconds()) * float64(o.workers()) / float64(len(queries))
	result.Figures = figures(answers, func(answer) bool { return true })
	result.Coverage = float64(covered) / float64(len(split.Items))
	if o.Cold > 0 {
		cold := figures(answers, func(a answer) bool { return a.cold })
		warm := figures(answers, func(a answer) bool { return !a.cold })
		result.Cold, result.Warm = &cold, &warm
	}
	if len(o.Diversity) > 0 || len(o.NewItems) > 0 {
		if result.Variety, err = o.sweep(ctx, split, result.world, queries, newAsker); err != nil {
			return result, fmt.Errorf("variety: %w", err)
		}
	}
	return result, nil
}

func (o Options) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// stage builds what is measured, and returns how to make an asker of it.
func (o Options) stage(ctx context.Context, split *dataset.Split, result *Result) (func() asker, error) {
	encoder := o.Encoder
	if encoder == nil {
		embedded, err := static.Default()
		if err != nil {
			return nil, err
		}
		encoder = embedded
	}
	result.Encoder, result.Backend = encoder.Info().Model, cmp.Or(o.Backend, "go")
	vectors, err := encode(ctx, encoder, split.Items)
	if err != nil {
		return nil, err
	}
	newProfile, space, err := o.behaviour(ctx, split, vectors, result)
	if err != nil {
		return nil, err
	}
	if o.Stage == Retrieval {
		return func() asker {
			return &retrieval{profile: newProfile(), space: space, items: len(split.Items), repeats: split.Repeats}
		}, nil
	}
	world, err := newWorld(split, vectors, space, o)
	if err != nil {
		return nil, err
	}
	result.world = &world
	result.Weights = "default"
	if o.Weights != nil {
		result.Weights = "given"
	}
	newFull := func(p *ranker.Pipeline) *full {
		return &full{profile: newProfile(), pipeline: p, items: len(split.Items), repeats: split.Repeats, seed: o.Seed}
	}
	pipeline, err := ranker.New(world)
	if err != nil {
		return nil, err
	}
	if !o.Fit {
		return func() asker { return newFull(pipeline) }, nil
	}
	fitted := func(questions []dataset.Query) (*ranker.Pipeline, error) {
		chosen, err := o.fitModel(ctx, questions, world, newProfile(), split.Repeats)
		if err != nil {
			return nil, err
		}
		result.Fitted, result.Ranker, result.Trial = chosen.Weights, chosen.Kind, chosen.Trial
		own := world
		own.Weights, own.Model = &chosen.Weights, chosen.Model
		return ranker.New(own)
	}
	if o.Split == Test {
		result.Weights = "fitted on validation"
		p, err := fitted(split.Valid)
		return func() asker { return newFull(p) }, err
	}
	result.Weights = "fitted on the other half of validation"
	var halves [2]*ranker.Pipeline
	for h := range halves {
		if halves[h], err = fitted(otherHalf(split.Valid, h)); err != nil {
			return nil, err
		}
	}
	return func() asker { return &crossed{newFull(halves[0]), newFull(halves[1])} }, nil
}

// behaviour makes what turns histories into vectors, and the items among them.
func (o Options) behaviour(ctx context.Context, split *dataset.Split, texts *exact.Space, result *Result) (func() profiler, *exact.Space, error) {
	result.Behaviour = o.Behaviour
	if o.Behaviour == Mean {
		return func() profiler { return &profile{mean: behaviour.DefaultMean(), vectors: texts} }, texts, nil
	}
	t, err := learn(ctx, split, texts, o)
	if err != nil {
		return nil, nil, fmt.Errorf("training: %w", err)
	}
	result.Trained = &Trained{Epoch: t.report.Transformer.Best.Number, Counts: t.report.Counts, Seconds: t.report.Seconds}
	for _, e := range t.report.Curve {
		result.Trained.EpochSeconds += e.Seconds / float64(len(t.report.Curve))
	}
	return func() profiler { return &learnedProfile{trained: t, split: split, texts: texts} }, t.items, nil
}

// askAll puts all questions and returns the answers in their order, and how many
// different items were shown.
func askAll(ctx context.Context, queries []dataset.Query, newAsker func() asker, workers int, progress Progress) ([]answer, int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	answers := make([]answer, len(queries))
	var next atomic.Int64
	var mu sync.Mutex // guards shown and calls of progress
	shown, done := map[uint32]struct{}{}, 0
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			asker := newAsker()
			for ctx.Err() == nil {
				at := int(next.Add(1)) - 1
				if at >= len(queries) {
					return
				}
				rank, items, err := asker.ask(queries[at])
				if err != nil {
					cancel(fmt.Errorf("question %d, of user %q: %w", at+1, queries[at].User, err))
					return
				}
				answers[at] = answer{rank: rank, cold: queries[at].Cold}
				mu.Lock()
				for _, item := range items {
					shown[item] = struct{}{}
				}
				if done++; progress != nil {
					progress(done, len(queries))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, 0, err
	}
	return answers, len(shown), nil
}
