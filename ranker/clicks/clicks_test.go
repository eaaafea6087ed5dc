package clicks

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/fit"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func begin(t *testing.T, o Options) *Log {
	t.Helper()
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// list is a decision of n items a, b, … that a deterministic policy showed.
func list(id string, n int) Decision {
	d := Decision{ID: id, Time: noon}
	for k := range n {
		d.Items = append(d.Items, Shown{Item: string(rune('a' + k)), Slot: k + 1, Propensity: 1, Features: ranker.Features{ranker.CoVisited: float32(k)}})
	}
	return d
}

func TestWhatSomebodyActedOnIsAChoiceAmongWhatWasShown(t *testing.T) {
	l := begin(t, Options{HeldOut: -1})
	l.Outcome(Outcome{Decision: "1", Item: "b", Objective: "click", Time: noon.Add(time.Minute)})
	l.Outcome(Outcome{Decision: "1", Item: "b", Objective: "click", Time: noon.Add(time.Hour)}) // again: once
	l.Outcome(Outcome{Decision: "1", Item: "b", Objective: "purchase", Time: noon.Add(48 * time.Hour)})
	l.Outcome(Outcome{Decision: "1", Item: "c", Objective: "add_to_cart", Time: noon.Add(time.Minute)})
	l.Outcome(Outcome{Decision: "1", Item: "a", Objective: "view", Time: noon}) // no objective
	l.Decision(list("1", 3))
	l.Decision(list("2", 3))
	samples := l.Samples()
	if len(samples) != 2 || samples[0].Chosen != 1 || samples[1].Chosen != 2 || len(samples[0].Rows) != 3 {
		t.Fatalf("%+v", samples)
	}
	// (1+5) and 2, with the mean 1.
	if math.Abs(samples[0].Weight-1.5) > 1e-12 || math.Abs(samples[1].Weight-0.5) > 1e-12 {
		t.Errorf("weights %v and %v, want 1.5 and 0.5", samples[0].Weight, samples[1].Weight)
	}
	for k, row := range samples[0].Rows {
		if want := -float32(math.Log(float64(k + 1))); row[ranker.Position] != want || row[ranker.CoVisited] != float32(k) {
			t.Errorf("row %d: position %v, want %v", k, row[ranker.Position], want)
		}
	}
	if r := l.Report(); r.Decisions != 2 || r.Acted != 1 || r.Outcomes != 4 || !slices.Equal(r.ByObjective, []int{1, 1, 1, 0}) {
		t.Errorf("%+v", r)
	}
}

func TestSeldomShownItemsWeighMoreUpToTheClip(t *testing.T) {
	l := begin(t, Options{HeldOut: -1, Clip: 8})
	d := list("1", 3)
	d.Items[0].Propensity, d.Items[1].Propensity, d.Items[2].Propensity = 1, 0.25, 0.001
	for _, item := range []string{"a", "b", "c"} {
		l.Outcome(Outcome{Decision: "1", Item: item, Objective: "click", Time: noon})
	}
	l.Decision(d)
	s := l.Samples()
	if len(s) != 3 || math.Abs(s[1].Weight/s[0].Weight-4) > 1e-9 || math.Abs(s[2].Weight/s[0].Weight-8) > 1e-9 {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsLeftOutIsCounted(t *testing.T) {
	l := begin(t, Options{HeldOut: -1, Objectives: []Objective{{Name: "click", Weight: 1, Window: time.Hour}, {Name: "rating", Weight: 1, Window: time.Hour, Least: 4}}})
	for _, x := range []Outcome{
		{Decision: "1", Item: "a", Objective: "click", Time: noon.Add(2 * time.Hour)},               // too late
		{Decision: "1", Item: "b", Objective: "click", Time: noon.Add(-time.Second)},                // before
		{Decision: "1", Item: "z", Objective: "click", Time: noon},                                  // was not shown
		{Decision: "9", Item: "a", Objective: "click", Time: noon},                                  // never decided
		{Decision: "2", Item: "a", Objective: "rating", Value: 3, Time: noon},                       // a bad rating
		{Decision: "2", Item: "b", Objective: "rating", Value: math.NaN(), Time: noon},              // none
		{Decision: "2", Item: "c", Objective: "rating", Value: 4, Time: noon.Add(30 * time.Minute)}, // counts
	} {
		l.Outcome(x)
	}
	l.Decision(list("1", 3))
	l.Decision(list("2", 3))
	bad := list("3", 2)
	bad.Items[1].Propensity = 0
	l.Decision(bad)
	bad = list("4", 2)
	bad.Items[1].Features[ranker.Trend] = float32(math.NaN())
	l.Decision(bad)
	bad = list("5", 2)
	bad.Items[0].Slot = 0
	l.Decision(bad)
	l.Decision(Decision{ID: "6"})
	r := l.Report()
	want := Report{Decisions: 6, Acted: 1, ByObjective: []int{0, 1}, Outcomes: 5, Unjoined: 1, Strange: 1, OutsideWindow: 2, Malformed: 4}
	if fmt.Sprint(r) != fmt.Sprint(want) {
		t.Errorf("%+v, want %+v", r, want)
	}
	if s := l.Samples(); len(s) != 1 || s[0].Chosen != 2 {
		t.Errorf("%+v", s)
	}
}

func TestNothingIsKeptPastTheBounds(t *testing.T) {
	l := begin(t, Options{HeldOut: -1, Outcomes: 3, Samples: 2})
	for i := range 5 {
		l.Outcome(Outcome{Decision: fmt.Sprint(i), Item: "a", Objective: "click", Time: noon})
	}
	for i := range 5 {
		l.Decision(list(fmt.Sprint(i), 2))
	}
	if r := l.Report(); len(l.Samples()) != 2 || r.PastBound != 3 || r.Acted != 3 || r.Unjoined != 0 {
		t.Errorf("%d samples, %+v", len(l.Samples()), r)
	}
}

func TestAFifthIsKeptApartAndNeverTrainedOn(t *testing.T) {
	l := begin(t, Options{Judged: 500})
	const n = 2000
	for i := range n {
		id := fmt.Sprintf("reply-%06d", i)
		l.Outcome(Outcome{Decision: id, Item: "a", Objective: "click", Time: noon})
		l.Outcome(Outcome{Decision: id, Item: "b", Objective: "purchase", Time: noon})
		l.Decision(list(id, 2))
	}
	trained := len(l.Samples()) / 2
	if trained < n*75/100 || trained > n*85/100 {
		t.Errorf("%d of %d decisions are trained on, want about four fifths", trained, n)
	}
	held := l.HeldOut()
	if len(held) != 500 || l.Report().PastBound != 2*(n-trained)-500 {
		t.Errorf("%d impressions, %+v", len(held), l.Report())
	}
	if !held[0].Acted(0) || held[0].Acted(2) || held[1].Acted(0) || !held[1].Acted(2) || held[1].Features[ranker.Position] != -float32(math.Ln2) {
		t.Errorf("%+v", held[:2])
	}
}

// People look at slot k with probability 1/k and then click by CoVisited alone. The old
// policy ordered by Popularity. Who ignores slots finds that people love what is popular; the
// samples' Position takes the blame, and the weights by which people clicked come out.
func TestPositionBiasIsRemoved(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	l := begin(t, Options{HeldOut: -1, Objectives: []Objective{{Name: "click", Weight: 1, Window: time.Hour}}})
	for i := range 40_000 {
		d := Decision{ID: fmt.Sprint(i), Time: noon}
		for range 10 {
			d.Items = append(d.Items, Shown{Propensity: 1, Features: ranker.Features{ranker.CoVisited: r.Float32(), ranker.Popularity: r.Float32()}})
		}
		slices.SortFunc(d.Items, func(a, b Shown) int {
			if a.Features[ranker.Popularity] > b.Features[ranker.Popularity] {
				return -1
			}
			return 1
		})
		for k := range d.Items {
			d.Items[k].Item, d.Items[k].Slot = fmt.Sprint(k), k+1
			likes := 0.04 * math.Exp(2*float64(d.Items[k].Features[ranker.CoVisited]))
			if r.Float64() < likes/float64(k+1) {
				l.Outcome(Outcome{Decision: d.ID, Item: d.Items[k].Item, Objective: "click", Time: noon})
			}
		}
		l.Decision(d)
	}
	samples := l.Samples()
	got, _, err := fit.Weights(t.Context(), samples, ranker.Weights{}, fit.Options{Ridge: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(got[ranker.Position]-1) > 0.15 || math.Abs(got[ranker.Popularity]) > 0.35 || math.Abs(got[ranker.CoVisited]-2) > 0.2 {
		t.Errorf("%d clicks: position %.2f, popularity %.2f, co-visited %.2f; want 1, 0, 2", len(samples), got[ranker.Position], got[ranker.Popularity], got[ranker.CoVisited])
	}
	for i := range samples {
		rows := slices.Clone(samples[i].Rows)
		for k := range rows {
			rows[k][ranker.Position] = 0
		}
		samples[i].Rows = rows
	}
	biased, _, err := fit.Weights(t.Context(), samples, ranker.Weights{}, fit.Options{Ridge: 0.1})
	if err != nil || biased[ranker.Popularity] < 1 {
		t.Errorf("without slots: popularity %.2f, %v; the bias should show", biased[ranker.Popularity], err)
	}
}

// Exploration shows items of kind A in one list of ten; clicked as often as others when
// shown, they must come out as liked as others over all lists: ten clicks of B count one of A.
func TestPropensitiesMakeUpForWhatWasSeldomShown(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	weigh := func(propensities bool) (a, b float64) {
		l := begin(t, Options{HeldOut: -1, Clip: 20})
		for i := range 20_000 {
			d := list(fmt.Sprint(i), 2)
			d.Items[0].Propensity, d.Items[0].Features = 0.9, ranker.Features{}
			if r.Float64() < 0.1 {
				d.Items[0].Propensity, d.Items[0].Features = 0.1, ranker.Features{ranker.Freshness: 1}
			}
			if !propensities {
				d.Items[0].Propensity = 1
			}
			if r.Float64() < 0.3 {
				l.Outcome(Outcome{Decision: d.ID, Item: "a", Objective: "click", Time: noon})
			}
			l.Decision(d)
		}
		for _, s := range l.Samples() {
			if s.Rows[0][ranker.Freshness] == 1 {
				a += s.Weight
			} else {
				b += s.Weight
			}
		}
		return a, b
	}
	if a, b := weigh(true); math.Abs(a/b-1) > 0.1 {
		t.Errorf("weights %.0f and %.0f, want alike", a, b)
	}
	if a, b := weigh(false); a/b > 0.2 {
		t.Errorf("without propensities %.0f and %.0f: one in ten should show", a, b)
	}
}

func TestObjectivesAreReadAndRefused(t *testing.T) {
	list, err := ParseObjectives("click=0.5, purchase=10,subscribe=3")
	if err != nil || len(list) != 3 || list[0] != (Objective{"click", 0.5, 24 * time.Hour, 0}) || list[1].Weight != 10 || list[2] != (Objective{"subscribe", 3, 7 * 24 * time.Hour, 0}) {
		t.Errorf("%v, %v", list, err)
	}
	if usual, err := ParseObjectives(""); err != nil || !slices.Equal(usual, DefaultObjectives()) {
		t.Errorf("%v, %v", usual, err)
	}
	for _, text := range []string{"click", "click=x", "click=0", "click=-1", "click=NaN", "click=1,click=2", "=1", ","} {
		if _, err := ParseObjectives(text); !errors.Is(err, ErrOptions) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, o := range []Options{{Clip: 0.5}, {HeldOut: 0.95}, {HeldOut: math.NaN()}, {Samples: -1}, {Objectives: []Objective{}}, {Objectives: []Objective{{Name: "click", Weight: 1}}}} {
		if _, err := New(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
