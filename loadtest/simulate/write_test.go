package simulate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func writeSmall(t *testing.T, c Config) (dir string, written *Written) {
	t.Helper()
	o := DefaultWriteOptions()
	o.Dir = filepath.Join(t.TempDir(), "new")
	written, err := Write(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	return o.Dir, written
}

func readEvents(t *testing.T, dir string) []dataset.Event {
	t.Helper()
	source, err := dataset.Open(dataset.JSONL, dir, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var all []dataset.Event
	for e, err := range source.Events() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func TestWrittenLogsAreWhatHappenedAndTheSameEachTime(t *testing.T) {
	c := smallConfig()
	dir, written := writeSmall(t, c)
	again, _ := writeSmall(t, c)
	for _, name := range []string{"items.jsonl", "events.jsonl", "decisions.jsonl", "truth.json"} {
		a, errA := os.ReadFile(filepath.Join(dir, name))
		b, errB := os.ReadFile(filepath.Join(again, name))
		if errA != nil || errB != nil || len(a) == 0 || !bytes.Equal(a, b) {
			t.Errorf("%s: %v, %v, %d bytes; want the same twice", name, errA, errB, len(a))
		}
	}
	events, ids, w := readEvents(t, dir), map[string]bool{}, testWorld(t, c)
	if len(events) != written.Events || written.Events == 0 {
		t.Errorf("%d events read, %d written", len(events), written.Events)
	}
	for _, e := range events {
		n, ok := ItemNumber(e.Item)
		if !ok || ids[e.ID] || e.Time.Before(w.Created(w.Item(n))) {
			t.Fatalf("event %+v: its id stands twice, or its item was not there yet", e)
		}
		ids[e.ID] = true
	}
}

// The words of a comment must not say the opposite of its stars: sentiment is learned from it.
func TestCommentsAgreeWithTheirRatings(t *testing.T) {
	w := testWorld(t, smallConfig())
	s, comments := scene{World: w}, map[float64]int{}
	for n := range 3000 {
		var acts []Act
		liking := float64(n%500)/100 - 2.5
		s.opinion(Visit{User: n}, liking, n%300, 0, func(kind string, item, _ int) *Act {
			acts = append(acts, newAct(Visit{User: n}, len(acts), kind, item, w.Start))
			return &acts[len(acts)-1]
		})
		if len(acts) < 2 {
			continue
		}
		stars, text, texts := acts[0].Value, acts[1].Text, lukewarm
		if stars >= 4 {
			texts = praise
		} else if stars <= 2 {
			texts = blame
		}
		if acts[0].Type != dataset.TypeRating || acts[1].Type != dataset.TypeComment || !slices.ContainsFunc(texts, func(s string) bool {
			before, after, _ := strings.Cut(s, "%s")
			return strings.HasPrefix(text, before) && strings.HasSuffix(text, after)
		}) {
			t.Errorf("liking %v: %v stars and %q", liking, stars, text)
		}
		if liking > 1.5 && stars < 4 || liking < -2 && stars > 3 {
			t.Errorf("liking %v gives %v stars", liking, stars)
		}
		comments[stars]++
	}
	if len(comments) != 5 {
		t.Errorf("comments by stars %v; want some of each", comments)
	}
}

// A log with exact propensities tells what another policy would have brought: its own weighted clicks must come to the truth
// that stands beside it.
func TestDecisionsTellTheTruthOfAnotherPolicy(t *testing.T) {
	c := smallConfig()
	c.Users, c.Days, c.Limit = 200, 10, 2
	o := DefaultWriteOptions()
	o.Dir, o.Pool = t.TempDir(), 6
	written, err := Write(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	dir, clicked := o.Dir, map[string]bool{}
	for _, e := range readEvents(t, dir) {
		if e.Type == dataset.TypeClick {
			clicked[e.RecommendationID+e.Item] = true
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "decisions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var n, sum, square float64
	for line := range bytes.Lines(raw) {
		var d kindredv1.Decision
		if err := protojson.Unmarshal(line, &d); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		n++
		got := weighted(t, &d, clicked)
		sum, square = sum+got, square+got*got
	}
	mean := sum / n
	se := math.Sqrt((square/n - mean*mean) / n)
	truth := written.Truth.Policies[1]
	if truth.Name != "by_affinity" || int(n) != written.Decisions || math.Abs(mean-truth.Clicks) > 4*se || se > truth.Clicks/4 {
		t.Errorf("%v decisions give %.4f clicks by list, standard error %.4f; the truth of %s is %.4f", n, mean, se, truth.Name, truth.Clicks)
	}
}

// weighted is the estimate of one decision for the policy by affinity: under the position-based model a slot does not depend
// on the others, and each candidate had the same chance of each slot.
func weighted(t *testing.T, d *kindredv1.Decision, clicked map[string]bool) float64 {
	t.Helper()
	all := slices.Concat(d.GetItems(), d.GetLosers())
	if len(all) != int(d.GetCandidates()) || len(d.GetFeatureNames()) != len(all[0].GetFeatures()) {
		t.Fatalf("%d candidates listed of %d", len(all), d.GetCandidates())
	}
	target := slices.SortedFunc(slices.Values(all), func(a, b *kindredv1.ShownItem) int {
		return cmp.Compare(b.GetFeatures()[0], a.GetFeatures()[0])
	})
	sum := 0.0
	for k, item := range d.GetItems() {
		if p, want := item.GetPropensity(), 1/float64(len(all)-k); math.Abs(p-want) > 1e-12 {
			t.Fatalf("slot %d has propensity %v, want %v", k+1, p, want)
		}
		if item.GetItemId() == target[k].GetItemId() && clicked[d.GetRecommendationId()+item.GetItemId()] {
			sum += float64(len(all))
		}
	}
	return sum
}

func TestImpossibleFilesAreRefusedByName(t *testing.T) {
	c := smallConfig()
	dir, _ := writeSmall(t, c)
	for name, change := range map[string]func(*WriteOptions, *Config){
		"is there already": func(o *WriteOptions, _ *Config) { o.Dir = dir }, "no directory": func(o *WriteOptions, _ *Config) { o.Dir = "" },
		"0 workers": func(o *WriteOptions, _ *Config) { o.Workers = 0 }, "pool of 9": func(o *WriteOptions, _ *Config) { o.Pool = 9 },
		"pool of 200": func(o *WriteOptions, _ *Config) { o.Pool = 200 }, "3000002 users": func(_ *WriteOptions, c *Config) { c.Users = 3_000_000 },
	} {
		o, config := DefaultWriteOptions(), c
		o.Dir = t.TempDir()
		change(&o, &config)
		if _, err := Write(t.Context(), config, o); !errors.Is(err, ErrOptions) || !contains(err, name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := DefaultWriteOptions()
	o.Dir = t.TempDir()
	if _, err := Write(ctx, c, o); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled writing ended with %v", err)
	}
}

func TestLogsOfAComparisonAreRead(t *testing.T) {
	c, o := smallConfig(), DefaultOptions()
	recorder := NewRecorder(c, t.TempDir())
	counts := make(chan int, 1000)
	o.Policies = []PolicyName{PolicyPopularity, PolicyRandom}
	o.Record = func(p PolicyName, seed uint64, acts []Act) error {
		if p == PolicyRandom {
			counts <- len(acts)
		}
		return recorder.Record(p, seed, acts)
	}
	if _, err := Run(t.Context(), c, o); err != nil {
		t.Fatal(err)
	}
	if err := recorder.Close(); err != nil {
		t.Fatal(err)
	}
	close(counts)
	want := 0
	for n := range counts {
		want += n
	}
	if got := len(readEvents(t, filepath.Join(recorder.dir, "random-1"))); got != want || got == 0 {
		t.Errorf("%d events in the log, want %d", got, want)
	}
	if err := recorder.Record(PolicyRandom, 1, []Act{{}}); err == nil {
		t.Error("a closed log was written to")
	}
}

func BenchmarkItems(b *testing.B) {
	w := testWorld(b, DefaultConfig())
	var line []byte
	n := 0
	for b.Loop() {
		line = appendItem(line[:0], w, w.Item(n))
		n++
	}
	if !json.Valid(line) {
		b.Fatal(string(line))
	}
	b.ReportMetric(float64(time.Second)/(float64(b.Elapsed())/float64(b.N)), "items/s")
}

func BenchmarkOracle(b *testing.B) {
	for _, clicks := range []Clicks{PositionBased(0.7), Cascade(0.6, 0.95)} {
		b.Run(string(clicks.Model), func(b *testing.B) {
			c := DefaultConfig()
			c.Clicks = clicks
			w := testWorld(b, c)
			s, err := newShelves(w)
			if err != nil {
				b.Fatal(err)
			}
			m, o, u := w.newMood(), newOracle(s), 0
			for b.Loop() {
				w.feel(m, w.User(u%c.Users), 0)
				if len(o.show(m, nil, 0)) != c.Limit {
					b.Fatal("a short list")
				}
				u++
			}
		})
	}
}
