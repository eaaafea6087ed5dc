package evaluate

import (
	"context"
	"slices"

	"github.com/cespare/xxhash/v2"

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

// crossed asks each user the pipeline whose weights were fitted on the users of the other
// half.
type crossed [2]*full

func (c *crossed) ask(q dataset.Query) (int, []uint32, error) { return c[half(q)].ask(q) }

// half is the part of the validation that a user is of.
func half(q dataset.Query) int { return int(xxhash.Sum64String(q.User) % 2) }

// otherHalf is the questions of users that are not of this half.
func otherHalf(questions []dataset.Query, own int) []dataset.Query {
	var other []dataset.Query
	for _, q := range questions {
		if half(q) != own {
			other = append(other, q)
		}
	}
	return other
}
