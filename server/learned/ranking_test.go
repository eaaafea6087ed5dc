package learned

import (
	"errors"
	"io"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/calibrate"
	"github.com/kindred-rec/kindred/ranker/fit"
	"github.com/kindred-rec/kindred/ranker/holdout"
	"github.com/kindred-rec/kindred/ranker/network"
	"github.com/kindred-rec/kindred/ranker/trees"
	"github.com/kindred-rec/kindred/server/shop"
)

// with packs a bundle with payloads of the ranker.
func with(t *testing.T, more map[string]bundle.Payload) *bundle.Bundle {
	t.Helper()
	w := tower(1, func(*causal.Config) {})
	m := bundle.Manifest{Created: time.Unix(1, 0), TextEncoder: bundle.Space{Name: "e", Dim: textDim}, BehaviourDim: w.Config.Dim}
	files := map[string]bundle.Payload{
		bundle.BehaviourFile: func(to io.Writer) error { return causal.Write(to, w) },
		bundle.ItemsFile:     func(to io.Writer) error { return bundle.WriteItems(to, ids()) },
	}
	maps.Copy(files, more)
	b, err := bundle.Write(t.TempDir(), m, files, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func text(s string) bundle.Payload {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

// payloads of each kind of model.
func payloads(t *testing.T) map[string]bundle.Payload {
	t.Helper()
	weights := ranker.DefaultWeights()
	weights[ranker.UserSimilarity] = 7
	samples := make([]fit.Sample, 4)
	for i := range samples {
		samples[i].Rows = []ranker.Features{{ranker.Popularity: float32(i)}, {}}
	}
	learned, _, err := network.Train(t.Context(), samples, weights, network.Options{Epochs: 1})
	if err != nil {
		t.Fatal(err)
	}
	forest, err := os.ReadFile("../../ranker/trees/testdata/lightgbm_lambdarank.txt")
	if err != nil {
		t.Fatal(err)
	}
	curve := calibrate.Calibration{"click": {Scores: []float64{0, 1}, Probabilities: []float64{0.1, 0.3}}}
	return map[string]bundle.Payload{
		bundle.RankerFile:            func(w io.Writer) error { return holdout.Write(w, weights) },
		bundle.RankerNetworkFile:     func(w io.Writer) error { return network.Write(w, learned) },
		bundle.RankerTreesFile:       text(string(forest)),
		bundle.RankerCalibrationFile: func(w io.Writer) error { return calibrate.Write(w, curve) },
	}
}

func TestTheRankersModelComesWithTheBundle(t *testing.T) {
	all := payloads(t)
	for files, want := range map[string]string{
		bundle.RankerFile: "linear",
		bundle.RankerFile + " " + bundle.RankerNetworkFile: "network",
		bundle.RankerTreesFile:                             "lightgbm",
		strings.Join([]string{bundle.RankerFile, bundle.RankerNetworkFile, bundle.RankerTreesFile}, " "): "lightgbm",
	} {
		for _, calibrated := range []bool{false, true} {
			chosen := map[string]bundle.Payload{}
			for _, name := range strings.Fields(files) {
				chosen[name] = all[name]
			}
			if calibrated {
				chosen[bundle.RankerCalibrationFile] = all[bundle.RankerCalibrationFile]
			}
			m, err := Load(with(t, chosen))
			if err != nil {
				t.Fatal(err)
			}
			r, ok := m.(shop.Ranked)
			if !ok || r.Ranking().Name() != want {
				t.Errorf("%s: %v, want %s", files, m, want)
				continue
			}
			c, ok := r.Ranking().(ranker.Calibrated)
			if ok != calibrated || ok && c.Probability(0.5) != 0.2 {
				t.Errorf("%s: calibrated %v, want %v", files, ok, calibrated)
			}
		}
	}
	m, err := Load(with(t, map[string]bundle.Payload{bundle.RankerFile: all[bundle.RankerFile]}))
	if err != nil {
		t.Fatal(err)
	}
	if w, ok := m.(shop.Ranked).Ranking().(*ranker.Weights); !ok || w[ranker.UserSimilarity] != 7 {
		t.Errorf("%v, want the weights of the file", m)
	}
	m, err = Load(pack(t, ids(), nil, tower(1, func(*causal.Config) {})))
	if _, ok := m.(shop.Ranked); ok || err != nil {
		t.Errorf("a bundle without a ranker has one, or %v", err)
	}
}

func TestARankerThatCannotServeIsUnfit(t *testing.T) {
	all := payloads(t)
	for what, c := range map[string]struct {
		files map[string]bundle.Payload
		want  error
		says  string
	}{
		"unknown feature": {map[string]bundle.Payload{bundle.RankerFile: text(`{"weights":{"charm":1}}`)}, ranker.ErrWeights, "charm"},
		"network":         {map[string]bundle.Payload{bundle.RankerNetworkFile: text(`{"model":"network"`)}, network.ErrModel, bundle.RankerNetworkFile},
		"trees":           {map[string]bundle.Payload{bundle.RankerTreesFile: text("tree\nversion=v4\n")}, trees.ErrModel, "cut off"},
		"calibration": {map[string]bundle.Payload{bundle.RankerFile: all[bundle.RankerFile], bundle.RankerCalibrationFile: text("{}")},
			calibrate.ErrCurve, bundle.RankerCalibrationFile},
		"of nothing": {map[string]bundle.Payload{bundle.RankerCalibrationFile: all[bundle.RankerCalibrationFile]}, shop.ErrUnfit, "not there"},
	} {
		if _, err := Load(with(t, c.files)); !errors.Is(err, shop.ErrUnfit) || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want ErrUnfit and %v with %q", what, err, c.want, c.says)
		}
	}
}
