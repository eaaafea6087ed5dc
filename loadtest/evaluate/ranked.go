package evaluate

import (
	"cmp"
	"context"
	"iter"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/holdout"
	"github.com/kindred-rec/kindred/ranker/selection"
)

// fitModel fits what scores on questions that are not those that figures are about, held to
// prior weights. Where no question has its answer among the candidates the prior scores.
func (o Options) fitModel(ctx context.Context, questions []dataset.Query, world ranker.World, p profiler, repeats bool) (selection.Result, error) {
	prior := ranker.DefaultWeights()
	if o.Weights != nil {
		prior = *o.Weights
	}
	samples, err := holdout.Samples(ctx, world, asked(questions, p), prior, seenPolicy(repeats))
	if err != nil || len(samples) == 0 {
		return selection.Result{Kind: selection.Linear, Model: &prior, Weights: prior}, err
	}
	return selection.Choose(ctx, samples, prior, selection.Options{Kind: cmp.Or(o.Ranker, selection.Linear), Seed: o.Seed})
}

// asked are questions as the ranker is asked them.
func asked(questions []dataset.Query, p profiler) iter.Seq2[holdout.Question, error] {
	return func(yield func(holdout.Question, error) bool) {
		for _, q := range questions {
			user, err := p.encode(q.History)
			if !yield(holdout.Question{History: touches(nil, q.History), User: user, Target: q.Target}, err) {
				return
			}
		}
	}
}
