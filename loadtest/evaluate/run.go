package evaluate

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour"
	"github.com/kindred-rec/kindred/loadtest/dataset"
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
	protocol, windows, err := o.cut(source)
	if err != nil {
		return Result{}, fmt.Errorf("evaluate: %w", err)
	}
	outcomes := make([]outcome, len(windows))
	for i, w := range windows {
		if outcomes[i], err = o.measure(ctx, protocol, w, progress); err != nil {
			if len(windows) > 1 {
				err = fmt.Errorf("window %d of %d: %w", i+1, len(windows), err)
			}
			return Result{}, fmt.Errorf("evaluate: %w", err)
		}
	}
	result, err := o.join(outcomes)
	if err != nil {
		return Result{}, fmt.Errorf("evaluate: %w", err)
	}
	result.Seconds = time.Since(start).Seconds()
	return result, nil
}

// measure asks one window's questions.
func (o Options) measure(ctx context.Context, protocol Protocol, w dataset.Window, progress Progress) (outcome, error) {
	split := w.Split
	queries, err := o.questions(split, protocol)
	if err != nil {
		return outcome{}, err
	}
	if o.Cold > 0 {
		if split, err = split.Cold(o.Cold, o.Seed); err == nil {
			queries, err = o.questions(split, protocol)
		}
		if err != nil {
			return outcome{}, err
		}
	}
	out := outcome{window: w, queries: queries, result: Result{Format: o.Format, Protocol: wording[protocol], Stage: o.Stage, Split: o.Split,
		Seed: o.Seed, Items: len(split.Items), ColdFraction: o.Cold}}
	b, err := newBench(ctx, split, o, &out.result)
	if err != nil {
		return out, err
	}
	own, err := b.own()
	if err != nil {
		return out, err
	}
	t := newTraits(split, b.texts)
	e, err := o.enter(ctx, t, queries, own, progress)
	if err != nil {
		return out, err
	}
	out.entries = append(out.entries, e)
	for _, c := range o.Compare {
		newAsker, note, err := b.contend(c, own)
		if err == nil {
			e, err = o.enter(ctx, t, queries, newAsker, progress)
		}
		if err != nil {
			return out, fmt.Errorf("contender %q: %w", c.Name, err)
		}
		e.note = note
		out.entries = append(out.entries, e)
	}
	if len(o.Diversity) > 0 || len(o.NewItems) > 0 {
		if out.result.Variety, err = o.sweep(ctx, split, &b.sides[o.Behaviour].world, queries, own); err != nil {
			return out, fmt.Errorf("variety: %w", err)
		}
	}
	return out, nil
}

// enter asks all questions of one asker.
func (o Options) enter(ctx context.Context, t *traits, queries []dataset.Query, newAsker func() asker, progress Progress) (entry, error) {
	var e entry
	var err error
	asked := time.Now()
	if e.answers, _, err = askAll(ctx, queries, newAsker, o.workers(), progress); err != nil {
		return e, err
	}
	e.micros = float64(time.Since(asked).Microseconds()) * float64(o.workers()) / float64(len(queries))
	e.beyond, e.coverage = t.beyond(queries, e.answers)
	return e, nil
}

func (o Options) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return runtime.GOMAXPROCS(0)
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
				answers[at] = newAnswer(rank, queries[at].Cold, items)
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
