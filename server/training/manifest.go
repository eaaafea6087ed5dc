package training

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/train"
	"github.com/kindred-rec/kindred/embed/train/sequence"
)

// Names of the metrics of a manifest, all of the part "valid". Those of popularity have a
// prefix.
const (
	validPart     = "valid"
	popularPrefix = "popularity_"
)

func (d *corpus) manifest(o Options, t train.Options, m learned.Model, r Result) bundle.Manifest {
	info, h := o.Encoder.Info(), r.History
	return bundle.Manifest{
		Created: time.Now().UTC().Truncate(time.Second), Parent: o.Parent,
		TextEncoder: bundle.Space{Name: info.Model, Dim: info.Dim}, BehaviourDim: m.PlainDim(),
		Data: bundle.DataRange{
			First: h.First, Last: h.Last, LogHead: h.Head, Users: h.Users, Items: int64(d.seen), Events: h.Kept, SetAside: h.Read - h.Kept,
		},
		Code: bundle.ThisBuild(), Parameters: d.parameters(o, t, m, r), Metrics: metrics(r, o.Seed),
	}
}

func metrics(r Result, seed uint64) []bundle.Metric {
	var out []bundle.Metric
	add := func(prefix string, m sequence.Metrics) {
		for _, x := range []struct {
			name  string
			value float64
		}{{"ndcg_at_10", m.NDCG10}, {"hr_at_10", m.HR10}, {"hr_at_5", m.HR5}, {"mrr", m.MRR}} {
			out = append(out, bundle.Metric{Name: prefix + x.name, Part: validPart, Value: x.value, Seed: seed})
		}
	}
	if r.Cases > 0 {
		add("", r.Model)
		add(popularPrefix, r.Popular)
	}
	out = append(out, bundle.Metric{Name: "cases", Part: validPart, Value: float64(r.Cases), Seed: seed})
	return append(out, r.Ranking.metrics(seed)...)
}

// heldPart is of impressions that were kept apart, trialPart of choices that neither model
// was trained on.
const (
	heldPart  = "held out"
	trialPart = "trial"
)

// metrics are the figures of the ranker.
func (r *Ranking) metrics(seed uint64) []bundle.Metric {
	var out []bundle.Metric
	add := func(part, name string, value float64) {
		out = append(out, bundle.Metric{Name: name, Part: part, Value: value, Seed: seed})
	}
	if t := r.Trial; t != nil {
		add(trialPart, "ranker_linear_ndcg_at_10", t.Linear)
		add(trialPart, "ranker_network_ndcg_at_10", t.Network)
		add(trialPart, "ranker_network_gain", t.Gain)
		add(trialPart, "ranker_network_gain_error", t.Error)
	}
	for _, objective := range slices.Sorted(maps.Keys(r.Reliability)) {
		of := r.Reliability[objective]
		add(heldPart, "calibration_error_"+objective, of.Error)
		add(heldPart, "brier_"+objective, of.Brier)
		add(heldPart, "brier_of_mean_"+objective, of.Base)
	}
	return out
}

// parameters are all that a repetition needs, and what was left out of the log.
func (d *corpus) parameters(o Options, t train.Options, m learned.Model, r Result) []bundle.Parameter {
	var out []bundle.Parameter
	text := func(name, value string) { out = append(out, bundle.Parameter{Name: name, Value: value}) }
	whole := func(name string, n int64) { text(name, strconv.FormatInt(n, 10)) }
	number := func(name string, x float64) { text(name, strconv.FormatFloat(x, 'g', 6, 64)) }
	s, c := t.Sequence, t.Sequence.Config
	whole("seed", int64(o.Seed))
	whole("dim", int64(c.Dim))
	whole("layers", int64(c.Layers))
	whole("heads", int64(c.Heads))
	whole("feed_forward", int64(c.FeedForward))
	whole("window", int64(c.Window))
	whole("epochs", int64(s.Epochs))
	whole("best_epoch", int64(r.Train.Transformer.Best.Number))
	text("stopped", r.Train.Stopped)
	whole("batch", int64(s.Batch))
	whole("batch_tokens", int64(s.BatchTokens))
	number("learning_rate", s.LearningRate)
	number("weight_decay", s.WeightDecay)
	number("dropout", float64(s.Dropout))
	number("event_dropout", float64(s.EventDropout))
	number("residual_dropout", float64(s.ResidualDropout))
	for i, h := range m.Heads {
		text("head_"+strconv.Itoa(i), fmt.Sprintf("dim %d, weight %.6g, decay %.6g, recent %d", h.Dim, h.Scale, h.Decay, h.Recent))
	}
	number("ridge", t.Ridge)
	number("counts_weight", float64(r.Train.Counts))
	number("texts_weight", float64(r.Train.Texts))
	text("ranker", r.Ranking.Kind)
	text("ranker_learned_from", r.Ranking.From)
	whole("ranker_choices", int64(r.Ranking.Fitted))
	if c := r.Ranking.Clicks; c.Decisions > 0 {
		whole("decisions", int64(c.Decisions))
		whole("decisions_acted_on", int64(c.Acted))
		whole("decisions_malformed", int64(c.Malformed))
		whole("outcomes", int64(c.Outcomes))
		whole("outcomes_of_no_decision", int64(c.Unjoined))
		whole("outcomes_of_other_items", int64(c.Strange))
		whole("outcomes_outside_their_window", int64(c.OutsideWindow))
		whole("outcomes_and_impressions_past_bounds", int64(c.PastBound))
		for _, x := range o.objectives() {
			text("objective_"+x.Name, fmt.Sprintf("weight %.6g, window %v, least value %.6g", x.Weight, x.Window, x.Least))
		}
	}
	whole("pairs", r.Train.Pairs)
	whole("pairs_given_up", r.Train.Dropped)
	whole("rows", int64(r.Train.Rows))
	whole("types", int64(len(d.numbering.Types)))
	whole("gaps", int64(len(d.numbering.Gaps)))
	for _, t := range d.types {
		number("weight_"+t.Name, float64(t.Weight))
	}
	h := r.History
	whole("events_without_item_or_user", h.Incomplete)
	whole("events_of_types_without_weight", h.Untyped)
	whole("events_of_robots", h.RobotActs)
	whole("robots", h.Robots)
	whole("events_of_users_with_too_many", h.OversizedActs)
	whole("events_with_duplicate_id", h.DuplicateIDs)
	whole("events_repeated", h.DuplicateActs)
	whole("comments_scored", h.Comments)
	number("train_seconds", r.Train.Seconds)
	return out
}
