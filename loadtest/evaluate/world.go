package evaluate

import (
	"fmt"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/holdout"
	"github.com/kindred-rec/kindred/server/exact"
)

// kinds of acts by event type. Types that are not here do not speak for an item.
var kinds = map[string]ranker.Kind{
	dataset.TypeView: ranker.Viewed, dataset.TypeClick: ranker.Clicked, dataset.TypeLike: ranker.Liked,
	dataset.TypeAddToCart: ranker.Carted, dataset.TypePurchase: ranker.Purchased, dataset.TypeRating: ranker.Rated,
	dataset.TypeComment: ranker.Commented, dataset.TypeShare: ranker.Shared,
}

// kindOf is the kind of a touch; published test rows have no types and are
// purchases.
func kindOf(e dataset.Interaction) (ranker.Kind, bool) {
	if e.Type == "" {
		return ranker.Purchased, true
	}
	kind, positive := kinds[e.Type]
	return kind, positive
}

// micros of an event, 0 where its time was made up.
func micros(e dataset.Interaction) int64 {
	if e.Synthetic {
		return 0
	}
	return e.Time * 1000
}

// newCatalog is the items as the pipeline and conditions see them.
func newCatalog(split *dataset.Split) (*catalog.Table, error) {
	table, err := catalog.New(catalog.Limits{MaxItems: uint32(len(split.Items))})
	if err != nil {
		return nil, err
	}
	for i, item := range split.Items {
		row := catalog.Item{ID: item.ID, Title: item.Title, Brand: item.Brand, Seller: item.Seller, Language: item.Language, Group: item.Group,
			Tags: item.Tags, Categories: item.Categories}
		if item.Price.Has {
			price := float64(item.Price.Units) + float64(item.Price.Nanos)/1e9
			row.Price = &price
		}
		if err := table.Put(uint32(i), row); err != nil {
			return nil, fmt.Errorf("item %q: %w", item.ID, err)
		}
	}
	return table, nil
}

// newWorld counts the train part and puts together what the pipeline ranks with.
func newWorld(split *dataset.Split, table *catalog.Table, texts, users *exact.Space, o Options) (ranker.World, error) {
	n := len(split.Items)
	w := ranker.World{Catalog: table, Vectors: texts, UserSpace: users, Nearest: users, Weights: o.Weights, Settings: o.Settings}
	counts, err := holdout.Count(n, func(yield func([]ranker.Touch) bool) {
		var t []ranker.Touch
		for _, sequence := range split.Train {
			if t = touches(t[:0], sequence.Events); !yield(t) {
				return
			}
		}
	})
	if err != nil {
		return w, err
	}
	w.CoVisited, w.Popular = counts.CoVisited, counts.Popular
	if o.tellsNew() {
		if w.Conversion, err = met(split); err != nil {
			return w, err
		}
	}
	w.Neighbours, err = ranker.NewNeighbourCache(texts, texts, n, neighbours)
	return w, err
}

// neighbours an item, as the service keeps them.
const neighbours = 150

// tellsNew reports whether some list keeps places for new items.
func (o Options) tellsNew() bool {
	for _, c := range o.Compare {
		if c.policy.GetNewItems() != nil {
			return true
		}
	}
	return len(o.NewItems) > 0
}
