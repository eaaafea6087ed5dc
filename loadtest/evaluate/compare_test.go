package evaluate

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/train"
	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/loadtest/metrics"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/holdout"
)

// write puts a file into a folder of its own.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func contenders(t *testing.T, texts ...string) (all []Contender) {
	t.Helper()
	for _, text := range texts {
		c, err := ParseContender(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

func TestContendersAreToldApart(t *testing.T) {
	var bad strings.Builder
	if err := holdout.Write(&bad, ranker.Weights{ranker.CoVisited: -5}); err != nil {
		t.Fatal(err)
	}
	o := Options{Format: dataset.Amazon, Dir: ringDir(t), Behaviour: Mean, Compare: contenders(t, "same=mean", "knn=itemknn", "top=popular",
		"bad="+write(t, "ranker.json", bad.String()),
		"first="+write(t, "policy.json", `{"name":"p","rules":[{"name":"hero","item_id":"7","pin":{"slot":1}},{"name":"home","surfaces":["home"],"item_id":"8","exclude":{}}]}`),
		"without="+write(t, "policy.json", `{"name":"p","rules":[{"name":"none","condition":"title.contains(\"toner\")","exclude":{}}]}`))}
	r := run(t, o)
	// Intervals are made of package metrics, which is held against other libraries.
	if i := r.Intervals; len(r.Compared) != 6 || i == nil || math.Abs(i.HR10.Mean-r.HR10)+math.Abs(i.NDCG10.Mean-r.NDCG10)+math.Abs(i.MRR.Mean-r.MRR) > 1e-12 {
		t.Fatalf("%+v", r)
	}
	if r.Beyond.LabelDistance != nil || r.Beyond.Makers != nil || r.Beyond.Miscalibration != nil {
		t.Errorf("%+v: there are no labels", r.Beyond)
	}
	by := map[string]Compared{}
	for _, c := range r.Compared {
		by[c.Name] = c
		if c.Cases != r.Cases || c.Difference == nil || math.Abs(c.Difference.NDCG10.Mean-(c.NDCG10-r.NDCG10)) > 1e-12 {
			t.Errorf("%s: %+v does not fit %+v", c.Name, c, r.Figures)
		}
	}
	if c := by["same"]; c.Figures != r.Figures || c.Difference.MRR != (metrics.Interval{}) {
		t.Errorf("what is the same differs: %+v", c)
	}
	if c := by["knn"]; c.HR10 < 0.9 { // who follows whom is known, but not the order
		t.Errorf("neighbours find %v", c.HR10)
	}
	if c := by["top"]; c.Coverage > 0.5 || c.Is != "popular" { // all items are as popular, and ties go by number
		t.Errorf("the most popular: %+v", c)
	}
	if c := by["bad"]; c.HR5 > 0.1 || !c.Difference.HR10.Excludes(0) || c.Difference.HR10.High > 0 {
		t.Errorf("bad weights are not told: %+v", c)
	}
	if c := by["first"]; c.MRR >= r.MRR || !strings.Contains(c.Note, "1 of 2 rules are of surfaces") {
		t.Errorf("a pinned item costs a place: %v after %v, note %q", c.MRR, r.MRR, c.Note)
	}
	if c := by["without"]; c.Coverage > 2.0/3 || c.HR10 > 0.7 {
		t.Errorf("a third of the items is excluded: %+v", c)
	}
}

// A bundle that was trained on the same train part ranks as what is trained here.
func TestABundleIsServed(t *testing.T) {
	dir := ringDir(t)
	source, err := dataset.Open(dataset.Amazon, dir, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	split, err := dataset.NewSplit(source, dataset.SplitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	encoder, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	texts, err := encode(t.Context(), encoder, split.Items)
	if err != nil {
		t.Fatal(err)
	}
	settings := train.DefaultOptions()
	settings.Sequence.Seed = 1
	made, err := train.Behaviour(t.Context(), trainingData(split, texts), settings)
	if err != nil {
		t.Fatal(err)
	}
	info := encoder.Info()
	manifest := bundle.Manifest{Created: time.Unix(1, 0), BehaviourDim: made.Model.PlainDim(), TextEncoder: bundle.Space{Name: info.Model, Dim: info.Dim}}
	b, err := bundle.Write(t.TempDir(), manifest, made.Model.Payloads(), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, Options{Format: dataset.Amazon, Dir: dir, Compare: contenders(t, "shipped="+b.Dir())})
	if c := r.Compared[0]; c.Is != "bundle" || c.Figures != r.Figures || c.Note == "" {
		t.Errorf("%+v, want the figures of %+v and a word on what it was trained on", c, r.Figures)
	}
	manifest.TextEncoder.Name = "another"
	if b, err = bundle.Write(t.TempDir(), manifest, made.Model.Payloads(), bundle.Limits{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), Options{Format: dataset.Amazon, Dir: dir, Compare: contenders(t, "shipped="+b.Dir())}, nil); !errors.Is(err, ErrOptions) {
		t.Errorf("%v, want the encoder refused", err)
	}
}

// shelf is a log of buyers who go through thirty items in one order, a minute a step, in
// random company; half of the items are of each seller.
func shelf(t *testing.T, users, steps int) (dir string) {
	t.Helper()
	var items, events strings.Builder
	for i := range ringItems {
		fmt.Fprintf(&items, `{"id":"%d","title":"thing %c","seller":"s%d","categories":["c%d"]}`+"\n", i, 'a'+rune(i%26), i%2, i%3)
	}
	for step := range steps {
		for u := range users {
			fmt.Fprintf(&events, `{"user":"u%d","item":"%d","type":"view","time":%q}`+"\n", u, (u*3+step)%ringItems,
				time.Unix(int64(1_700_000_000+60*(step*users+u)), 0).UTC().Format(time.RFC3339))
		}
	}
	dir = t.TempDir()
	for name, text := range map[string]string{"items.jsonl": items.String(), "events.jsonl": events.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheLogIsCutByTime(t *testing.T) {
	o := Options{Format: dataset.JSONL, Dir: shelf(t, 20, 10), Behaviour: Mean, Protocol: ByTime, Cut: dataset.TimeCut{Test: 0.2, Valid: 0.1, PerUser: 1}}
	r := run(t, o)
	if r.Protocol != GlobalTime || r.Cases != 20 || len(r.Windows) != 1 || r.Windows[0].TrainEvents != 140 || r.HR10 < 0.9 {
		t.Errorf("%+v", r)
	}
	o.Split = Valid
	if v := run(t, o); v.Windows[0].From != v.Windows[0].TrainedUntil || v.Windows[0].Until != r.Windows[0].From || v.Cases != 20 {
		t.Errorf("validation: %+v", v)
	}
	o.Protocol, o.Windows, o.Cut.PerUser, o.Split = Rolling, 2, 0, Test
	o.Compare = contenders(t, "knn=itemknn")
	r = run(t, o)
	if r.Protocol != RollingWindows || len(r.Windows) != 2 || r.Windows[0].TrainEvents >= r.Windows[1].TrainEvents ||
		r.Windows[0].Cases+r.Windows[1].Cases != r.Cases || r.Cases != 40 || r.Compared[0].Cases != 40 || r.Intervals.Users != 20 {
		t.Errorf("%+v", r)
	}
	mean := (r.Windows[0].HR10*float64(r.Windows[0].Cases) + r.Windows[1].HR10*float64(r.Windows[1].Cases)) / 40
	if math.Abs(mean-r.HR10) > 1e-12 {
		t.Errorf("hr@10 %v, of the windows %v", r.HR10, mean)
	}
}

func TestListsAreDescribed(t *testing.T) {
	b := run(t, Options{Format: dataset.JSONL, Dir: shelf(t, 20, 8), Behaviour: Mean}).Beyond
	switch {
	case b == nil || b.Makers == nil || b.Makers.By != "seller" || b.Makers.Count != 2 || b.Makers.LargestCatalog != 0.5:
		t.Errorf("makers: %+v", b)
	case b.Miscalibration == nil || *b.Miscalibration < 0 || b.LabelDistance == nil || *b.LabelDistance <= 0 || *b.LabelDistance >= 1 || b.VectorDistance <= 0:
		t.Errorf("lists: %+v", b)
	case b.Novelty <= 0 || b.Popularity <= 0 || b.Gini < 0 || b.Gini >= 1:
		t.Errorf("novelty and popularity: %+v", b)
	}
	sum := 0.0
	for _, share := range b.Exposure {
		sum += share
	}
	if math.Abs(sum-1) > 1e-9 {
		t.Errorf("exposures add up to %v", sum)
	}
	if len(b.ByActivity) != 1 || b.ActivityGap != 0 { // all histories are of one length
		t.Errorf("by activity: %+v", b.ByActivity)
	}
}

// Two lists of two items: all by hand.
func TestWhatIsBeyondAccuracyIsCountedRight(t *testing.T) {
	split := &dataset.Split{
		Items: []dataset.Item{{ID: "a", Brand: "x", Categories: []string{"1"}}, {ID: "b", Brand: "x", Categories: []string{"2"}},
			{ID: "c", Brand: "y", Categories: []string{"2"}}, {ID: "d"}},
		Train: []dataset.Sequence{{User: "u", Events: []dataset.Interaction{{Item: 0}, {Item: 0}, {Item: 1}}}, {User: "v", Events: []dataset.Interaction{{Item: 0}}}},
	}
	encoder, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	texts, err := encode(t.Context(), encoder, split.Items)
	if err != nil {
		t.Fatal(err)
	}
	queries := []dataset.Query{{User: "u", History: []dataset.Interaction{{Item: 0}}}, {User: "v", History: []dataset.Interaction{{Item: 1}, {Item: 2}, {Item: 2}}}}
	b, coverage := newTraits(split, texts).beyond(queries, []answer{newAnswer(1, false, []uint32{0, 1}), newAnswer(20, false, []uint32{1, 2})})
	for what, is := range map[string][2]float64{
		"coverage":       {coverage, 0.75},
		"labels apart":   {*b.LabelDistance, 2.0 / 3},                                       // x of 1, 2, x; 2 of 2, x, y
		"novelty":        {b.Novelty, (0 + 1 + 1 + 1) / 4.0},                                // met by 2, 1, 1 and, as if, 1 of 2
		"popularity":     {b.Popularity, (2 + 0.5) / 2},                                     // 3 and 1, 1 and 0
		"Gini":           {b.Gini, metrics.Gini([]int{1, 2, 1, 0})},                         // places
		"miscalibration": {*b.Miscalibration, math.Log(1/(0.99*0.5+metrics.Smoothing)) / 2}, // all of 1 in half of 1 and 2; the same
		"disparity":      {b.Makers.Disparity, 0.75 - 2.0/3},
		"first tenth":    {b.Exposure[0], 0.25},
		"gap":            {b.ActivityGap, 1},
	} {
		if math.Abs(is[0]-is[1]) > 1e-9 {
			t.Errorf("%s is %v, want %v", what, is[0], is[1])
		}
	}
}

func TestDataThatCannotBeEvaluatedAreNamed(t *testing.T) {
	one := func(users, steps int, item func(step int) int) string {
		var events strings.Builder
		for u := range users {
			for step := range steps {
				fmt.Fprintf(&events, `{"user":"u%d","item":"%d","type":"view","time":"2026-01-01T00:%02d:00Z"}`+"\n", u, item(step), step)
			}
		}
		dir := t.TempDir()
		for name, text := range map[string]string{"items.jsonl": "", "events.jsonl": events.String()} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	same, each := func(int) int { return 1 }, func(step int) int { return step }
	for why, c := range map[string]struct {
		dir  string
		o    Options
		want error
		word string
	}{
		"an empty log":              {one(0, 0, each), Options{}, ErrNoQuestions, "neither an item nor an event"},
		"all items the same":        {one(20, 5, same), Options{}, ErrNoQuestions, "of one item"},
		"two events a user":         {one(20, 2, each), Options{}, ErrNoQuestions, "three events"},
		"all have one act":          {one(20, 1, each), Options{}, ErrNoQuestions, "of one item"},
		"an empty log by time":      {one(0, 0, each), Options{Protocol: ByTime}, dataset.ErrProtocol, "three at least"},
		"one moment":                {one(20, 1, each), Options{Protocol: ByTime}, dataset.ErrProtocol, "distinct times"},
		"no test rows":              {one(20, 5, each), Options{Protocol: Given}, ErrOptions, "test rows"},
		"no such protocol":          {one(20, 5, each), Options{Protocol: "half"}, ErrOptions, "half"},
		"a cut that is not by time": {one(20, 5, each), Options{Cut: dataset.TimeCut{Test: 0.1}}, ErrOptions, "time"},
	} {
		c.o.Format, c.o.Dir = dataset.JSONL, c.dir
		if _, err := Run(t.Context(), c.o, nil); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.word) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", why, err, c.word)
		}
	}
	ring := Options{Format: dataset.Amazon, Dir: ringDir(t), Protocol: ByTime}
	if _, err := Run(t.Context(), ring, nil); !errors.Is(err, dataset.ErrProtocol) || !strings.Contains(err.Error(), "leave one out") {
		t.Errorf("times made up: %v", err)
	}
}

// One user is enough to be asked, and too few for an interval.
func TestOneUserIsAskedWithoutAnInterval(t *testing.T) {
	r := run(t, Options{Format: dataset.JSONL, Dir: shelf(t, 1, 9), Behaviour: Mean, Compare: contenders(t, "top=popular")})
	if r.Cases != 1 || r.Intervals != nil || r.Compared[0].Difference != nil {
		t.Errorf("%+v", r)
	}
	if page := r.Page(); len(page.Sections) == 0 || page.Facts[0].Note != "too few users for an interval" {
		t.Errorf("%+v", page.Facts)
	}
}

func TestPoliciesThatCannotBeAreRefused(t *testing.T) {
	for text, word := range map[string]string{
		`{"name":"p","diversity":3}`:                                               "Diversity is 3",
		`{"name":"p","rules":[{"name":"r","item_id":"7"}]}`:                        "no action",
		`{"name":"p","rules":[{"name":"r","item_id":"none","exclude":{}}]}`:        `"none"`,
		`{"name":"p","rules":[{"name":"r","condition":"colour==1","exclude":{}}]}`: "colour",
		`{"name":"p","caps":[{"most":1}]}`:                                         "label",
	} {
		o := Options{Format: dataset.Amazon, Dir: ringDir(t), Behaviour: Mean, Compare: contenders(t, "p="+write(t, "p.json", text))}
		if _, err := Run(t.Context(), o, nil); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, want %q", text, err, word)
		}
	}
}
