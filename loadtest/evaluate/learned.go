package evaluate

import (
	"context"
	"fmt"
	"slices"

	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/train"
	"github.com/kindred-rec/kindred/embed/train/sequence"
	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/server/exact"
)

// trained is a behaviour encoder and the items in its space.
type trained struct {
	encoder *learned.Encoder
	items   *exact.Space
	report  train.Report
}

// learn trains a behaviour encoder on the train part, with the validation part to stop by.
func learn(ctx context.Context, split *dataset.Split, texts *exact.Space, o Options) (*trained, error) {
	settings := train.DefaultOptions()
	if o.Train != nil {
		settings = *o.Train
	}
	settings.Sequence.Seed = o.Seed
	if o.Epoch != nil {
		settings.Sequence.Progress = func(e sequence.Epoch) { o.Epoch(e, settings.Sequence.Epochs) }
	}
	result, err := train.Behaviour(ctx, trainingData(split, texts), settings)
	if err != nil {
		return nil, err
	}
	t := &trained{report: result.Report}
	if t.encoder, err = learned.New(result.Model); err != nil {
		return nil, err
	}
	t.items, err = t.place(split, texts)
	return t, err
}

// place makes the vectors of all items.
func (t *trained) place(split *dataset.Split, texts *exact.Space) (*exact.Space, error) {
	dim := t.encoder.Dim()
	rows := make([][]float32, len(split.Items))
	for i, item := range split.Items {
		v := make([]float32, dim)
		ok, err := t.encoder.Item(v, texts.Vector(uint32(i)), item.ID)
		if err != nil {
			return nil, fmt.Errorf("item %q: %w", item.ID, err)
		}
		if ok {
			rows[i] = v
		}
	}
	return exact.New(rows, dim)
}

// trainingData is the split as a trainer reads it: what speaks for an item, in order.
func trainingData(split *dataset.Split, texts *exact.Space) train.Data {
	d := train.Data{TextDim: texts.Dim(), Text: make([]float32, len(split.Items)*texts.Dim()), HideSeen: !split.Repeats}
	for i, item := range split.Items {
		d.Items = append(d.Items, item.ID)
		copy(d.Text[i*texts.Dim():], texts.Vector(uint32(i)))
	}
	sequences := make([][]sequence.Event, 0, len(split.Train))
	for _, s := range split.Train {
		if events := positive(s.Events); len(events) > 0 {
			sequences = append(sequences, events)
		}
	}
	d.Sequences = slices.Values(sequences)
	for _, q := range split.Valid {
		if history := positive(q.History); len(history) > 0 && !q.Cold {
			d.Valid = append(d.Valid, sequence.Case{History: history, Target: q.Target})
		}
	}
	return d
}

func positive(events []dataset.Interaction) []sequence.Event {
	var kept []sequence.Event
	for _, e := range events {
		if _, positive := kindOf(e); positive {
			kept = append(kept, sequence.Event{Item: e.Item, Weight: 1})
		}
	}
	return kept
}

// learnedProfile turns a history into a vector with a trained encoder.
type learnedProfile struct {
	*trained
	split  *dataset.Split
	texts  *exact.Space
	events []learned.Event
	user   []float32
}

func (p *learnedProfile) encode(history []dataset.Interaction) ([]float32, error) {
	p.events = p.events[:0]
	for _, e := range history {
		if _, positive := kindOf(e); positive {
			p.events = append(p.events, learned.Event{Item: p.split.Items[e.Item].ID, Text: p.texts.Vector(e.Item), Weight: 1, Time: micros(e)})
		}
	}
	if p.user == nil {
		p.user = make([]float32, p.encoder.Dim())
	}
	ok, err := p.encoder.User(p.user, p.events)
	if err != nil || !ok {
		return nil, err
	}
	return p.user, nil
}
