package simulate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/train"
	"github.com/kindred-rec/kindred/server/training"
)

// Training is what came of training between two days.
type Training struct {
	AfterDay int     `json:"after_day"` // -1: at the end of the history
	Seconds  float64 `json:"seconds"`   // promotion included
	Events   int64   `json:"events"`
	NDCG     float64 `json:"ndcg_at_10"` // on its validation
	// Candidate and Before are NDCG@10 of the model and of what served, in the comparison that decided; 0 without cases.
	Candidate float64 `json:"candidate_ndcg_at_10"`
	Before    float64 `json:"serving_ndcg_at_10"`
	Cases     int32   `json:"compared_cases"`
	Promoted  bool    `json:"promoted"`
	Serving   bool    `json:"serving"`
	Reason    string  `json:"reason,omitempty"` // why it was not promoted, or why nothing was trained
}

// EndDay implements Policy: it trains where a training is due, and waits until what was promoted serves.
func (k *kindred) EndDay(ctx context.Context, day int) error {
	if k.o.TrainEvery == 0 || day < -1 || (day+1)%k.o.TrainEvery != 0 {
		return nil
	}
	start := time.Now()
	t, err := k.train(ctx, day)
	if errors.Is(err, training.ErrTooLittle) {
		t.Reason, err = err.Error(), nil
	}
	if err != nil {
		return fmt.Errorf("train after day %d: %w", day, err)
	}
	t.Seconds = time.Since(start).Seconds()
	k.training = append(k.training, t)
	return nil
}

func (k *kindred) train(ctx context.Context, day int) (t Training, err error) {
	t.AfterDay = day
	tenant, err := training.Connect(ctx, k.conn)
	if err != nil {
		return t, err
	}
	texts, err := static.Default()
	if err != nil {
		return t, err
	}
	if err := tenant.Fits(texts.Info()); err != nil {
		return t, fmt.Errorf("%w; let it be served with the embedded encoder, or train elsewhere", err)
	}
	dir, err := os.MkdirTemp("", "kindred-simulate-model-")
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	made, err := training.Run(ctx, tenant, training.Options{
		Dir: dir, Encoder: texts, Parent: tenant.Serving(), Dim: k.o.TrainDim, Epochs: k.o.Epochs, Seed: max(1, k.w.Seed),
		Tune: func(o *train.Options) { o.Transition.Rank = 64 },
	})
	if err != nil {
		return t, err
	}
	t.Events, t.NDCG = made.Bundle.Manifest().Data.Events, made.Model.NDCG10
	if _, err := tenant.Upload(ctx, made.Bundle); err != nil {
		return t, err
	}
	verdict, err := tenant.Promote(ctx, made.Bundle.Hash(), "trained on simulated days")
	c := verdict.Comparison
	t.Candidate, t.Before, t.Cases = c.GetCandidate().GetNdcgAt_10(), c.GetServing().GetNdcgAt_10(), c.GetCases()
	t.Promoted, t.Serving, t.Reason = verdict.Promoted, verdict.Serving, verdict.Refused
	return t, err
}
