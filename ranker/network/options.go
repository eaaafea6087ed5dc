package network

import (
	"errors"
	"fmt"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/fit"
)

// ErrOptions: an option is out of its range.
var ErrOptions = errors.New("network: bad option")

// Options of training. A zero field means its default.
type Options struct {
	// Members are networks that are trained apart, each with its own part of the samples
	// held back to stop by, and then averaged: one larger network. 1 to 8. Default 4.
	Members int
	// First and Second are the widths of a member's hidden layers, in units: multiples of 4,
	// Members times as many at most MaxHidden. Default 16 and 8.
	First, Second int
	// Epochs over the samples at most, 1 to 10,000. Default 100.
	Epochs int
	// Patience is how many epochs may go by without a better validation. Default 10.
	Patience int
	// Batch is how many samples a step is made of. Default 16.
	Batch int
	// Rate is Adam's learning rate, above 0 to 1. Default 0.002.
	Rate float64
	// Decay is the decoupled weight decay, 0 to 1; negative: none. Default 0.3.
	Decay float64
	// Dropout is the share of units of a hidden layer that a sample does without, below 1;
	// negative: none. Default 0.2.
	Dropout float64
	// Held is the share of samples that a member holds back to stop by, above 0 to 0.5.
	// Default 0.2.
	Held float64
	// Rows bounds the candidates of a sample that are trained on: the chosen one and others
	// drawn by the seed, each of which stands for as many as were left out. At least 2.
	// Default 128.
	Rows int
	// Samples bounds the samples that are trained on; of more, so many are drawn by the
	// seed. They take Rows times 4 bytes a feature each. At least 2. Default 10,000.
	Samples int
	// Blind features are left to the linear model, as ranker.Position always is: those whose
	// values will be others when the network serves.
	Blind []ranker.Feature
	// Workers that members are trained by, side by side, 1 to 256. The result does not depend on it.
	// Default 1.
	Workers int
	// Seed of all that is drawn. 0 means 1.
	Seed uint64
}

func (o Options) withDefaults() (Options, error) {
	for _, d := range []struct {
		field           *int
		usual, from, to int
		name            string
	}{
		{&o.Members, 4, 1, 8, "Members"}, {&o.First, 16, 4, MaxHidden, "First"}, {&o.Second, 8, 4, MaxHidden, "Second"},
		{&o.Epochs, 100, 1, 10_000, "Epochs"}, {&o.Patience, 10, 1, 10_000, "Patience"}, {&o.Batch, 16, 1, 1 << 20, "Batch"},
		{&o.Rows, 128, 2, 1 << 20, "Rows"}, {&o.Samples, 10_000, 2, 1 << 24, "Samples"},
		{&o.Workers, 1, 1, 256, "Workers"},
	} {
		if *d.field == 0 {
			*d.field = d.usual
		}
		if *d.field < d.from || *d.field > d.to {
			return o, fmt.Errorf("%w: %s is %d; it must lie in [%d, %d]", ErrOptions, d.name, *d.field, d.from, d.to)
		}
	}
	for _, d := range []struct {
		field    *float64
		usual    float64
		from, to float64
		name     string
	}{
		{&o.Rate, 0.002, 1e-9, 1, "Rate"}, {&o.Decay, 0.3, 0, 1, "Decay"}, {&o.Dropout, 0.2, 0, 0.95, "Dropout"}, {&o.Held, 0.2, 1e-9, 0.5, "Held"},
	} {
		if *d.field == 0 {
			*d.field = d.usual
		} else if *d.field < 0 && d.from == 0 {
			*d.field = 0
		}
		if !(*d.field >= d.from && *d.field <= d.to) {
			return o, fmt.Errorf("%w: %s is %v; it must lie in [%v, %v]", ErrOptions, d.name, *d.field, d.from, d.to)
		}
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.First%4 != 0 || o.Second%4 != 0 || o.Members*max(o.First, o.Second) > MaxHidden {
		return o, fmt.Errorf("%w: %d members of %d and %d units; both must be multiples of 4, and %d together at most",
			ErrOptions, o.Members, o.First, o.Second, MaxHidden)
	}
	for _, f := range o.Blind {
		if f >= ranker.FeatureCount {
			return o, fmt.Errorf("%w: Blind names feature %d of %d", ErrOptions, f, ranker.FeatureCount)
		}
	}
	return o, nil
}

// check refuses samples that cannot be learned from.
func check(samples []fit.Sample) error {
	if len(samples) < 2 {
		return fmt.Errorf("%w: there are %d; at least 2 are needed, one to stop by", fit.ErrSamples, len(samples))
	}
	for i := range samples {
		if err := samples[i].Check(); err != nil {
			return fmt.Errorf("sample %d: %w", i, err)
		}
	}
	return nil
}
