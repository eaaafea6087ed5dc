package selection

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/fit"
	"github.com/kindred-rec/kindred/ranker/network"
)

// ErrOptions: an option is out of its range.
var ErrOptions = errors.New("selection: bad option")

// Kind is a kind of model.
type Kind string

// The kinds of models.
const (
	// Auto is the network where it is clearly better, else the linear one. The default.
	Auto Kind = "auto"
	// Linear is weights of package fit.
	Linear Kind = "linear"
	// Network is one of package network.
	Network Kind = "network"
)

// ParseKind reads a kind; "" is Auto.
func ParseKind(name string) (Kind, error) {
	switch k := Kind(name); k {
	case "":
		return Auto, nil
	case Auto, Linear, Network:
		return k, nil
	}
	return "", fmt.Errorf("%w: ranker %q; it must be %q, %q or %q", ErrOptions, name, Auto, Linear, Network)
}

// Options of a choice. A zero field means its default.
type Options struct {
	Kind    Kind
	Fit     fit.Options
	Network network.Options
	// Folds that the samples are dealt into, 2 to 20. Default 4.
	Folds int
	// Least is how many samples Auto tries a network with; fewer have the linear model.
	// Default 200.
	Least int
	// Seed of the deal, and of the network where that has none. 0 means 1.
	Seed uint64
}

// Result is what was chosen.
type Result struct {
	// Kind of Model: Linear or Network.
	Kind    Kind
	Model   ranker.Model
	Samples int
	// Weights are the linear model, also where the network was chosen.
	Weights ranker.Weights
	// Trial is how the two compared; nil: they were not.
	Trial *Trial
}

// Trial compares the network with the linear model on samples that neither was trained on.
type Trial struct {
	Samples int `json:"samples"`
	// Gain is the mean of ln(probability of the chosen) by the network minus that by the
	// linear model, and Error its standard error.
	Gain  float64 `json:"gain"`
	Error float64 `json:"error"`
	// Linear and Network are the means of NDCG@10 among the candidates, as if all had stood in
	// one slot.
	Linear  float64 `json:"linear_ndcg_at_10"`
	Network float64 `json:"network_ndcg_at_10"`
}

// Clear reports whether the network is clearly better.
func (t *Trial) Clear() bool {
	return t.Gain > 2*t.Error && t.Network >= t.Linear
}

// Choose trains what serves. Errors: [ErrOptions], network.ErrOptions, fit.ErrSamples where
// there are none or one is malformed, or the context's.
func Choose(ctx context.Context, samples []fit.Sample, prior ranker.Weights, o Options) (Result, error) {
	o, err := o.withDefaults()
	if err != nil {
		return Result{}, err
	}
	r := Result{Kind: Linear, Samples: len(samples)}
	linear := func(of []fit.Sample) (*ranker.Weights, error) {
		w, _, err := fit.Weights(ctx, of, prior, o.Fit)
		return &w, err
	}
	w, err := linear(samples)
	if err != nil {
		return r, err
	}
	r.Model, r.Weights = w, *w
	if o.Kind == Linear || o.Kind == Auto && len(samples) < o.Least {
		return r, nil
	}
	better := func(of []fit.Sample, start *ranker.Weights) (ranker.Model, error) {
		m, _, err := network.Train(ctx, of, *start, o.Network)
		return m, err
	}
	if o.Kind == Auto {
		trial := trial{}
		err := deal(samples, o, func(train, asked []fit.Sample) error {
			start, err := linear(train)
			if err != nil {
				return err
			}
			m, err := better(train, start)
			if err != nil {
				return err
			}
			trial.add(asked, start, m)
			return nil
		})
		if err != nil {
			return r, err
		}
		if r.Trial = trial.result(); !r.Trial.Clear() {
			return r, nil
		}
	}
	m, err := better(samples, w)
	if err != nil {
		return r, err
	}
	r.Kind, r.Model = Network, m
	return r, nil
}

func (o Options) withDefaults() (Options, error) {
	if o.Kind == "" {
		o.Kind = Auto
	}
	if o.Folds == 0 {
		o.Folds = 4
	}
	if o.Least == 0 {
		o.Least = 200
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Network.Seed == 0 {
		o.Network.Seed = o.Seed
	}
	if _, err := ParseKind(string(o.Kind)); err != nil {
		return o, err
	}
	if o.Folds < 2 || o.Folds > 20 || o.Least < 0 {
		return o, fmt.Errorf("%w: Folds is %d and Least %d; Folds must lie in [2, 20], Least must not be negative", ErrOptions, o.Folds, o.Least)
	}
	return o, nil
}

// deal gives each fold with the samples of the others.
func deal(samples []fit.Sample, o Options, fold func(train, asked []fit.Sample) error) error {
	order := rand.New(rand.NewPCG(o.Seed, 0x6465616c)).Perm(len(samples))
	for k := range o.Folds {
		var train, asked []fit.Sample
		for i, at := range order {
			if i%o.Folds == k {
				asked = append(asked, samples[at])
			} else {
				train = append(train, samples[at])
			}
		}
		if err := fold(train, asked); err != nil {
			return err
		}
	}
	return nil
}

// trial sums up.
type trial struct {
	samples                int
	weight, gain           float64 // sums of weights, and of weight times gain
	weight2, gain2, spread float64 // sums of weight², weight² times gain, weight² times gain²
	linear, network        float64
	columns                ranker.Columns
	scores                 []float64
}

// add asks both models.
func (t *trial) add(asked []fit.Sample, linear, other ranker.Model) {
	for i := range asked {
		s := &asked[i]
		a, first := t.ask(s, linear)
		b, second := t.ask(s, other)
		weight := s.Weight
		if weight == 0 {
			weight = 1
		}
		t.samples++
		t.weight += weight
		t.gain += weight * (b - a)
		t.weight2 += weight * weight
		t.gain2 += weight * weight * (b - a)
		t.spread += weight * weight * (b - a) * (b - a)
		t.linear += weight * first
		t.network += weight * second
	}
}

// ask returns ln(probability of the chosen) where it stood, and its NDCG@10 as if all had
// stood alike.
func (t *trial) ask(s *fit.Sample, m ranker.Model) (log, ndcg float64) {
	for f := range t.columns {
		t.columns[f] = t.columns[f][:0]
		for i := range s.Rows {
			t.columns[f] = append(t.columns[f], s.Rows[i][f])
		}
	}
	t.scores = append(t.scores[:0], make([]float64, len(s.Rows))...)
	m.Score(&t.columns, t.scores)
	log = logProbability(t.scores, s.Chosen)
	clear(t.columns[ranker.Position])
	m.Score(&t.columns, t.scores)
	return log, gain(t.scores, s.Chosen)
}

// logProbability is that of the chosen one under the softmax of scores.
func logProbability(scores []float64, chosen int) float64 {
	top, sum := slices.Max(scores), 0.0
	for _, v := range scores {
		sum += math.Exp(v - top)
	}
	return scores[chosen] - top - math.Log(sum)
}

// gain is the NDCG@10 of one item that is wanted; ties count against it.
func gain(scores []float64, chosen int) float64 {
	rank := 0
	for _, v := range scores {
		if v >= scores[chosen] {
			rank++
		}
	}
	if rank > 10 {
		return 0
	}
	return 1 / math.Log2(1+float64(rank))
}

func (t *trial) result() *Trial {
	mean := t.gain / t.weight
	variance := max(0, t.spread-2*mean*t.gain2+mean*mean*t.weight2) / (t.weight * t.weight)
	return &Trial{Samples: t.samples, Gain: mean, Error: math.Sqrt(variance), Linear: t.linear / t.weight, Network: t.network / t.weight}
}
