package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/train"
	"github.com/kindred-rec/kindred/ranker/selection"
	"github.com/kindred-rec/kindred/server/training"
)

// The size of the model of the story: a small shop is learned in seconds.
const (
	learnDim    = 64
	learnEpochs = 30
	learnRank   = 64
)

// learn trains a model of what the shoppers did, as `train` does with any tenant, and has it
// serve if it is not worse than what does.
func (t *teller) learn(ctx context.Context) error {
	if !t.opts.Train {
		return nil
	}
	l, err := t.trained(ctx)
	if err != nil {
		return fmt.Errorf("demo: training: %w", err)
	}
	t.outcome.Learned = l
	data := l.Result.Bundle.Manifest().Data
	t.line("   trained  %-54s  %6.2f s", fmt.Sprintf("on %s events of %s items, %d epochs: NDCG@10 %.3f,",
		grouped(int(data.Events)), grouped(int(data.Items)), len(l.Result.Train.Curve), l.Result.Model.NDCG10), l.Result.Seconds)
	by := fmt.Sprintf("by popularity alone %.3f (%d held back); ", l.Result.Popular.NDCG10, l.Result.Cases)
	switch {
	case l.Verdict.Serving:
		t.line("            %s", by+"it serves now")
	case l.Verdict.Promoted:
		t.line("            %s", by+"it is being built")
	default:
		t.line("            %s", by+"kept")
		t.line("            %s", t.faint(cut(l.Verdict.Refused, 60)))
	}
	return nil
}

// Learned is what training found and what became of its model.
type Learned struct {
	Result  training.Result // its bundle's files are gone; the service has them
	Verdict training.Verdict
	Time    time.Duration // with sending and promoting
}

func (t *teller) trained(ctx context.Context) (l *Learned, err error) {
	start := time.Now()
	tenant, err := training.Connect(ctx, t.conn)
	if err != nil {
		return nil, err
	}
	texts, err := static.Default()
	if err != nil {
		return nil, err
	}
	if err := tenant.Fits(texts.Info()); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "kindred-demo-model-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	l = &Learned{}
	l.Result, err = training.Run(ctx, tenant, training.Options{
		Dir: dir, Encoder: texts, Parent: tenant.Serving(), Dim: learnDim, Epochs: learnEpochs, Seed: max(1, t.opts.Shop.Seed),
		Ranker: selection.Linear, // a network is tried in more time than somebody who looks waits
		Tune:   func(o *train.Options) { o.Transition.Rank = learnRank },
	})
	if err != nil {
		return nil, err
	}
	if _, err := tenant.Upload(ctx, l.Result.Bundle); err != nil {
		return nil, err
	}
	l.Verdict, err = tenant.Promote(ctx, l.Result.Bundle.Hash(), "trained on the simulated shop")
	l.Time = time.Since(start)
	return l, err
}
