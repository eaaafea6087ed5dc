// Package holdout fits the ranker's weights on what came next in a log.
//
// # The problem
//
// The weights of the ranker's features go with what makes the features: where users and items
// got vectors of a trained encoder, their inner product says more, and on another scale,
// than a mean of text vectors did. So weights are fitted anew when a model was trained, on
// questions that it was not trained on.
//
// # The method
//
// [Count] makes the co-visitation and popularity of a log's training part, as a service
// would have counted them. [Weights] asks the ranker each question, takes the candidates
// with their features and which of them came next, and fits a conditional logit (package
// fit) that is held to prior weights. Questions whose answer is not among the candidates
// say nothing about weights and are left out. [Samples] gives the same choices to whatever
// else learns from them, such as package selection.
//
// # How to use it
//
//	counts, err := holdout.Count(items, sequences)
//	world.CoVisited, world.Popular = counts.CoVisited, counts.Popular
//	weights, used, err := holdout.Weights(ctx, world, questions, ranker.DefaultWeights(), holdout.Options{})
//
// # The contract
//
// Nothing here is random, and equal input gives equal output. Calls run on the caller's
// goroutine and look at the context between questions.
package holdout

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/covisit"
	"github.com/kindred-rec/kindred/ranker/fit"
	"github.com/kindred-rec/kindred/ranker/popularity"
)

// Counts are what a log's acts leave behind.
type Counts struct {
	CoVisited *covisit.Graph
	Popular   *popularity.Counter
}

// Count counts sequences, each what one user did that speaks for items, oldest first. Times
// are unix microseconds, 0 where not known. Items are numbered below items.
func Count(items int, sequences iter.Seq[[]ranker.Touch]) (Counts, error) {
	var c Counts
	var err error
	if c.CoVisited, err = covisit.New(covisit.Options{MaxItems: items}); err != nil {
		return c, err
	}
	if c.Popular, err = popularity.New(popularity.Options{MaxItems: items}); err != nil {
		return c, err
	}
	var trail []covisit.Step
	for touches := range sequences {
		trail = trail[:0]
		for _, t := range touches {
			step := covisit.Step{Item: t.Item, Weight: 1, Time: t.Time}
			if err := c.CoVisited.Add(trail, step); err != nil {
				return c, err
			}
			if err := c.Popular.Add(t.Item, 1, t.Time); err != nil {
				return c, err
			}
			trail = append(trail, step)
		}
	}
	c.Popular.Publish()
	return c, nil
}

// Question is a history and the one item that came next.
type Question struct {
	History []ranker.Touch
	User    []float32 // the user's vector, in the space that the world searches; nil: none
	Target  uint32
}

// limit is how many items are asked for: as many as a live request might, so that the
// candidates are those of one.
const limit = 100

// request is a question as a user would ask it, with all that was not shown told, too.
func (q Question) request(seen ranker.SeenPolicy, into *ranker.Request) {
	*into = ranker.Request{History: append(into.History[:0], q.History...), UserVector: q.User, Limit: limit, Losers: ranker.MaxLimit, Seen: seen}
	for _, t := range q.History {
		into.Now = max(into.Now, t.Time)
	}
}

// Options of a fit.
type Options struct {
	// Seen is what becomes of items of the history.
	Seen ranker.SeenPolicy
	// Fit is passed on.
	Fit fit.Options
}

// Weights fits weights, held to a prior, and says how many questions they are of. Where
// none has its answer among the candidates they are the prior, without an error.
func Weights(ctx context.Context, world ranker.World, questions iter.Seq2[Question, error], prior ranker.Weights, o Options) (w ranker.Weights, used int, err error) {
	samples, err := Samples(ctx, world, questions, prior, o.Seen)
	if err != nil || len(samples) == 0 {
		return prior, 0, err
	}
	w, _, err = fit.Weights(ctx, samples, prior, o.Fit)
	return w, len(samples), err
}

// Samples asks a world, with the given weights, each question and returns those whose answer
// is among the candidates, with the features of all of them.
func Samples(ctx context.Context, world ranker.World, questions iter.Seq2[Question, error], weights ranker.Weights, seen ranker.SeenPolicy) ([]fit.Sample, error) {
	world.Weights, world.Model = &weights, nil
	pipeline, err := ranker.New(world)
	if err != nil {
		return nil, err
	}
	var samples []fit.Sample
	var request ranker.Request
	var response ranker.Response
	for q, err := range questions {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		q.request(seen, &request)
		if err := pipeline.Recommend(&request, &response); err != nil {
			return nil, fmt.Errorf("holdout: %w", err)
		}
		if s := sample(&response, q.Target); s.Chosen >= 0 {
			samples = append(samples, s)
		}
	}
	return samples, nil
}

// sample is the candidates of a response with the target as the chosen one, -1 if it is not
// among them.
func sample(r *ranker.Response, target uint32) fit.Sample {
	s := fit.Sample{Chosen: -1}
	for i, x := range slices.Concat(r.Items, r.Losers) {
		s.Rows = append(s.Rows, x.Features)
		if x.Item == target {
			s.Chosen = i
		}
	}
	return s
}
