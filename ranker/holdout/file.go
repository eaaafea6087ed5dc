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

// Read reads what [Write] wrote. A feature that the file does not have keeps its default
// weight: it came later than the file. One that is not known is refused, for what was fitted
// beside it does not rank as it should without it. The error wraps [ranker.ErrWeights].
func Read(from io.Reader) (ranker.Weights, error) {
	w := ranker.DefaultWeights()
	var f file
	decoder := json.NewDecoder(from)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return w, fmt.Errorf("%w: %w", ranker.ErrWeights, err)
	}
	for name, x := range f.Weights {
		feature, err := ranker.ParseFeature(name)
		if err != nil {
			return w, err
		}
		w[feature] = x
	}
	return w, w.Validate()
}
