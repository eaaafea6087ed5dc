package evaluate

import (
	"context"

	"github.com/cespare/xxhash/v2"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/holdout"
)

// fitWeights fits the weights of the world on questions that are not those that
// figures are about, held to a prior.
func fitWeights(ctx context.Context, questions []dataset.Query, world ranker.World, p profiler, prior ranker.Weights, repeats bool) (ranker.Weights, error) {
	asked := func(yield func(holdout.Question, error) bool) {
		for _, q := range questions {
			user, err := p.encode(q.History)
			if !yield(holdout.Question{History: touches(nil, q.History), User: user, Target: q.Target}, err) {
				return
			}
		}
	}
	weights, _, err := holdout.Weights(ctx, world, asked, prior, holdout.Options{Seen: seenPolicy(repeats)})
	return weights, err
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
