package evaluate

import (
	"context"
	"slices"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/fit"
)

// fitWeights fits the weights of the world on questions that are not those that
// figures are about, starting from and held to the weights it has.
func fitWeights(ctx context.Context, questions []dataset.Query, s *full, prior ranker.Weights) (ranker.Weights, error) {
	samples := make([]fit.Sample, 0, len(questions))
	for _, q := range questions {
		if err := ctx.Err(); err != nil {
			return prior, err
		}
		sample, found, err := s.sample(q)
		if err != nil {
			return prior, err
		}
		if found {
			samples = append(samples, sample)
		}
	}
	weights, _, err := fit.Weights(ctx, samples, prior, fit.Options{})
	return weights, err
}

// sample is the candidates of a question with the target as the chosen one. It is
// false where the target is not among them.
func (s *full) sample(q dataset.Query) (fit.Sample, bool, error) {
	s.losers = ranker.MaxLimit
	_, _, err := s.ask(q)
	s.losers = 0
	if err != nil {
		return fit.Sample{}, false, err
	}
	sample := fit.Sample{Chosen: -1}
	for i, x := range slices.Concat(s.response.Items, s.response.Losers) {
		sample.Rows = append(sample.Rows, x.Features)
		if x.Item == q.Target {
			sample.Chosen = i
		}
	}
	return sample, sample.Chosen >= 0, nil
}
