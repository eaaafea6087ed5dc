package evaluate

import (
	"cmp"
	"math"
	"slices"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// A baseline scores all items and shows those above 0: what any recommender must beat.
type baseline struct {
	// score adds to scores, [items], all 0.
	score   func(history []dataset.Interaction, scores []float64)
	repeats bool
	scores  []float64
	hidden  []bool
	best    []uint32
}

// newBaseline makes an asker of one.
func newBaseline(split *dataset.Split, score func([]dataset.Interaction, []float64)) func() asker {
	return func() asker {
		n := len(split.Items)
		return &baseline{score: score, repeats: split.Repeats, scores: make([]float64, n), hidden: make([]bool, n)}
	}
}

func (b *baseline) ask(q dataset.Query) (int, []uint32, error) {
	clear(b.scores)
	clear(b.hidden)
	if !b.repeats {
		for _, e := range q.History {
			b.hidden[e.Item] = true
		}
	}
	b.score(q.History, b.scores)
	b.best = b.best[:0]
	rank := 1
	for item, s := range b.scores {
		if s <= 0 || b.hidden[item] {
			continue
		}
		if uint32(item) != q.Target && s >= b.scores[q.Target] {
			rank++
		}
		b.show(uint32(item))
	}
	if b.hidden[q.Target] || b.scores[q.Target] <= 0 {
		rank = len(b.scores)
	}
	return rank, b.best, nil
}

// show keeps the best topShown, of equals the smaller number first.
func (b *baseline) show(item uint32) {
	at := len(b.best)
	for at > 0 && b.scores[b.best[at-1]] < b.scores[item] {
		at--
	}
	if at == topShown {
		return
	}
	if len(b.best) == topShown {
		b.best = b.best[:topShown-1]
	}
	b.best = slices.Insert(b.best, at, item)
}

// popular scores by acts of training, whoever asks.
func popular(split *dataset.Split) func([]dataset.Interaction, []float64) {
	counts := acts(split)
	return func(_ []dataset.Interaction, scores []float64) {
		for item, n := range counts {
			scores[item] = float64(n)
		}
	}
}

// acts are how many acts of training speak for each item: [items].
func acts(split *dataset.Split) []int {
	counts := make([]int, len(split.Items))
	for _, sequence := range split.Train {
		for _, e := range sequence.Events {
			if _, positive := kindOf(e); positive {
				counts[e.Item]++
			}
		}
	}
	return counts
}

// Bounds of the item neighbourhood.
const (
	knnNeighbours = 100 // kept of an item
	knnItems      = 500 // of a user, the last ones: time grows with the square
)

// neighbour of an item.
type neighbour struct {
	item   uint32
	cosine float64
}

// itemKNN scores by the sum over the history of the cosine of the sets of users who met both
// (Sarwar et al., "Item-based collaborative filtering recommendation algorithms", 2001).
func itemKNN(split *dataset.Split) func([]dataset.Interaction, []float64) {
	near := neighbourhood(split)
	return func(history []dataset.Interaction, scores []float64) {
		for i, e := range history {
			if _, positive := kindOf(e); !positive || metBefore(history[:i], e.Item) {
				continue
			}
			for _, n := range near[e.Item] {
				scores[n.item] += n.cosine
			}
		}
	}
}

func metBefore(history []dataset.Interaction, item uint32) bool {
	return slices.ContainsFunc(history, func(e dataset.Interaction) bool { return e.Item == item })
}

// neighbourhood is each item's nearest, nearest first.
func neighbourhood(split *dataset.Split) [][]neighbour {
	items := make([][]uint32, len(split.Train)) // of each user
	users := make([][]int, len(split.Items))    // of each item
	for u, sequence := range split.Train {
		items[u] = distinctItems(sequence.Events, knnItems)
		for _, item := range items[u] {
			users[item] = append(users[item], u)
		}
	}
	near := make([][]neighbour, len(split.Items))
	both := make([]int, len(split.Items))
	var touched []uint32
	for item := range users {
		touched = touched[:0]
		for _, u := range users[item] {
			for _, other := range items[u] {
				if int(other) == item {
					continue
				}
				if both[other] == 0 {
					touched = append(touched, other)
				}
				both[other]++
			}
		}
		list := make([]neighbour, 0, len(touched))
		for _, other := range touched {
			list = append(list, neighbour{other, float64(both[other]) / math.Sqrt(float64(len(users[item]))*float64(len(users[other])))})
			both[other] = 0
		}
		slices.SortFunc(list, func(a, b neighbour) int { return cmp.Or(cmp.Compare(b.cosine, a.cosine), cmp.Compare(a.item, b.item)) })
		near[item] = slices.Clone(list[:min(knnNeighbours, len(list))])
	}
	return near
}

// distinctItems are the last different items, so many at most, that somebody's acts speak for.
func distinctItems(events []dataset.Interaction, most int) []uint32 {
	seen := map[uint32]bool{}
	var items []uint32
	for _, e := range slices.Backward(events) {
		if _, positive := kindOf(e); positive && !seen[e.Item] && len(items) < most {
			seen[e.Item] = true
			items = append(items, e.Item)
		}
	}
	return items
}
