package network

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/fit"
)

// Report says what a training came to.
type Report struct {
	Samples int // that were trained on
	// Members are the reports of the networks that were averaged.
	Members []Member
}

// Member is one network's training.
type Member struct {
	// Epochs that were run, and the one that was kept; 0: none was better than the linear
	// model.
	Epochs, Best int
	// Linear and Loss are the mean of -ln(probability of the chosen) on the samples held
	// back, of the linear model and of the network.
	Linear, Loss float64
}

// Train learns a network on top of a linear model. Samples are as in package fit; they are
// not changed. Errors: [ErrOptions], fit.ErrSamples, or the context's.
func Train(ctx context.Context, samples []fit.Sample, start ranker.Weights, o Options) (*Model, Report, error) {
	var report Report
	o, err := o.withDefaults()
	if err != nil {
		return nil, report, err
	}
	if err := check(samples); err != nil {
		return nil, report, err
	}
	if err := start.Validate(); err != nil {
		return nil, report, err
	}
	c := pack(samples, &start, o)
	report.Samples = len(c.samples)
	whole := newLayers(o.Members*o.First, o.Members*o.Second)
	report.Members = make([]Member, o.Members)
	members, inner := errgroup.WithContext(ctx)
	members.SetLimit(o.Workers)
	for k := range o.Members {
		members.Go(func() error {
			member, about, err := c.train(inner, o, rand.New(rand.NewPCG(o.Seed, uint64(k)+1)))
			if err != nil {
				return err
			}
			report.Members[k] = about
			whole.place(member, k, o.Members) // each has its own part
			return nil
		})
	}
	if err := members.Wait(); err != nil {
		return nil, report, err
	}
	m, err := New(whole.parameters(start, c))
	if err != nil {
		return nil, report, fmt.Errorf("training diverged; a smaller Rate helps: %w", err)
	}
	return m, report, nil
}

// train trains one member.
func (c *corpus) train(ctx context.Context, o Options, r *rand.Rand) (*layers, Member, error) {
	order := r.Perm(len(c.samples))
	held := max(1, int(o.Held*float64(len(order))))
	valid, train := order[:held], order[held:]
	t := newTrainer(o, r)
	best := t.layers.clone()
	about := Member{Linear: c.loss(t, valid)}
	about.Loss = about.Linear
	for epoch := 1; epoch <= o.Epochs && epoch-about.Best <= o.Patience; epoch++ {
		r.Shuffle(len(train), func(i, j int) { train[i], train[j] = train[j], train[i] })
		for batch := range slices.Chunk(train, o.Batch) {
			if err := ctx.Err(); err != nil {
				return nil, about, err
			}
			t.step(c, batch)
		}
		about.Epochs = epoch
		if loss := c.loss(t, valid); loss < about.Loss {
			about.Loss, about.Best = loss, epoch
			best = t.layers.clone()
		} else if math.IsNaN(loss) {
			break // what was best so far stands
		}
	}
	return best, about, nil
}

// loss is the weighted mean over some samples.
func (c *corpus) loss(t *trainer, list []int) float64 {
	t.pack()
	sum, weight := 0.0, 0.0
	for _, i := range list {
		s := &c.samples[i]
		sum += s.weight * t.forward(s, false)
		weight += s.weight
	}
	return sum / weight
}
