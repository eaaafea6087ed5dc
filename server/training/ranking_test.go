package training_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/clicks"
	"github.com/kindred-rec/kindred/ranker/selection"
	"github.com/kindred-rec/kindred/server/learned"
	"github.com/kindred-rec/kindred/server/shop"
	"github.com/kindred-rec/kindred/server/training"
)

// clicked is a log with what was shown: people click by liking of a row's features.
type clicked struct {
	memory
	decisions []clicks.Decision
	outcomes  []clicks.Outcome
	broken    error
}

func (c clicked) Decisions(context.Context) iter.Seq2[clicks.Decision, error] {
	return each(c.decisions, c.broken)
}

func (c clicked) Outcomes(context.Context) iter.Seq2[clicks.Outcome, error] {
	return each(c.outcomes, nil)
}

func each[T any](list []T, last error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range list {
			if !yield(x, nil) {
				return
			}
		}
		if last != nil {
			var none T
			yield(none, last)
		}
	}
}

func shownTo(src memory, lists int, likes func(x *ranker.Features) float64) clicked {
	c := clicked{memory: src}
	r := rand.New(rand.NewPCG(4, 4))
	at := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	for i := range lists {
		d := clicks.Decision{ID: fmt.Sprint("reply-", i), Time: at}
		for k := range 8 {
			x := clicks.Shown{Item: fmt.Sprint("i", k), Slot: k + 1, Propensity: 1}
			x.Features[ranker.Popularity], x.Features[ranker.Trend] = float32(r.IntN(2)), float32(r.IntN(2))
			if r.Float64() < likes(&x.Features)/float64(k+1) {
				c.outcomes = append(c.outcomes, clicks.Outcome{Decision: d.ID, Item: x.Item, Objective: "click", Time: at.Add(time.Minute)})
			}
			d.Items = append(d.Items, x)
		}
		c.decisions = append(c.decisions, d)
	}
	return c
}

func served(t *testing.T, r training.Result) ranker.Model {
	t.Helper()
	b, err := learned.Load(r.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := b.(shop.Ranked)
	if !ok {
		t.Fatal("the bundle has no ranker")
	}
	return m.Ranking()
}

func parameter(r training.Result, name string) string {
	for _, p := range r.Bundle.Manifest().Parameters {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

func TestTheRankerLearnsFromClicksAndTellsProbabilities(t *testing.T) {
	src := shownTo(walkers(150), 4000, func(x *ranker.Features) float64 { return 0.1 + 0.4*float64(x[ranker.Popularity]) })
	o := small(t)
	o.Ranker = selection.Linear
	o.Objectives = []clicks.Objective{{Name: "click", Weight: 3, Window: time.Hour}}
	r, err := training.Run(t.Context(), src, o)
	if err != nil {
		t.Fatal(err)
	}
	if k := r.Ranking; k.Kind != "linear" || k.From != training.FromClicks || k.Fitted < 1000 || k.Clicks.Decisions != 4000 || k.Trial != nil {
		t.Errorf("%+v", k)
	}
	m := served(t, r)
	// ln(0.5/0.1) for what is popular, and a slot counts as 1/slot.
	var popular, slot ranker.Parts
	m.Attribute(&ranker.Features{ranker.Popularity: 1}, &popular)
	m.Attribute(&ranker.Features{ranker.Position: 1}, &slot)
	if math.Abs(popular[ranker.Popularity]-math.Log(5)) > 0.25 || math.Abs(slot[ranker.Position]-1) > 0.2 {
		t.Errorf("popularity %.2f, want %.2f; position %.2f, want 1", popular[ranker.Popularity], math.Log(5), slot[ranker.Position])
	}
	c, ok := m.(ranker.Calibrated)
	if !ok {
		t.Fatal("it tells no probabilities")
	}
	if p := c.Probability(popular[ranker.Popularity]); math.Abs(p-0.5) > 0.1 {
		t.Errorf("a popular item shown first is clicked with probability %.3f, want 0.5", p)
	}
	of := r.Ranking.Reliability["click"]
	if of.Error > 0.03 || of.Brier >= of.Base || len(r.Ranking.Reliability) != 1 {
		t.Errorf("%+v", r.Ranking.Reliability)
	}
	metrics := r.Bundle.Manifest().Metrics
	if !slices.ContainsFunc(metrics, func(m bundle.Metric) bool { return m.Name == "calibration_error_click" && m.Value == of.Error }) {
		t.Errorf("metrics %v", metrics)
	}
	if parameter(r, "objective_click") != "weight 3, window 1h0m0s, least value 0" || parameter(r, "ranker_learned_from") != "clicks" || parameter(r, "decisions") != "4000" {
		t.Errorf("parameters %v", r.Bundle.Manifest().Parameters)
	}
}

// People click one of two features but not both: a network says it, weights do not.
func TestANetworkServesWhereClicksSayMoreThanWeightsCan(t *testing.T) {
	either := func(x *ranker.Features) float64 {
		return 0.03 + 0.6*math.Abs(float64(x[ranker.Popularity]-x[ranker.Trend]))
	}
	r, err := training.Run(t.Context(), shownTo(walkers(150), 1500, either), small(t))
	if err != nil {
		t.Fatal(err)
	}
	if k := r.Ranking; k.Kind != "network" || k.Trial == nil || !k.Trial.Clear() || served(t, r).Name() != "network" || parameter(r, "ranker") != "network" {
		t.Errorf("%s, %+v", k.Kind, k.Trial)
	}
}

func TestFewClicksLeaveTheRankerToNextEvents(t *testing.T) {
	r, err := training.Run(t.Context(), shownTo(walkers(150), 50, func(*ranker.Features) float64 { return 0.3 }), small(t))
	if err != nil {
		t.Fatal(err)
	}
	if k := r.Ranking; k.From != training.FromNextEvents || k.Kind != "linear" || k.Fitted < 100 || k.Clicks.Decisions != 50 || len(k.Reliability) != 0 {
		t.Errorf("%+v", k)
	}
	if _, ok := served(t, r).(ranker.Calibrated); ok {
		t.Error("probabilities of a handful of clicks are told")
	}
}

func TestAModelOfOnesOwnGoesIntoTheBundle(t *testing.T) {
	const forest = "../../ranker/trees/testdata/xgboost_ndcg.json"
	src := shownTo(walkers(150), 1000, func(x *ranker.Features) float64 { return 0.3 })
	o := small(t)
	o.RankerFile = forest
	r, err := training.Run(t.Context(), src, o)
	if err != nil {
		t.Fatal(err)
	}
	if k := r.Ranking; k.Kind != "xgboost" || k.From != training.FromFile || k.Fitted != 0 {
		t.Errorf("%+v", k)
	}
	m := served(t, r)
	if _, ok := m.(ranker.Calibrated); m.Name() != "xgboost" || !ok {
		t.Errorf("%s serves, calibrated %v", m.Name(), ok)
	}
	want, err := os.ReadFile(forest)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Bundle.ReadFile(bundle.RankerTreesFile); err != nil || string(got) != string(want) {
		t.Errorf("the bundle has another file, %v", err)
	}
	bad := filepath.Join(t.TempDir(), "model.txt")
	if err := os.WriteFile(bad, []byte("tree\nversion=v4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{bad, filepath.Join(t.TempDir(), "none")} {
		o := small(t)
		o.RankerFile = path
		if _, err := training.Run(t.Context(), src, o); !errors.Is(err, training.ErrOptions) || !strings.Contains(err.Error(), "ranker file") {
			t.Errorf("%s: %v", path, err)
		}
		if left, _ := os.ReadDir(o.Dir); len(left) > 0 {
			t.Errorf("%s left %v", path, left)
		}
	}
}

func TestWhatIsWrongWithClicksIsSaid(t *testing.T) {
	src := shownTo(walkers(150), 10, func(*ranker.Features) float64 { return 0.3 })
	src.broken = errors.New("the line is down")
	if _, err := training.Run(t.Context(), src, small(t)); !errors.Is(err, src.broken) || !strings.Contains(err.Error(), "decision log") {
		t.Errorf("%v", err)
	}
	for name, edit := range map[string]func(*training.Options){
		"forest":    func(o *training.Options) { o.Ranker = "forest" },
		"objective": func(o *training.Options) { o.Objectives = []clicks.Objective{{Name: "click"}} },
	} {
		o := small(t)
		edit(&o)
		if _, err := training.Run(t.Context(), shownTo(walkers(150), 10, func(*ranker.Features) float64 { return 0 }), o); !errors.Is(err, training.ErrOptions) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
