package training

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/viterin/vek/vek32"

	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/train/history"
	"github.com/kindred-rec/kindred/embed/train/sequence"
)

// measure ranks the cases by a model and by popularity.
func (d *corpus) measure(ctx context.Context, m learned.Model, o Options) (model, popular sequence.Metrics, err error) {
	if len(d.asked) == 0 {
		return model, popular, nil
	}
	e, err := learned.New(m)
	if err != nil {
		return model, popular, err
	}
	ranks, err := d.modelRanks(ctx, e, o.Workers)
	if err != nil {
		return model, popular, err
	}
	others := make([]int, len(d.asked))
	for i, q := range d.asked {
		others[i] = d.popularRank(q)
	}
	return means(ranks), means(others), nil
}

// itemBlock is how many items' vectors exist at once.
const itemBlock = 4096

// modelRanks are the ranks of the answers among all items with events. Scores of a block of
// items are compared with the answer's, so that memory does not grow with the catalog.
func (d *corpus) modelRanks(ctx context.Context, e *learned.Encoder, workers int) ([]int, error) {
	ids, dim := d.log.Items(), e.Dim()
	users, answers := make([][]float32, len(d.asked)), make([]float32, len(d.asked))
	vector := make([]float32, dim)
	for i, q := range d.asked {
		ok, err := e.Item(vector, d.known(int(q.Target.Item)), ids[q.Target.Item])
		if err != nil {
			return nil, fmt.Errorf("item %q: %w", ids[q.Target.Item], err)
		}
		user := make([]float32, dim)
		knows, err := e.User(user, d.acts(q.History))
		if err != nil {
			return nil, fmt.Errorf("validation case %d: %w", i, err)
		}
		if ok && knows {
			users[i], answers[i] = user, vek32.Dot(user, vector)
		}
	}
	ranks := make([]int, len(d.asked))
	for i := range ranks {
		ranks[i] = 1
	}
	block := make([]float32, 0, itemBlock*dim)
	var numbers []uint32
	for item := range ids {
		if d.popular[item] > 0 || d.isAnswer(item) {
			if ok, err := e.Item(vector, d.known(item), ids[item]); err != nil {
				return nil, fmt.Errorf("item %q: %w", ids[item], err)
			} else if ok {
				block, numbers = append(block, vector...), append(numbers, uint32(item))
			}
		}
		if len(numbers) == itemBlock || item == len(ids)-1 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			d.overtake(ranks, users, answers, block, numbers, workers)
			block, numbers = block[:0], numbers[:0]
		}
	}
	for i := range ranks {
		if users[i] == nil {
			ranks[i] = len(ids) // it has nothing to say: last
		}
	}
	return ranks, nil
}

// overtake adds to each rank the items of a block that come before the answer.
func (d *corpus) overtake(ranks []int, users [][]float32, answers, block []float32, numbers []uint32, workers int) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			hidden := map[uint32]bool{}
			for {
				i := int(next.Add(1)) - 1
				if i >= len(ranks) {
					return
				}
				if users[i] == nil {
					continue
				}
				clear(hidden)
				for _, e := range d.asked[i].History {
					hidden[e.Item] = true
				}
				dim := len(users[i])
				for k, item := range numbers {
					if item != d.asked[i].Target.Item && vek32.Dot(users[i], block[k*dim:(k+1)*dim]) >= answers[i] && !hidden[item] {
						ranks[i]++
					}
				}
			}
		})
	}
	wg.Wait()
}

// isAnswer reports whether a case asks for an item.
func (d *corpus) isAnswer(item int) bool {
	if d.answers == nil {
		d.answers = make(map[uint32]bool, len(d.asked))
		for _, q := range d.asked {
			d.answers[q.Target.Item] = true
		}
	}
	return d.answers[uint32(item)]
}

// popularRank is the rank of an answer by events in the training part.
func (d *corpus) popularRank(q history.Query) int {
	rank, least := 1, d.popular[q.Target.Item]
	for item, n := range d.popular {
		if n >= least && (n > 0 || d.isAnswer(item)) && uint32(item) != q.Target.Item {
			rank++
		}
	}
	seen := map[uint32]bool{}
	for _, e := range q.History {
		if n := d.popular[e.Item]; n >= least && n > 0 && !seen[e.Item] {
			seen[e.Item] = true
			rank--
		}
	}
	return rank
}

// acts are events as a shop gives them to a model that serves.
func (d *corpus) acts(events []history.Event) []learned.Event {
	ids := d.log.Items()
	out := make([]learned.Event, len(events))
	for i, e := range events {
		out[i] = learned.Event{Item: ids[e.Item], Text: d.known(int(e.Item)), Type: d.names[e.Type], Weight: e.Weight}
		if e.Time != history.NoTime {
			out[i].Time = e.Time
		}
	}
	return out
}

// means are over the ranks.
func means(ranks []int) sequence.Metrics {
	var m sequence.Metrics
	share := 1 / float64(len(ranks))
	for _, r := range ranks {
		if r <= 5 {
			m.HR5 += share
		}
		if r <= 10 {
			m.HR10 += share
			m.NDCG10 += share / math.Log2(1+float64(r))
		}
		m.MRR += share / float64(r)
	}
	return m
}
