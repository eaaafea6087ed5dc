package evaluate

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/viterin/vek/vek32"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/loadtest/metrics"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/conversion"
	"github.com/kindred-rec/kindred/ranker/rerank"
)

// deciles that items are parted into by how popular they are, the most popular first.
const deciles = 10

// Variety is what lists of ten look like under one setting of re-ranking, and what it
// costs.
type Variety struct {
	// Diversity and NewItems are the setting: the weight of variety, and the share of slots
	// kept for items that fewer than NewBelow acts of training touched.
	Diversity float64 `json:"diversity"`
	NewItems  float64 `json:"new_items,omitempty"`
	NDCG10    float64 `json:"ndcg_at_10"`
	HR10      float64 `json:"hr_at_10"`
	// NDCGChange is against the first setting, and NDCGError its standard error, question by
	// question: a change of less than two of them may be luck.
	NDCGChange float64 `json:"ndcg_change"`
	NDCGError  float64 `json:"ndcg_change_se"`
	// Categories is the mean number of different leaf categories in a list.
	Categories float64 `json:"categories_at_10"`
	// CategoryDistance and VectorDistance are means over pairs of a list: one less the
	// Jaccard index of their leaf categories, and one less the cosine of their text vectors.
	CategoryDistance float64 `json:"category_distance"`
	VectorDistance   float64 `json:"vector_distance"`
	// Coverage is the share of the catalog that stands in any list.
	Coverage float64 `json:"coverage"`
	// Exposure is the share of all places that go to each tenth of the items, the most
	// popular tenth first; ties go by number.
	Exposure [deciles]float64 `json:"exposure_by_decile"`
	// Micros is the mean time of re-ranking and scoring, not of retrieval.
	Micros float64 `json:"rank_us"`
}

// NewBelow acts of training make an item one that few have met.
const NewBelow = 5

// WriteVariety writes one line a setting.
func (r Result) WriteVariety(w io.Writer) error {
	for _, v := range r.Variety {
		line, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// sweep asks all questions again under each setting.
func (o Options) sweep(ctx context.Context, split *dataset.Split, world *ranker.World, queries []dataset.Query, newAsker func() asker) ([]Variety, error) {
	var all []Variety
	var first []answer
	decile := popularityDeciles(world, len(split.Items))
	for _, lambda := range o.Diversity {
		all = append(all, Variety{Diversity: lambda})
	}
	for _, share := range o.NewItems {
		all = append(all, Variety{NewItems: share})
	}
	for i := range all {
		v := &all[i]
		policy := &rerank.Policy{Diversity: v.Diversity, KeepVariants: true, NewItems: rerank.NewItems{Share: v.NewItems, MaxImpressions: NewBelow}}
		if err := policy.Validate(); err != nil {
			return nil, err
		}
		sum := &tally{world: world, decile: decile}
		answers, covered, err := askAll(ctx, queries, func() asker { return &varied{asker: withPolicy(newAsker(), policy), sum: sum} }, o.workers(), nil)
		if err != nil {
			return nil, err
		}
		f := figures(answers, func(answer) bool { return true })
		v.NDCG10, v.HR10, v.Coverage = f.NDCG10, f.HR10, float64(covered)/float64(len(split.Items))
		sum.write(v)
		if first == nil {
			first = answers
		}
		v.NDCGChange, v.NDCGError = paired(first, answers)
	}
	return all, nil
}

// paired is the mean change of NDCG@10 from one list of answers to another to the same
// questions, and its standard error.
func paired(from, to []answer) (mean, deviation float64) {
	n := float64(len(from))
	for i := range from {
		mean += (to[i].gain() - from[i].gain()) / n
	}
	for i := range from {
		d := to[i].gain() - from[i].gain() - mean
		deviation += d * d
	}
	return mean, math.Sqrt(deviation/max(1, n-1)) / math.Sqrt(n)
}

// withPolicy has an asker of the full stage ask with a policy.
func withPolicy(a asker, p *rerank.Policy) asker {
	switch a := a.(type) {
	case *full:
		a.policy = p
	case *crossed:
		a[0].policy, a[1].policy = p, p
	}
	return a
}

// seedOf is the seed of a question: that of the evaluation and the user.
func seedOf(seed uint64, q dataset.Query) uint64 { return seed ^ xxhash.Sum64String(q.User) }

// varied looks at what is shown.
type varied struct {
	asker
	sum *tally
}

func (v *varied) ask(q dataset.Query) (int, []uint32, error) {
	rank, shown, err := v.asker.ask(q)
	if err == nil {
		v.sum.add(shown, v.took(q))
	}
	return rank, shown, err
}

// took is the time that the last answer's ranking took.
func (v *varied) took(q dataset.Query) time.Duration {
	switch a := v.asker.(type) {
	case *full:
		return a.response.Rank
	case *crossed:
		return a[half(q)].response.Rank
	}
	return 0
}

// tally adds up lists. It is safe for concurrent use.
type tally struct {
	world  *ranker.World
	decile []uint8

	mu                         sync.Mutex // guards what follows
	lists, pairs, places       int
	categories                 int
	categoryApart, vectorApart float64
	exposure                   [deciles]int
	took                       time.Duration
}

func (t *tally) add(shown []uint32, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lists++
	t.took += took
	met := map[uint32]struct{}{}
	for i, item := range shown {
		t.places++
		t.exposure[t.decile[item]]++
		leaves := t.leaves(item)
		for _, leaf := range leaves {
			met[leaf] = struct{}{}
		}
		for _, other := range shown[:i] {
			t.pairs++
			t.categoryApart += 1 - metrics.Jaccard(leaves, t.leaves(other))
			a, b := t.world.Vectors.Vector(item), t.world.Vectors.Vector(other)
			if len(a) > 0 && len(a) == len(b) {
				t.vectorApart += 1 - float64(vek32.Dot(a, b))
			} else {
				t.vectorApart++
			}
		}
	}
	t.categories += len(met)
}

func (t *tally) leaves(item uint32) []uint32 { return t.world.Catalog.Row(item).Leaves }

func (t *tally) write(v *Variety) {
	v.Categories = float64(t.categories) / float64(max(1, t.lists))
	v.CategoryDistance, v.VectorDistance = t.categoryApart/float64(max(1, t.pairs)), t.vectorApart/float64(max(1, t.pairs))
	v.Micros = float64(t.took.Microseconds()) / float64(max(1, t.lists))
	for i, n := range t.exposure {
		v.Exposure[i] = float64(n) / float64(max(1, t.places))
	}
}

// popularityDeciles are the tenths of the items by acts of training.
func popularityDeciles(world *ranker.World, items int) []uint8 {
	order := make([]uint32, items)
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortStableFunc(order, func(a, b uint32) int {
		x, y := world.Popular.Raw(a), world.Popular.Raw(b)
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	of := make([]uint8, items)
	for place, item := range order {
		of[item] = uint8(place * deciles / items)
	}
	return of
}

// met counts each act of training as an impression, so that a policy can tell the items
// that few have met. Nothing is clicked: no feature says more for it.
func met(split *dataset.Split) (*conversion.Counter, error) {
	last := int64(0)
	for _, sequence := range split.Train {
		for _, e := range sequence.Events {
			last = max(last, micros(e))
		}
	}
	counter, err := conversion.New(conversion.Options{MaxItems: max(1, len(split.Items)), HalfLife: 100 * 365 * 24 * time.Hour})
	if err != nil {
		return nil, err
	}
	for _, sequence := range split.Train {
		for _, e := range sequence.Events {
			if err := counter.Add(e.Item, conversion.Shown, last); err != nil {
				return nil, fmt.Errorf("counting: %w", err)
			}
		}
	}
	return counter, nil
}
