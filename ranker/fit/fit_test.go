package fit

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/kindred-rec/kindred/ranker"
)

// choices draws samples of people who choose by the given weights.
func choices(truth ranker.Weights, n int) []Sample {
	rng := rand.New(rand.NewPCG(1, 2))
	samples := make([]Sample, n)
	for i := range samples {
		rows := make([]ranker.Features, 20)
		best := math.Inf(-1)
		for k := range rows {
			rows[k][ranker.CoVisited] = rng.Float32()
			rows[k][ranker.Popularity] = 3 * rng.Float32()
			rows[k][ranker.Repeat] = float32(rng.IntN(2))
			// The largest of score + Gumbel noise is a draw from the logit.
			if v := truth.ScoreOf(&rows[k]) - math.Log(-math.Log(rng.Float64())); v > best {
				best, samples[i].Chosen = v, k
			}
		}
		samples[i].Rows = rows
	}
	return samples
}

func TestWeightsThatPeopleChoseByAreFound(t *testing.T) {
	truth := ranker.Weights{ranker.CoVisited: 3, ranker.Popularity: 0.5, ranker.Repeat: -1}
	got, report, err := Weights(t.Context(), choices(truth, 4000), ranker.DefaultWeights(), Options{})
	if err != nil || !report.Converged || report.LossAfter >= report.LossBefore {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, f := range []ranker.Feature{ranker.CoVisited, ranker.Popularity, ranker.Repeat} {
		if math.Abs(got[f]-truth[f]) > 0.2 {
			t.Errorf("%v is %.3f, want %.3f", f, got[f], truth[f])
		}
	}
	if prior := ranker.DefaultWeights(); got[ranker.Freshness] != prior[ranker.Freshness] {
		t.Errorf("freshness, of which the samples say nothing, moved to %v", got[ranker.Freshness])
	}
}

func TestFewSamplesStayNearThePrior(t *testing.T) {
	truth := ranker.Weights{ranker.Repeat: 8}
	prior := ranker.DefaultWeights()
	few, _, err := Weights(t.Context(), choices(truth, 3), prior, Options{})
	if err != nil {
		t.Fatal(err)
	}
	many, _, err := Weights(t.Context(), choices(truth, 3000), prior, Options{})
	if err != nil {
		t.Fatal(err)
	}
	moved := func(w ranker.Weights) float64 { return math.Abs(w[ranker.Repeat] - prior[ranker.Repeat]) }
	if moved(few) > moved(many)/3 || moved(many) < 6 {
		t.Errorf("repeat moved by %v on 3 samples and by %v on 3000, want little and much", moved(few), moved(many))
	}
}

// People choose by a feature of a narrow scale, which the penalty on weights holds back. Another
// of a wide scale, low where that is high, must not take its part while choices are few.
func TestAWideFeatureDoesNotTakeTheNarrowOnesPart(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	few := make([]Sample, 60)
	for i := range few {
		best := math.Inf(-1)
		for k := range 200 {
			near := rng.Float64() // the candidates are either near or popular
			row := ranker.Features{ranker.UserSimilarity: float32(near / 10), ranker.Popularity: float32(3 * (1 - near) * rng.Float64())}
			few[i].Rows = append(few[i].Rows, row)
			if v := 6*near - math.Log(-math.Log(rng.Float64())); v > best {
				best, few[i].Chosen = v, k
			}
		}
	}
	prior := ranker.DefaultWeights()
	loose, _, err := Weights(t.Context(), few, prior, Options{PriorSamples: -1})
	if err != nil || loose[ranker.Popularity] > -1 {
		t.Fatalf("popularity %.2f, %v: without the prior's choices it should take the part", loose[ranker.Popularity], err)
	}
	held, _, err := Weights(t.Context(), few, prior, Options{})
	if err != nil || math.Abs(held[ranker.Popularity]-prior[ranker.Popularity]) > 0.5 {
		t.Errorf("popularity %.2f, %v; want it near the prior's %.2f", held[ranker.Popularity], err, prior[ranker.Popularity])
	}
}

// The prior's choices are a penalty: of as many samples made by the prior, the same weights come.
func TestThePriorCountsAsSamplesOfItsOwn(t *testing.T) {
	prior := ranker.Weights{ranker.CoVisited: 1, ranker.Repeat: -1}
	truth := ranker.Weights{ranker.CoVisited: 4, ranker.Popularity: 1, ranker.Repeat: -1}
	samples := choices(truth, 400)
	got, _, err := Weights(t.Context(), samples, prior, Options{PriorSamples: 400})
	if err != nil {
		t.Fatal(err)
	}
	both := append([]Sample(nil), samples...)
	for _, s := range samples {
		odds, _ := s.odds(&prior, nil)
		for k, q := range odds {
			both = append(both, Sample{Rows: s.Rows, Chosen: k, Weight: q})
		}
	}
	want, _, err := Weights(t.Context(), both, prior, Options{PriorSamples: -1})
	if err != nil {
		t.Fatal(err)
	}
	for f := range got {
		if math.Abs(got[f]-want[f]) > 1e-3 {
			t.Errorf("%v is %.4f, want %.4f", ranker.Feature(f), got[f], want[f])
		}
	}
	if got[ranker.Popularity] < 0.3 || got[ranker.Popularity] > 0.7 {
		t.Errorf("popularity %.2f, want it half way from 0 to 1", got[ranker.Popularity])
	}
}

func TestFixedFeaturesKeepTheirWeight(t *testing.T) {
	prior := ranker.DefaultWeights()
	got, _, err := Weights(t.Context(), choices(ranker.Weights{ranker.Repeat: 3}, 500), prior, Options{Fixed: []ranker.Feature{ranker.Repeat}})
	if err != nil || got[ranker.Repeat] != prior[ranker.Repeat] || got[ranker.Popularity] == prior[ranker.Popularity] {
		t.Errorf("repeat %v, popularity %v, %v", got[ranker.Repeat], got[ranker.Popularity], err)
	}
}

func TestBadInputIsRefused(t *testing.T) {
	good := choices(ranker.Weights{}, 2)
	nan := Sample{Rows: []ranker.Features{{float32(math.NaN())}}}
	for i, samples := range [][]Sample{nil, {{}}, {{Rows: good[0].Rows, Chosen: 20}}, {{Rows: good[0].Rows, Weight: -1}}, {nan}} {
		if _, _, err := Weights(t.Context(), samples, ranker.Weights{}, Options{}); !errors.Is(err, ErrSamples) {
			t.Errorf("case %d: %v, want ErrSamples", i, err)
		}
	}
	if _, _, err := Weights(t.Context(), good, ranker.Weights{math.NaN()}, Options{}); !errors.Is(err, ranker.ErrWeights) {
		t.Errorf("%v, want ErrWeights", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Weights(ctx, good, ranker.Weights{}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// Lists whose slots are looked at as 1/slot, in order of popularity: who takes clicks for liking
// finds that popularity is all; with the slots told, the weight by which people chose is found.
func TestSlotsAreToldFromLiking(t *testing.T) {
	truth := ranker.Weights{ranker.CoVisited: 2, ranker.Position: 1}
	rng := rand.New(rand.NewPCG(3, 4))
	var told, untold []Sample
	for range 8000 {
		var s, hidden Sample
		best := math.Inf(-1)
		for k := range 10 {
			row := ranker.Features{ranker.CoVisited: rng.Float32(), ranker.Popularity: 1 - float32(k)/10, ranker.Position: -float32(math.Log(float64(k + 1)))}
			s.Rows = append(s.Rows, row)
			if v := truth.ScoreOf(&row) - math.Log(-math.Log(rng.Float64())); v > best {
				best, s.Chosen = v, k
			}
			row[ranker.Position] = 0
			hidden.Rows = append(hidden.Rows, row)
		}
		hidden.Chosen = s.Chosen
		told, untold = append(told, s), append(untold, hidden)
	}
	got, _, err := Weights(t.Context(), told, ranker.Weights{}, Options{Ridge: 0.1})
	if err != nil || math.Abs(got[ranker.Position]-1) > 0.15 || math.Abs(got[ranker.Popularity]) > 0.4 || math.Abs(got[ranker.CoVisited]-2) > 0.2 {
		t.Errorf("position %.2f, popularity %.2f, co-visited %.2f, %v; want 1, 0, 2", got[ranker.Position], got[ranker.Popularity], got[ranker.CoVisited], err)
	}
	biased, _, err := Weights(t.Context(), untold, ranker.Weights{}, Options{Ridge: 0.1})
	if err != nil || biased[ranker.Popularity] < 1 {
		t.Errorf("without slots: popularity %.2f, %v; the bias should show", biased[ranker.Popularity], err)
	}
}
