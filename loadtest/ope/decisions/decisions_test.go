package decisions

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/kindred-rec/kindred/loadtest/ope"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A message as grpcurl prints it, with camel case and line breaks, and a single decision on a line, in the other style.
const twoDecisions = `{
  "decisions": [
    {
      "recommendationId": "r1",
      "time": "2026-01-01T10:00:00Z",
      "userNumber": "7",
      "candidates": 4,
      "items": [
        {"itemId": "a", "score": 2, "propensity": 0.5, "features": [1, 0]},
        {"itemId": "b", "score": 1, "propensity": 0.25, "features": [0, 1]}
      ],
      "losers": [
        {"itemId": "c", "score": 0, "features": [1, 1]},
        {"itemId": "d", "score": -1, "features": [0, 0]}
      ],
      "featureNames": ["x", "y"]
    }
  ]
}
{"recommendation_id":"r2","time":"2026-01-01T09:00:00Z","user_number":"7","candidates":5,"items":[{"item_id":"c","score":1,"propensity":1}],"losers":[{"item_id":"a","score":1}]}
`

const events = `{"events":[
 {"id":"1","userId":"u","itemId":"b","type":"EVENT_TYPE_CLICK","time":"2026-01-01T10:05:00Z","recommendationId":"r1","position":2},
 {"id":"1","userId":"u","itemId":"b","type":"EVENT_TYPE_CLICK","time":"2026-01-01T10:05:00Z","recommendationId":"r1","position":2},
 {"id":"2","userId":"u","itemId":"a","type":"EVENT_TYPE_VIEW","time":"2026-01-01T10:06:00Z","recommendationId":"r1"},
 {"id":"3","userId":"u","itemId":"a","type":"EVENT_TYPE_CLICK","time":"2026-01-01T12:00:00Z","recommendationId":"r1"},
 {"id":"4","userId":"u","itemId":"z","type":"EVENT_TYPE_CLICK","time":"2026-01-01T10:00:01Z","recommendationId":"r1"},
 {"id":"5","userId":"u","itemId":"a","type":"EVENT_TYPE_CLICK","time":"2026-01-01T10:00:01Z"}
]}
{"id":"6","userId":"u","itemId":"a","type":"EVENT_TYPE_CLICK","time":"2026-01-01T10:00:01Z","recommendationId":"r9"}
{"id":"7","userId":"u","itemId":"c","customType":"order","time":"2026-01-01T09:30:00Z","recommendationId":"r2"}
`

func options(t *testing.T, decisions, events string) Options {
	return Options{Decisions: write(t, "decisions.json", decisions), Events: write(t, "events.json", events),
		Reward: []string{"click"}, Window: time.Hour, MaxRows: 100}
}

func read(t *testing.T, o Options) *Log {
	t.Helper()
	l, err := Read(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	return l
}

func rewards(l *Log) []float64 {
	var r []float64
	for _, row := range l.Rows {
		r = append(r, row.Reward)
	}
	return r
}

func TestDecisionsAreJoinedWithTheirEvents(t *testing.T) {
	o := options(t, twoDecisions, events)
	l := read(t, o)
	if l.Decisions() != 2 || len(l.Rows) != 3 || l.Slots != 2 || l.Actions != 4 || l.Features != 2 || l.Cluster != nil {
		t.Errorf("%d decisions, %d rows, %d slots, %d items, %d features", l.Decisions(), len(l.Rows), l.Slots, l.Actions, l.Features)
	}
	if diff := cmp.Diff([]float64{0, 1, 0}, rewards(l)); diff != "" {
		t.Errorf("clicks within an hour (-want +got):\n%s", diff)
	}
	want := []string{"6 events of click gave 1 rewards", "1 of them name no recommendation and count for none",
		"1 of them name a recommendation that is not among the decisions", "1 of them name an item that their recommendation did not show",
		"1 of them happened before their recommendation or more than 1h0m0s after it"}
	if diff := cmp.Diff(want, l.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	o.Window, o.Reward, o.ByUser = 3*time.Hour, []string{"click", "order"}, true
	l = read(t, o)
	if diff := cmp.Diff([]float64{1, 1, 1}, rewards(l)); diff != "" {
		t.Errorf("clicks and orders within three hours (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int32{0, 0}, l.Cluster); diff != "" {
		t.Errorf("both are of one user (-want +got):\n%s", diff)
	}
	if !strings.Contains(strings.Join(l.Notes, "\n"), "1 of 2 decisions are less than 3h0m0s older than the last event") {
		t.Errorf("an open window is not told: %q", l.Notes)
	}
}

func TestPackedFilesAreRead(t *testing.T) {
	o := options(t, twoDecisions, events)
	f, err := os.Create(o.Decisions)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	_, err = z.Write([]byte(twoDecisions))
	if err = errors.Join(err, z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if l := read(t, o); l.Decisions() != 2 {
		t.Errorf("%d decisions", l.Decisions())
	}
}

func TestTargetsByHand(t *testing.T) {
	l := read(t, options(t, twoDecisions, events))
	same := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	uniform := l.Uniform(TargetOptions{})
	same("first of four", uniform.Probability(0), 0.25)
	same("second of three", uniform.Probability(1), 1.0/3)
	same("first of five", uniform.Probability(2), 0.2)
	same("a forced slot, kept", l.Uniform(TargetOptions{KeepForced: true}).Probability(2), 1)

	if _, err := l.Temperature(0.5, TargetOptions{}); !errors.Is(err, ErrSampled) || !strings.Contains(err.Error(), "in 1 of 2 decisions") {
		t.Errorf("one loser of four stands for all: %v", err)
	}
	target, err := l.Temperature(0.5, TargetOptions{Estimate: true})
	if err != nil {
		t.Fatal(err)
	}
	e := math.Exp
	same("first", target.Probability(0), e(4)/(e(4)+e(2)+1+e(-2)))
	same("second", target.Probability(1), e(2)/(e(2)+1+e(-2)))
	same("four losers like the one logged", target.Probability(2), 0.2)
	if !strings.Contains(strings.Join(l.Notes, "\n"), "approximate: in 1 of 2 decisions") {
		t.Errorf("an estimate is not told: %q", l.Notes)
	}
	for _, choices := range [][]ope.Choice{target.Choices(0, nil), target.Choices(1, nil), target.Choices(2, nil), uniform.(ope.Chooser).Choices(2, nil)} {
		sum := 0.0
		for _, c := range choices {
			sum += c.Probability
		}
		same("sum of choices", sum, 1)
	}
	// So cold that all but the best underflow: the best of what is left is certain.
	cold, err := l.Temperature(1e-9, TargetOptions{Estimate: true})
	if err != nil {
		t.Fatal(err)
	}
	same("the best", cold.Probability(0), 1)
	same("the best of the rest", cold.Probability(1), 1)
	for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, err := l.Temperature(bad, TargetOptions{}); err == nil {
			t.Errorf("temperature %v passes", bad)
		}
	}
}

func TestWithoutALoserUniformHasNoChoices(t *testing.T) {
	text := `{"recommendation_id":"r","time":"2026-01-01T09:00:00Z","candidates":5,"items":[{"item_id":"c","propensity":0.5}]}`
	l := read(t, options(t, text, events))
	target := l.Uniform(TargetOptions{})
	if _, ok := target.(ope.Chooser); ok || target.Probability(0) != 0.2 {
		t.Errorf("a chooser: %v, probability %v", ok, target.Probability(0))
	}
	if _, err := l.Temperature(1, TargetOptions{Estimate: true}); !errors.Is(err, ErrSampled) || !strings.Contains(err.Error(), "no loser at all") {
		t.Errorf("temperature without a loser: %v", err)
	}
}

func TestTargetFile(t *testing.T) {
	l := read(t, options(t, twoDecisions, events))
	line := func(id string, slot int, p string) string {
		return fmt.Sprintf(`{"recommendation_id":%q,"slot":%d,"probability":%s}`+"\n", id, slot, p)
	}
	all := line("r2", 1, "0.5") + line("r1", 2, "0.25") + line("r1", 1, "1")
	target, err := l.FromFile(write(t, "target.jsonl", all+line("other", 1, "0.5")))
	if err != nil {
		t.Fatal(err)
	}
	for row, want := range []float64{1, 0.25, 0.5} {
		if got := target.Probability(row); got != want {
			t.Errorf("row %d: %v, want %v", row, got, want)
		}
	}
	if _, ok := target.(ope.Chooser); ok {
		t.Error("a file of probabilities knows no alternatives")
	}
	if !strings.Contains(strings.Join(l.Notes, "\n"), "1 probabilities in") {
		t.Errorf("notes %q", l.Notes)
	}
	for says, text := range map[string]string{
		"no probability for 1 of 3 slots, the first being slot 2 of": line("r2", 1, "0.5") + line("r1", 1, "1"),
		":4: slot: of decision \"r1\" comes twice":                   all + line("r1", 1, "1"),
		":4: slot: decision \"r1\" has slots 1 to 2":                 all + line("r1", 3, "1"),
		":1: probability: is missing, or not from 0 to 1":            line("r1", 1, "1.5"),
	} {
		if _, err := l.FromFile(write(t, "target.jsonl", text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v; want %q", err, says)
		}
	}
}

func TestBrokenExportsAreNamed(t *testing.T) {
	decision := func(rest string) string {
		return `{"recommendation_id":"r","time":"2026-01-01T09:00:00Z","items":[` + rest + "]}\n"
	}
	good := decision(`{"item_id":"a","propensity":0.5}`)
	for _, c := range []struct{ name, decisions, events, says string }{
		{"empty", "", events, "no decision with items"},
		{"nothing shown", decision(""), events, "no decision with items"},
		{"propensity 0", decision(`{"item_id":"a"}`), events, `:1: items[0].propensity: decision "r": propensity 0`},
		{"propensity above 1", decision(`{"item_id":"a","propensity":1.01}`), events, "propensity 1.01: must be above 0 and at most 1"},
		{"propensity NaN", decision(`{"item_id":"a","propensity":"NaN"}`), events, "propensity NaN"},
		{"score", decision(`{"item_id":"a","propensity":1,"score":"Infinity"}`), events, "items[0].score"},
		{"item twice", decision(`{"item_id":"a","propensity":1},{"item_id":"a","propensity":1}`), events, "items[1].item_id"},
		{"features", decision(`{"item_id":"a","propensity":1,"features":[1]}`), events, "has 1 values for 0 feature_names"},
		{"twice", good + "\n" + good, events, `:3: recommendation_id: decision "r": comes on line 1 already`},
		{"no time", `{"recommendation_id":"r","items":[{"item_id":"a","propensity":1}]}`, events, ":1: time"},
		{"no id", `{"time":"2026-01-01T09:00:00Z"}`, events, "rewards are joined by it"},
		{"unknown field", `{"recommendation":"r"}`, events, ":1: "},
		{"no JSON", good + "{", events, "behind the message that ends on line"},
		{"event", good, `{"id":"1","type":"EVENT_TYPE_TELEPATHY"}`, "events.json:1: "},
		{"event without time", good, `{"id":"1"}`, `time: of event "1" is missing`},
	} {
		_, err := Read(options(t, c.decisions, c.events))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q", c.name, err, c.says)
		}
	}
	o := options(t, twoDecisions, events)
	o.MaxRows = 3
	if _, err := Read(o); err == nil || !strings.Contains(err.Error(), "more than 3 shown items and losers") {
		t.Errorf("a log beyond the bound: %v", err)
	}
	o.Events = filepath.Join(t.TempDir(), "none")
	o.MaxRows = 100
	if _, err := Read(o); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no events: %v", err)
	}
}

func TestMixedFeaturesAreDroppedAndTold(t *testing.T) {
	other := `{"recommendation_id":"r3","time":"2026-01-01T09:00:00Z","candidates":1,"items":[{"item_id":"c","propensity":1,"features":[1]}],"feature_names":["z"]}`
	l := read(t, options(t, twoDecisions+other, events))
	if l.Features != 0 || l.Rows[0].Features != nil || !strings.Contains(strings.Join(l.Notes, "\n"), "different features") {
		t.Errorf("%d features, notes %q", l.Features, l.Notes)
	}
}

// A simulated export: lists of two out of six by Plackett and Luce's model at one temperature, judged at another. The truth
// is the sum over all lists.
func TestAnotherTemperatureIsJudgedRight(t *testing.T) {
	score := []float64{0, 0.3, 0.6, 0.9, 1.2, 1.5}
	click := func(item int) float64 { return 0.1 + 0.1*float64(item) }
	rng := rand.New(rand.NewPCG(1, 1))
	draw := func(taken int) (int, float64) {
		sum := 0.0
		for i, s := range score {
			if i != taken {
				sum += math.Exp(s)
			}
		}
		u := rng.Float64() * sum
		last := 0
		for i, s := range score {
			if i != taken {
				last = i
				if u -= math.Exp(s); u < 0 {
					break
				}
			}
		}
		return last, math.Exp(score[last]) / sum
	}
	var decisions, clicks strings.Builder
	for d := range 3000 {
		first, p1 := draw(-1)
		second, p2 := draw(first)
		losers := ""
		for i, s := range score {
			if i != first && i != second {
				losers += fmt.Sprintf(`,{"item_id":"i%d","score":%v}`, i, s)
			}
		}
		fmt.Fprintf(&decisions, `{"recommendation_id":"r%d","time":"2026-01-01T09:00:00Z","candidates":6,"items":[{"item_id":"i%d","score":%v,"propensity":%v},{"item_id":"i%d","score":%v,"propensity":%v}],"losers":[%s]}`+"\n",
			d, first, score[first], p1, second, score[second], p2, losers[1:])
		for _, item := range []int{first, second} {
			if rng.Float64() < click(item) {
				fmt.Fprintf(&clicks, `{"id":"%d-%d","item_id":"i%d","type":"EVENT_TYPE_CLICK","time":"2026-01-01T09:00:10Z","recommendation_id":"r%d"}`+"\n", d, item, item, d)
			}
		}
	}
	truth := 0.0
	weight := func(i int) float64 { return math.Exp(score[i] / 0.5) }
	all := 0.0
	for i := range score {
		all += weight(i)
	}
	for i := range score {
		for j := range score {
			if i != j {
				truth += weight(i) / all * weight(j) / (all - weight(i)) * (click(i) + click(j))
			}
		}
	}
	o := options(t, decisions.String(), clicks.String())
	o.MaxRows = 20_000
	l := read(t, o)
	target, err := l.Temperature(0.5, TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := ope.Evaluate(t.Context(), &l.Log, target, ope.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range []ope.Estimator{ope.IPS, ope.SNIPS, ope.DR} {
		e, ok := r.Estimate(by)
		if !ok || math.Abs(e.Value-truth) > 4*e.SE || e.SE > 0.05 {
			t.Errorf("%s: %+v; the truth is %v", by, e, truth)
		}
	}
	if logged, _ := r.Estimate(ope.Logged); math.Abs(logged.Value-truth) < 4*logged.SE {
		t.Errorf("the log earned %v, as much as the target: nothing is shown", logged.Value)
	}
}
