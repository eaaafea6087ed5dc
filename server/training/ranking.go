package training

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/calibrate"
	"github.com/kindred-rec/kindred/ranker/clicks"
	"github.com/kindred-rec/kindred/ranker/fit"
	"github.com/kindred-rec/kindred/ranker/holdout"
	"github.com/kindred-rec/kindred/ranker/network"
	"github.com/kindred-rec/kindred/ranker/selection"
	"github.com/kindred-rec/kindred/ranker/trees"
)

// What a ranker's model was learned from, as it stands in a manifest.
const (
	FromNothing    = "nothing" // the default weights serve
	FromNextEvents = "next events"
	FromClicks     = "clicks"
	FromFile       = "file"
)

// Ranking is what a run made of the ranker.
type Ranking struct {
	// Kind of model: linear, network, lightgbm or xgboost.
	Kind string
	// From says what it was learned from.
	From string
	// Fitted is how many choices it was learned from; 0: the default weights serve, or a file.
	Fitted int
	// Trial is how network and weights compared; nil: they were not.
	Trial *selection.Trial
	// Clicks is what the decision log gave; zeros where there is none.
	Clicks clicks.Report
	// Reliability of the probabilities, by objective; empty: there are none.
	Reliability map[string]calibrate.Report

	weights     ranker.Weights
	model       ranker.Model
	file        []byte // of trees
	calibration calibrate.Calibration
}

const (
	// fewClicks is how many choices the decision log must have for the ranker to be learned
	// from them.
	fewClicks = 200
	// fewActed is how many of the impressions kept apart must have been acted on, by an
	// objective, for its probability to be told.
	fewActed = 30
)

// clickedUnder are features of the users' space. Decisions were logged under another encoder's:
// what those choices say of them is not so of the new one.
var clickedUnder = []ranker.Feature{ranker.UserSimilarity, ranker.UserRank, ranker.SpaceSimilarity}

// ranking learns what scores, from clicks where there are enough, else from what came next;
// a model of one's own, if there is one, scores instead.
func (d *corpus) ranking(ctx context.Context, src Source, m learned.Model, o Options) (Ranking, error) {
	r := Ranking{Kind: string(selection.Linear), From: FromNothing, weights: ranker.DefaultWeights()}
	own := o.own
	log, err := shown(ctx, src, o)
	if err != nil {
		return r, err
	}
	var choices []fit.Sample
	if log != nil {
		r.Clicks, choices = log.Report(), log.Samples()
	}
	samples, err := d.nextEvents(ctx, m)
	if err != nil {
		return r, fmt.Errorf("fitting the ranker: %w", err)
	}
	kind := o.Ranker
	if len(choices) >= fewClicks || own != nil {
		kind = selection.Linear // what scores comes below
	}
	if len(samples) > 0 {
		if err := r.choose(ctx, samples, FromNextEvents, o.selection(kind, unweighed)); err != nil {
			return r, err
		}
	}
	switch {
	case own != nil:
		r.Kind, r.From, r.Fitted, r.Trial = own.model.Name(), FromFile, 0, nil
		r.model, r.file = own.model, own.text
	case len(choices) >= fewClicks:
		err = r.choose(ctx, choices, FromClicks, o.selection(o.Ranker, clickedUnder))
	}
	if err != nil || log == nil {
		return r, err
	}
	return r, r.calibrate(log)
}

// selection are the options of a choice in which some features keep their weights.
func (o Options) selection(kind selection.Kind, fixed []ranker.Feature) selection.Options {
	return selection.Options{
		Kind: kind, Seed: o.Seed, Fit: fit.Options{Fixed: fixed}, Network: network.Options{Blind: fixed, Workers: o.Workers},
	}
}

// choose learns from choices, beginning with the weights so far.
func (r *Ranking) choose(ctx context.Context, samples []fit.Sample, from string, o selection.Options) error {
	chosen, err := selection.Choose(ctx, samples, r.weights, o)
	if err != nil {
		return fmt.Errorf("fitting the ranker on %s: %w", from, err)
	}
	r.Kind, r.From, r.Fitted, r.Trial = string(chosen.Kind), from, chosen.Samples, chosen.Trial
	r.weights, r.model = chosen.Weights, chosen.Model
	return nil
}

// forest is a data scientist's own model.
type forest struct {
	model *trees.Model
	text  []byte
}

// openForest reads one; nil: there is no path.
func openForest(path string) (*forest, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: ranker file: %w", ErrOptions, err)
	}
	m, err := trees.Read(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%w: ranker file %s: %w", ErrOptions, path, err)
	}
	return &forest{m, text}, nil
}

// shown joins what was shown with what came of it; nil: the source does not know.
func shown(ctx context.Context, src Source, o Options) (*clicks.Log, error) {
	source, ok := src.(Logged)
	if !ok {
		return nil, nil
	}
	log, err := clicks.New(clicks.Options{Objectives: o.Objectives, Samples: int(min(o.Memory/64/shownBytes, 1<<20)), Judged: int(min(o.Memory/64/rowBytes, 1<<20))})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	for x, err := range source.Outcomes(ctx) {
		if err != nil {
			return nil, fmt.Errorf("reading what came of recommendations: %w", err)
		}
		log.Outcome(x)
	}
	for x, err := range source.Decisions(ctx) {
		if err != nil {
			return nil, fmt.Errorf("reading the decision log: %w", err)
		}
		log.Decision(x)
	}
	return log, nil
}

// What a row of features and a list of a usual length take, in bytes.
const (
	rowBytes   = 4 * int64(ranker.FeatureCount)
	shownBytes = 20 * rowBytes
)

// calibrate fits the probabilities of each objective on the impressions kept apart: on one
// half to say how reliable they are on the other, and then on all.
func (r *Ranking) calibrate(log *clicks.Log) error {
	model := r.model
	if model == nil {
		model = &r.weights
	}
	held := log.HeldOut()
	scores := scoresOf(model, held)
	for k, objective := range log.Objectives() {
		list := make([]calibrate.Impression, len(held))
		acted := 0
		for i := range held {
			if list[i] = (calibrate.Impression{Score: scores[i], Acted: held[i].Acted(k)}); list[i].Acted {
				acted++
			}
		}
		if acted < fewActed {
			continue
		}
		half, err := calibrate.Fit(list[:len(list)/2])
		if errors.Is(err, calibrate.ErrImpressions) {
			continue // all of it came in the other half
		}
		if err != nil {
			return err
		}
		whole, err := calibrate.Fit(list)
		if err != nil {
			return fmt.Errorf("the probability of %s: %w", objective.Name, err)
		}
		if r.calibration == nil {
			r.calibration, r.Reliability = calibrate.Calibration{}, map[string]calibrate.Report{}
		}
		r.calibration[objective.Name], r.Reliability[objective.Name] = whole, calibrate.Reliability(half, list[len(list)/2:])
	}
	return nil
}

// scoresOf scores impressions where they stood.
func scoresOf(m ranker.Model, list []clicks.Judged) []float64 {
	var x ranker.Columns
	for f := range x {
		x[f] = make([]float32, len(list))
		for i := range list {
			x[f][i] = list[i].Features[f]
		}
	}
	out := make([]float64, len(list))
	m.Score(&x, out)
	return out
}

// files adds the payloads of the ranker.
func (r *Ranking) files(all map[string]bundle.Payload) {
	if r.Fitted > 0 || r.From == FromFile || r.calibration != nil {
		all[bundle.RankerFile] = func(to io.Writer) error { return holdout.Write(to, r.weights) }
	}
	if m, ok := r.model.(*network.Model); ok {
		all[bundle.RankerNetworkFile] = func(to io.Writer) error { return network.Write(to, m) }
	}
	if r.file != nil {
		all[bundle.RankerTreesFile] = func(to io.Writer) error { _, err := to.Write(r.file); return err }
	}
	if r.calibration != nil {
		all[bundle.RankerCalibrationFile] = func(to io.Writer) error { return calibrate.Write(to, r.calibration) }
	}
}
