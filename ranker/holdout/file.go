package holdout

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/kindred-rec/kindred/ranker"
)

// file is how weights are kept: by the names of the features.
type file struct {
	Weights map[string]float64 `json:"weights"`
}

// Write writes weights as JSON, by the names of the features.
func Write(to io.Writer, w ranker.Weights) error {
	if err := w.Validate(); err != nil {
		return err
	}
	f := file{Weights: make(map[string]float64, ranker.FeatureCount)}
	for i, x := range w {
		f.Weights[ranker.Feature(i).String()] = x
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	_, err = to.Write(append(text, '\n'))
	return err
}

// Read reads what [Write] wrote, now or before there were some of the features: what was
// fitted without a feature ranks without it, so that a feature that such a file does not have
// has weight 0. A file by hand may name a few features; the others keep their default
// weights. A feature that is not known is refused, for what was fitted beside it does not rank
// as it should without it. The error wraps [ranker.ErrWeights].
func Read(from io.Reader) (ranker.Weights, error) {
	w := ranker.DefaultWeights()
	var f file
	decoder := json.NewDecoder(from)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return w, fmt.Errorf("%w: %w", ranker.ErrWeights, err)
	}
	if f.fitted() {
		w = ranker.Weights{}
	}
	for name, x := range f.Weights {
		feature, err := ranker.ParseFeature(name)
		if err != nil {
			return ranker.DefaultWeights(), err
		}
		w[feature] = x
	}
	return w, w.Validate()
}

// fitted reports whether the file has all features that there were when the first was
// written: a fit wrote it, not a hand.
func (f file) fitted() bool {
	for feature := range ranker.UserRank {
		if _, ok := f.Weights[feature.String()]; !ok {
			return false
		}
	}
	return true
}
