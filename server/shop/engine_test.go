package shop

import (
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/index/hnsw"
)

func TestTheEngineIsChosenBySizeWithoutFlapping(t *testing.T) {
	for _, c := range []struct {
		engine  Engine
		serving Engine
		items   int
		failed  int64
		want    Engine
	}{
		{Auto, Flat, 0, 0, Flat},
		{Auto, Flat, 1000, 0, Flat},
		{Auto, Flat, 1001, 0, HNSW},
		{Auto, HNSW, 1000, 0, HNSW}, // at the border what serves stays
		{Auto, HNSW, 500, 0, HNSW},
		{Auto, HNSW, 499, 0, Flat},
		{Auto, Flat, 500, 0, Flat},
		{Auto, HNSW, 1500, 1200, Flat}, // the graph found too little
		{Auto, Flat, 2399, 1200, Flat},
		{Auto, Flat, 2400, 1200, HNSW}, // twice as many: another try
		{Auto, Flat, 5001, 4000, HNSW}, // too many for a scan
		{HNSW, Flat, 1, 1, HNSW},
		{Flat, HNSW, 1 << 20, 0, Flat},
		{Coder, Flat, 1, 0, Coder},
	} {
		s := &Shop{config: Config{Index: IndexConfig{Engine: c.engine, Threshold: 1000, FlatBound: 5000}}}
		s.graphFailed.Store(c.failed)
		if got := s.choose(c.serving, c.items); got != c.want {
			t.Errorf("%s, %s serves %d items, a graph failed at %d: chosen is %s, want %s", c.engine, c.serving, c.items, c.failed, got, c.want)
		}
	}
}

func TestIndexConfigNamesWhatCannotWork(t *testing.T) {
	if err := (IndexConfig{}).withDefaults().validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for want, c := range map[string]IndexConfig{
		`"annoy" is unknown: use auto, flat, hnsw or coder`: {Engine: "annoy"},
		"Threshold is -1": {Threshold: -1},
		"Effort is -1":    {Effort: -1, MaxEffort: 5},
		"MaxEffort 5: give Effort of at least 1 and MaxEffort of Effort": {Effort: 6, MaxEffort: 5},
		"CheckK -3":            {CheckK: -3},
		"MinRecall is 1.01":    {MinRecall: 1.01},
		"FlatBound is -1":      {FlatBound: -1},
		"SnapshotAfter -1":     {SnapshotAfter: -1},
		"SnapshotEvery is -1s": {SnapshotEvery: -1e9},
		"Retry is -1s":         {Retry: -1e9},
	} {
		if err := c.withDefaults().validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", c, err, want)
		}
	}
}

// TestRecallOnRealTitles checks the graph on what the service gives it: the embedded
// encoder's vectors of real titles. So few are scanned at the effort that serves, so
// that the walk is checked with less.
func TestRecallOnRealTitles(t *testing.T) {
	encoder, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	titles := realTitles(t)
	vectors := make([]float32, len(titles)*encoder.Info().Dim)
	if err := encoder.Encode(t.Context(), titles, vectors); err != nil {
		t.Fatal(err)
	}
	dim := encoder.Info().Dim
	for _, storage := range []hnsw.Storage{hnsw.Float32, hnsw.Int8} {
		x, err := hnsw.New(hnsw.Config{Dim: dim, MaxItems: len(titles), Seed: 1, Storage: storage, Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		err = x.Build(t.Context(), len(titles), 0, func(id uint32) []float32 { return vectors[int(id)*dim : (int(id)+1)*dim] })
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []hnsw.CheckOptions{{K: 10, Effort: 40}, {K: 50, Effort: 100}} {
			o.Queries, o.Seed = 300, 1
			if len(titles) <= 32*o.Effort {
				t.Fatalf("%d titles are scanned at effort %d: nothing is checked", len(titles), o.Effort)
			}
			got, err := x.SelfCheck(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%v, %d titles: recall@%d at effort %d is %.4f", storage, len(titles), o.K, o.Effort, got.Recall)
			if got.Recall < .95 {
				t.Errorf("%v: recall@%d at effort %d is %.4f, want .95", storage, o.K, o.Effort, got.Recall)
			}
		}
	}
}
