package training

import (
	"context"
	"fmt"
	"iter"

	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/train/history"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/fit"
	"github.com/kindred-rec/kindred/ranker/holdout"
	"github.com/kindred-rec/kindred/server/exact"
	"github.com/kindred-rec/kindred/server/shop"
)

const (
	// maxWeighed is how many items a log may have for its ranker to be fitted here: both
	// spaces are held in memory.
	maxWeighed = 200_000
	// fewWeighed is how many cases must have their answer among the candidates. Weights of
	// fewer are not better than the default ones.
	fewWeighed = 50
	// neighbours of an item, as the service keeps them.
	neighbours = 150
)

// unweighed keep their default weights: cases ask for news, so that they say nothing of
// repeats, and labels and days of the catalog are not read here.
var unweighed = []ranker.Feature{ranker.Repeat, ranker.RepeatCount, ranker.LabelSimilarity, ranker.Trend, ranker.Freshness}

// nextEvents are the cases as choices among what would have been retrieved; none where there
// are too many items or too few cases.
func (d *corpus) nextEvents(ctx context.Context, m learned.Model) ([]fit.Sample, error) {
	if len(d.asked) < fewWeighed || len(d.log.Items()) > maxWeighed {
		return nil, nil
	}
	e, err := learned.New(m)
	if err != nil {
		return nil, err
	}
	world, err := d.world(e)
	if err != nil {
		return nil, err
	}
	samples, err := holdout.Samples(ctx, world, d.questions(e), ranker.DefaultWeights(), ranker.HideInteracted)
	if err != nil || len(samples) < fewWeighed {
		return nil, err
	}
	return samples, nil
}

// world is what a service would rank with, as of the training part.
func (d *corpus) world(e *learned.Encoder) (ranker.World, error) {
	ids := d.log.Items()
	var w ranker.World
	table, err := catalog.New(catalog.Limits{MaxItems: uint32(len(ids))})
	if err != nil {
		return w, err
	}
	for i, id := range ids {
		if err := table.Put(uint32(i), catalog.Item{ID: id, Title: id}); err != nil {
			return w, err
		}
	}
	texts, users, err := d.spaces(e)
	if err != nil {
		return w, err
	}
	counts, err := holdout.Count(len(ids), d.touched())
	if err != nil {
		return w, err
	}
	if d.failed != nil {
		return w, d.failed
	}
	w = ranker.World{Catalog: table, Vectors: texts, UserSpace: users, Nearest: users, CoVisited: counts.CoVisited, Popular: counts.Popular}
	w.Neighbours, err = ranker.NewNeighbourCache(texts, texts, len(ids), neighbours)
	return w, err
}

// spaces are the items' vectors, of their texts and of the model.
func (d *corpus) spaces(e *learned.Encoder) (texts, users *exact.Space, err error) {
	ids := d.log.Items()
	read, made := make([][]float32, len(ids)), make([][]float32, len(ids))
	for item, id := range ids {
		read[item] = d.known(item)
		v := make([]float32, e.Dim())
		ok, err := e.Item(v, read[item], id)
		if err != nil {
			return nil, nil, fmt.Errorf("item %q: %w", id, err)
		}
		if ok {
			made[item] = v
		}
	}
	if texts, err = exact.New(read, d.textDim); err != nil {
		return nil, nil, err
	}
	users, err = exact.New(made, e.Dim())
	return texts, users, err
}

// touched are the sequences of the training part, as a service would count them.
func (d *corpus) touched() iter.Seq[[]ranker.Touch] {
	return func(yield func([]ranker.Touch) bool) {
		for h, err := range d.log.Users() {
			if err != nil {
				d.failed = fmt.Errorf("reading the log: %w", err)
				return
			}
			kept, _ := d.split(h)
			if !yield(d.touches(kept)) {
				return
			}
		}
	}
}

func (d *corpus) touches(events []history.Event) []ranker.Touch {
	out := make([]ranker.Touch, 0, len(events))
	for _, e := range events {
		if !e.Attracts() {
			continue
		}
		t := ranker.Touch{Item: e.Item, Weight: e.Weight, Kind: shop.KindOf(d.names[e.Type])}
		if e.Time != history.NoTime {
			t.Time = e.Time
		}
		out = append(out, t)
	}
	return out
}

// questions are the cases as the ranker is asked them.
func (d *corpus) questions(e *learned.Encoder) iter.Seq2[holdout.Question, error] {
	return func(yield func(holdout.Question, error) bool) {
		user := make([]float32, e.Dim())
		for _, q := range d.asked {
			asked := holdout.Question{History: d.touches(q.History), Target: q.Target.Item}
			ok, err := e.User(user, d.acts(q.History))
			if ok {
				asked.User = user
			}
			if !yield(asked, err) {
				return
			}
		}
	}
}
