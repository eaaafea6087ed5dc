package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	heads "github.com/kindred-rec/kindred/embed/behaviour/transition"
	"github.com/kindred-rec/kindred/embed/train/sequence"
	"github.com/kindred-rec/kindred/embed/train/transition"
)

// Behaviour trains a model. Errors wrap [ErrData], or are those of the packages that train
// the parts, or of the context; with [sequence.ErrDiverged] or an error of the context the
// result has what the transformer's trainer has kept, in its Report alone.
func Behaviour(ctx context.Context, d Data, o Options) (Result, error) {
	start := time.Now()
	if err := d.check(); err != nil {
		return Result{}, err
	}
	var r Result
	before := len(d.Items)
	if d = d.known(o.MinEvents); len(d.Items) == 0 {
		return r, fmt.Errorf("%w: none of %d items has %d events or more: there is nothing to learn", ErrData, before, o.MinEvents)
	}
	r.Report.Rows, r.Report.Cases = len(d.Items), len(d.Valid)
	o = o.over(d)
	o.say(Transitions)
	head, err := countHead(ctx, d, o, &r.Report)
	if err != nil {
		return r, err
	}
	o.say(Transformer)
	trained, err := sequence.Train(ctx, sequence.Data{Text: d.Text, Sequences: d.Sequences, Valid: d.Valid, HideSeen: d.HideSeen}, o.Sequence)
	r.Report.Transformer, r.Report.Curve, r.Report.Stopped = trained, trained.Curve, trained.Stopped
	if err != nil {
		return r, err
	}
	r.Model = learned.Model{Items: d.Items, Numbering: d.Numbering,
		Towers: []learned.Tower{{Tower: causal.Tower{Config: trained.Config, Weights: trained.Weights}, Scale: 1}}}
	o.say(Weighing)
	var texts *heads.Head
	if o.Texts > 0 && d.TextDim > 0 {
		texts = textHead(d, o)
	}
	chosen, err := weigh(ctx, d, o, r.Model.Towers[0], head, texts, &r.Report)
	if err != nil {
		return r, err
	}
	if chosen.texts > 0 {
		r.Model.Heads = append(r.Model.Heads, learned.Head{Head: *texts, Scale: chosen.texts})
	}
	if chosen.counts > 0 {
		r.Model.Heads = append(r.Model.Heads, learned.Head{Head: head, Scale: chosen.counts})
	}
	r.Model.MaxNorm, err = r.Model.Measure(d.text)
	r.Report.Seconds = time.Since(start).Seconds()
	return r, err
}

// over fits the options to the data.
func (o Options) over(d Data) Options {
	c := &o.Sequence.Config
	c.Items, c.TextDim = len(d.Items), d.TextDim
	c.Types, c.Gaps, c.Values = d.Numbering.Rows()
	o.Transition.Seed, o.Transition.Workers = o.Sequence.Seed, o.Sequence.Workers
	return o
}

func (o Options) say(s Stage) {
	if o.Progress != nil {
		o.Progress(s)
	}
}

// text is the vector of an item's text; nil: it has none.
func (d Data) text(item int) []float32 {
	if v := d.Text[item*d.TextDim : (item+1)*d.TextDim]; !zero(v) {
		return v
	}
	return nil
}

// countHead is the part of the counts.
func countHead(ctx context.Context, d Data, o Options, report *Report) (heads.Head, error) {
	f, err := transition.Fit(ctx, len(d.Items), d.numbers(), o.Transition)
	if err != nil {
		return heads.Head{}, err
	}
	report.Pairs, report.Dropped = f.Pairs, f.Dropped
	h := heads.Head{Dim: f.Dim, Items: len(d.Items), Decay: o.Decay, Recent: o.Recent, Input: f.Input, Output: f.Output}
	if d.TextDim > 0 {
		h.TextDim = d.TextDim
		h.InputText, err = predict(d, f.Input, f.Dim, o.Ridge)
		if err != nil {
			return h, err
		}
		h.OutputText, err = predict(d, f.Output, f.Dim, o.Ridge)
	}
	return h, errors.Join(err, h.Validate())
}

// textHead is the part of the likeness of texts.
func textHead(d Data, o Options) *heads.Head {
	same := make([]float32, d.TextDim*d.TextDim)
	for i := range d.TextDim {
		same[i*d.TextDim+i] = 1
	}
	return &heads.Head{Dim: d.TextDim, TextDim: d.TextDim, Decay: o.TextDecay, Recent: o.Recent, InputText: same, OutputText: same}
}

// numbers are the items of the sequences' events that are learned to be predicted: what
// speaks against an item does not follow from what was before.
func (d Data) numbers() iter.Seq2[[]uint32, error] {
	return func(yield func([]uint32, error) bool) {
		var items []uint32
		for events := range d.Sequences {
			items = items[:0]
			for _, e := range events {
				if e.Weight > 0 {
					items = append(items, e.Item)
				}
			}
			if !yield(items, nil) {
				return
			}
		}
	}
}

// weigh chooses what the texts and the counts weigh beside the transformer.
func weigh(ctx context.Context, d Data, o Options, t learned.Tower, h heads.Head, texts *heads.Head, report *Report) (mix, error) {
	m := mix{o.Texts, o.Counts}
	if texts == nil {
		m.texts = 0
	}
	if report.Pairs == 0 {
		m.counts = 0
	}
	tried, chosen := mixes(m.texts, m.counts), usual
	if len(d.Valid) > 0 {
		j, err := newJudge(d, t, h, texts, tried)
		if err != nil {
			return mix{}, fmt.Errorf("train: %w", err)
		}
		gains, err := j.gains(ctx, o.Sequence.Workers)
		if err != nil {
			return mix{}, err
		}
		var mean []float64
		chosen, mean = choose(gains)
		report.Valid, report.Alone = mean[chosen], mean[0]
	}
	report.Texts, report.Counts = tried[chosen].texts, tried[chosen].counts
	return tried[chosen], nil
}
