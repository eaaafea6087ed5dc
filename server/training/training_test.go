package training_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/train"
	"github.com/kindred-rec/kindred/embed/train/history"
	"github.com/kindred-rec/kindred/embed/train/sequence"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/holdout"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/training"
)

// memory is a source whose content is at hand.
type memory struct {
	acts  []history.Act
	items []training.Item
}

func (memory) Types() []record.EventType { return training.DefaultTypes() }

func (m memory) Acts(_ context.Context, limit int64) iter.Seq2[history.Act, error] {
	acts := m.acts
	if limit > 0 {
		acts = acts[:min(int64(len(acts)), limit)]
	}
	return func(yield func(history.Act, error) bool) {
		for _, a := range acts {
			if !yield(a, nil) {
				return
			}
		}
	}
}

func (m memory) Items(context.Context) iter.Seq2[training.Item, error] {
	return func(yield func(training.Item, error) bool) {
		for _, it := range m.items {
			if !yield(it, nil) {
				return
			}
		}
	}
}

const ring = 30

// walkers is a shop of a ring of items: everybody looks at what comes next.
func walkers(users int) memory {
	var m memory
	words := strings.Fields("pen ink paper lamp hose rake shovel rose pot seed tent stove tarp rope boot coffee mug press filter bean brush canvas paint easel clay leash bowl toy bed crate")
	for i := range ring {
		m.items = append(m.items, training.Item{ID: fmt.Sprint("i", i), Text: words[i]})
	}
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for step := range 6 {
		for u := range users {
			m.acts = append(m.acts, history.Act{
				ID: fmt.Sprint(u, "-", step), User: fmt.Sprint("u", u), Item: fmt.Sprint("i", (u+step)%ring), Type: record.TypeView,
				Time: start.Add(time.Duration(u)*time.Hour + time.Duration(step)*2*time.Minute), Seq: uint64(len(m.acts) + 1),
			})
		}
	}
	return m
}

func texts(t *testing.T) embed.Encoder {
	t.Helper()
	e, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func small(t *testing.T) training.Options {
	return training.Options{Dir: t.TempDir(), Encoder: texts(t), Dim: 32, Epochs: 15, Tune: func(o *train.Options) {
		o.Sequence.LearningRate, o.Transition.Rank = 5e-3, 16
	}}
}

func TestALogBecomesABundleThatBeatsPopularity(t *testing.T) {
	o := small(t)
	o.Parent = bundle.Hash(strings.Repeat("ab", 32))
	src := walkers(150)
	src.acts = append(src.acts, src.acts[0], history.Act{User: "u1", Type: record.TypeView, Time: time.Now()}) // sent twice, and without an item
	r, err := training.Run(t.Context(), src, o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(r.Bundle.Dir(), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	m := b.Manifest()
	if d := m.Data; d.Users != 150 || d.Items != ring || d.Events != 900 || d.SetAside != 2 || d.LogHead != 900 || d.First.IsZero() || !d.Last.After(d.First) {
		t.Errorf("data range %+v", d)
	}
	if m.Parent != o.Parent || m.TextEncoder.Name != o.Encoder.Info().Model || m.BehaviourDim <= 32 {
		t.Errorf("manifest %+v", m)
	}
	figure := func(name string) float64 {
		for _, x := range m.Metrics {
			if x.Name == name && x.Part == "valid" && x.Seed == 1 {
				return x.Value
			}
		}
		t.Errorf("no metric %s among %v", name, m.Metrics)
		return math.NaN()
	}
	if figure("cases") != 150 || figure("ndcg_at_10") < 0.9 || figure("popularity_ndcg_at_10") > 0.5 || figure("ndcg_at_10") != r.Model.NDCG10 {
		t.Errorf("%+v against %+v", r.Model, r.Popular)
	}
	if r.Train.Stopped == "" || !slices.Contains(m.Parameters, bundle.Parameter{Name: "events_with_duplicate_id", Value: "1"}) {
		t.Errorf("parameters %v", m.Parameters)
	}
	file, err := b.ReadFile(bundle.RankerFile)
	if err != nil {
		t.Fatal(err)
	}
	w, err := holdout.Read(bytes.NewReader(file))
	if usual := ranker.DefaultWeights(); err != nil || r.Ranking.Fitted < 100 || r.Ranking.From != training.FromNextEvents || w[ranker.UserSimilarity] <= usual[ranker.UserSimilarity] || w[ranker.Repeat] != usual[ranker.Repeat] {
		t.Errorf("fitted on %d cases to %v, %v: the model tells what comes next, and nothing is known of repeats", r.Ranking.Fitted, w, err)
	}
	left, err := os.ReadDir(o.Dir)
	if err != nil || len(left) != 1 {
		t.Errorf("beside the bundle there is %v, %v", left, err)
	}
}

func TestTooLittleIsSaidAndLeavesNothing(t *testing.T) {
	one := walkers(200)
	for i := range one.acts {
		one.acts[i].Item, one.acts[i].Time = "i0", one.acts[i].Time.Add(time.Duration(i)*time.Hour)
	}
	alone := walkers(200)
	for i := range alone.acts {
		alone.acts[i].User = "u"
	}
	for name, c := range map[string]struct {
		src  memory
		says string
	}{
		"empty":    {memory{}, "0 events"},
		"few":      {walkers(10), "60 events"},
		"one user": {alone, "users have two events"},
		"one item": {one, "1 item has events"},
	} {
		o := small(t)
		_, err := training.Run(t.Context(), c.src, o)
		if !errors.Is(err, training.ErrTooLittle) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "wait") {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := os.ReadDir(o.Dir); len(left) > 0 {
			t.Errorf("%s left %v", name, left)
		}
	}
}

func TestItemsWithoutTextAndUnknownOnesAreLearnedByTheirEvents(t *testing.T) {
	src := walkers(120)
	for i := range src.items {
		src.items[i].Text = ""
	}
	src.items = src.items[:ring/2] // the others were deleted, and stand in the log
	r, err := training.Run(t.Context(), src, small(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Model.NDCG10 < 0.9 {
		t.Errorf("%+v", r.Model)
	}
}

func TestADivergedTrainingWritesNothing(t *testing.T) {
	o := small(t)
	o.Tune = func(t *train.Options) { t.Sequence.LearningRate, t.Sequence.Clip = 1, 0; t.Sequence.Config.Layers = 8 }
	o.Epochs = 200
	src := walkers(120)
	for i := range src.items { // of a caller's own vector that is no number
		src.items[i].Vector = slices.Repeat([]float32{float32(math.NaN())}, 256)
	}
	_, err := training.Run(t.Context(), src, o)
	if err == nil {
		t.Fatal("vectors that are no numbers were trained on")
	}
	if left, _ := os.ReadDir(o.Dir); len(left) > 0 {
		t.Errorf("%v left %v", err, left)
	}
}

func TestAKilledTrainingGoesOnOnTheSameLogAndAnotherOneBeginsAnew(t *testing.T) {
	src := walkers(150)
	whole, err := training.Run(t.Context(), src, small(t))
	if err != nil {
		t.Fatal(err)
	}
	o := small(t)
	o.Checkpoint = t.TempDir()
	o.Tune = small(t).Tune
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(p training.Progress) {
		if p.Epoch == 5 {
			cancel()
		}
	}
	if _, err := training.Run(ctx, src, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	o.Progress = nil
	grown := src
	grown.acts = append(slices.Clone(src.acts), history.Act{ID: "new", User: "u1", Item: "i9", Type: record.TypePurchase, Time: time.Now()})
	r, err := training.Run(t.Context(), grown, o)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Resumed || r.History.Read != int64(len(src.acts)) || r.Train.Curve[14] != drop(whole.Train.Curve[14], r.Train.Curve[14]) {
		t.Errorf("resumed %v, %d acts; epoch 15 %+v, uninterrupted %+v", r.Resumed, r.History.Read, r.Train.Curve[14], whole.Train.Curve[14])
	}
	if left, _ := os.ReadDir(o.Checkpoint); len(left) > 0 {
		t.Errorf("after the end there is %v", left)
	}
	// A checkpoint of something else does not stand in the way.
	if err := os.WriteFile(filepath.Join(o.Checkpoint, "training.safetensors"), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(o.Checkpoint, "log.json"), []byte(`{"acts":600}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err = training.Run(t.Context(), grown, o); err != nil || r.Resumed || r.History.Read != int64(len(grown.acts)) {
		t.Errorf("resumed %v, %d acts, %v", r.Resumed, r.History.Read, err)
	}
}

// drop gives an epoch the times of another: those differ.
func drop(of, times sequence.Epoch) sequence.Epoch {
	of.Seconds, of.TokensPerSecond, of.Valid = times.Seconds, times.TokensPerSecond, times.Valid
	return of
}

func TestOptionsOutOfRangeAreNamed(t *testing.T) {
	for name, edit := range map[string]func(*training.Options){
		"Dir":     func(o *training.Options) { o.Dir = "" },
		"Encoder": func(o *training.Options) { o.Encoder = nil },
		"epochs":  func(o *training.Options) { o.Epochs = -1 },
		"dim":     func(o *training.Options) { o.Dim = 33 },
		"workers": func(o *training.Options) { o.Workers = 1000 },
		"memory":  func(o *training.Options) { o.Memory = 1 },
		"cases":   func(o *training.Options) { o.Cases = -1 },
	} {
		o := small(t)
		edit(&o)
		if _, err := training.Run(t.Context(), memory{}, o); !errors.Is(err, training.ErrOptions) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	o := small(t)
	o.Memory = training.MinMemory
	if _, err := training.Run(t.Context(), walkers(150), o); err == nil || !strings.Contains(err.Error(), "MiB") {
		t.Errorf("too little memory for the trainer: %v", err)
	}
}
