package selection

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/fit"
	"github.com/kindred-rec/kindred/ranker/network"
)

// choices of people whose liking is a function of two features.
func choices(n int, liking func(a, b float64) float64) (samples []fit.Sample) {
	r := rand.New(rand.NewPCG(1, 2))
	for range n {
		s := fit.Sample{}
		best := math.Inf(-1)
		for k := range 15 {
			a, b := r.IntN(2), r.IntN(2)
			s.Rows = append(s.Rows, ranker.Features{ranker.CoVisited: float32(a), ranker.LastSimilarity: float32(b), ranker.Popularity: r.Float32()})
			if v := liking(float64(a), float64(b)) - math.Log(-math.Log(r.Float64())); v > best {
				best, s.Chosen = v, k
			}
		}
		samples = append(samples, s)
	}
	return samples
}

var quick = network.Options{Members: 1, Epochs: 40, Rate: 0.01}

func TestTheNetworkIsTakenWhereItIsClearlyBetter(t *testing.T) {
	r, err := Choose(t.Context(), choices(500, func(a, b float64) float64 { return 4 * math.Abs(a-b) }), ranker.DefaultWeights(), Options{Network: quick})
	if err != nil {
		t.Fatal(err)
	}
	if r.Kind != Network || r.Model.Name() != "network" || r.Trial.Samples != 500 || r.Trial.Gain < 2*r.Trial.Error {
		t.Errorf("%s, %+v", r.Kind, r.Trial)
	}
}

func TestTheLinearModelStaysWhereItIsTrue(t *testing.T) {
	r, err := Choose(t.Context(), choices(500, func(a, b float64) float64 { return 2*a + b }), ranker.DefaultWeights(), Options{Network: quick})
	if err != nil {
		t.Fatal(err)
	}
	if w, ok := r.Model.(*ranker.Weights); r.Kind != Linear || !ok || *w != r.Weights || r.Trial == nil {
		t.Errorf("%s, %+v", r.Kind, r.Trial)
	}
}

func TestWhatIsAskedForIsMadeWithoutATrial(t *testing.T) {
	samples := choices(60, func(a, b float64) float64 { return a })
	for kind, name := range map[Kind]string{Linear: "linear", Network: "network", Auto: "linear"} { // 60 are too few to try
		r, err := Choose(t.Context(), samples, ranker.DefaultWeights(), Options{Kind: kind, Network: quick})
		if err != nil || r.Model.Name() != name || r.Trial != nil || r.Samples != 60 {
			t.Errorf("%s: %+v, %v", kind, r, err)
		}
	}
}

func TestWhatCannotBeChosenFromIsRefused(t *testing.T) {
	samples := choices(5, func(a, b float64) float64 { return a })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for what, c := range map[string]struct {
		ctx     context.Context
		samples []fit.Sample
		o       Options
		want    error
	}{
		"none":    {t.Context(), nil, Options{}, fit.ErrSamples},
		"kind":    {t.Context(), samples, Options{Kind: "forest"}, ErrOptions},
		"folds":   {t.Context(), samples, Options{Folds: 1}, ErrOptions},
		"network": {t.Context(), samples, Options{Kind: Network, Network: network.Options{First: 5}}, network.ErrOptions},
		"ended":   {ended, samples, Options{}, context.Canceled},
	} {
		if _, err := Choose(c.ctx, c.samples, ranker.DefaultWeights(), c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	if k, err := ParseKind(""); k != Auto || err != nil {
		t.Errorf("%q, %v", k, err)
	}
}

// Weights are as if a sample stood there several times.
func TestATrialIsAWeightedMean(t *testing.T) {
	samples := choices(40, func(a, b float64) float64 { return a })
	prior, other := ranker.Weights{}, ranker.Weights{ranker.CoVisited: 1}
	var once, twice trial
	once.add(append(samples, samples[:20]...), &prior, &other)
	for i := range samples[:20] {
		samples[i].Weight = 2
	}
	twice.add(samples, &prior, &other)
	a, b := once.result(), twice.result()
	if math.Abs(a.Gain-b.Gain) > 1e-12 || math.Abs(a.Linear-b.Linear) > 1e-12 || a.Gain <= 0 || !(b.Error > 0) {
		t.Errorf("%+v, %+v", a, b)
	}
}
