package sequence

import (
	"context"
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/internal/kernel"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/team"
)

// Metrics are means over questions of which each has one right answer, ranked among all
// items, or all that are not in the history. An item whose score equals the answer's
// ranks before it.
type Metrics struct {
	HR5    float64 `json:"hr_at_5"`    // the share whose answer is among the first 5
	HR10   float64 `json:"hr_at_10"`   // the share whose answer is among the first 10
	NDCG10 float64 `json:"ndcg_at_10"` // 1/log2(rank+1) of answers among the first 10
	MRR    float64 `json:"mrr"`        // 1/rank
}

// Evaluate ranks cases with an encoder of one or several towers, whose scores are added.
// Text is that of [Data], for towers that have it. It takes the last longest-1 events of
// a history, as training does. Workers are goroutines, 0 for as many as there are
// processors. Errors wrap [causal.ErrConfig], [causal.ErrFormat] or [ErrData], or are of
// the context.
func Evaluate(ctx context.Context, towers []causal.Tower, text []float32, cases []Case, hideSeen bool, workers int) (Metrics, error) {
	if len(towers) == 0 {
		return Metrics{}, fmt.Errorf("%w: no tower", causal.ErrConfig)
	}
	o := DefaultOptions(towers[0].Config)
	o.Workers = workers
	members := team.New(o.workers())
	defer members.Close()
	x := &examiner{options: o, cases: cases, hide: hideSeen}
	var networks []*network
	for i, t := range towers {
		if err := t.Weights.Validate(t.Config); err != nil {
			return Metrics{}, fmt.Errorf("tower %d: %w", i, err)
		}
		own := text
		if t.Config.TextDim == 0 {
			own = nil
		}
		if err := (Data{Text: own, Valid: cases}).check(t.Config); err != nil {
			return Metrics{}, fmt.Errorf("tower %d: %w", i, err)
		}
		if t.Config.Items != towers[0].Config.Items {
			return Metrics{}, fmt.Errorf("%w: tower %d has %d items, the first %d", causal.ErrConfig, i, t.Config.Items, towers[0].Config.Items)
		}
		x.options.Longest = max(x.options.Longest, t.Config.Window+1)
		o.Config = t.Config
		networks = append(networks, newNetwork(o, members, t.Weights, nil, own, nil))
	}
	x.options.BatchTokens = max(o.BatchTokens, x.options.Longest)
	return x.examine(ctx, networks...)
}

// examiner asks networks questions, and adds their scores.
type examiner struct {
	options Options // of which it needs how much of a history counts, and how much is computed at a time
	cases   []Case
	hide    bool
	batch   batch
	ranks   []int
	packed  [][]kernel.Panels // of each network, blocks of items' vectors
	scores  [][]float32       // of each member of the team: [caseRows, items rounded up]
}

const (
	examItems = 256 // of a block of scores
	caseRows  = 32  // questions that a goroutine ranks at a time
)

// examine ranks all cases with the networks' weights as they are.
func (x *examiner) examine(ctx context.Context, networks ...*network) (Metrics, error) {
	plain := make([]masks, len(networks))
	for i, n := range networks {
		plain[i] = Options{Config: n.config}.masks(0)
		n.table.choose(nil)
		n.prepare(plain[i])
		x.pack(i, n)
	}
	x.ranks = x.ranks[:0]
	for first := 0; first < len(x.cases); {
		if err := ctx.Err(); err != nil {
			return Metrics{}, err
		}
		last := x.fill(first)
		for i, n := range networks {
			n.forward(&x.batch, plain[i])
		}
		x.rank(networks, first, last)
		first = last
	}
	return summarize(x.ranks), nil
}

// fill makes a batch of as many cases as fit, from the first on.
func (x *examiner) fill(first int) (last int) {
	x.batch.reset()
	for last = first; last < len(x.cases); last++ {
		h := x.cases[last].History
		h = h[max(0, len(h)-(x.options.longest()-1)):]
		if rows := len(x.batch.events) + len(h); rows > x.options.BatchTokens && last > first {
			break
		}
		x.batch.add(h)
		x.batch.targets = append(x.batch.targets, target{row: int32(len(x.batch.events) - 1), item: x.cases[last].Target, weight: 1})
	}
	x.batch.total = 1
	return last
}

// pack reads a network's items' vectors.
func (x *examiner) pack(number int, n *network) {
	c := n.config
	if number == len(x.packed) {
		x.packed = append(x.packed, make([]kernel.Panels, (c.Items+examItems-1)/examItems))
	}
	packed := x.packed[number]
	vectors, _ := n.table.scored()
	n.team.Do(len(packed), func(_, i int) {
		first := i * examItems
		packed[i].PackTransposed(vectors[first*c.Dim:], min(examItems, c.Items-first), c.Dim, c.Dim)
	})
	for len(x.scores) < n.team.Size() {
		x.scores = append(x.scores, make([]float32, caseRows*len(packed)*examItems))
	}
}

// rank appends the ranks of cases first to last-1, whose users' vectors the networks have.
func (x *examiner) rank(networks []*network, first, last int) {
	x.ranks = append(x.ranks, make([]int, last-first)...)
	width, items := len(x.packed[0])*examItems, networks[0].config.Items
	networks[0].team.Do((last-first+caseRows-1)/caseRows, func(member, part int) {
		from := first + part*caseRows
		to := min(from+caseRows, last)
		scores := x.scores[member]
		clear(scores[:(to-from)*width])
		for number, n := range networks {
			users := kernel.Left{Data: n.hidden[(from-first)*n.config.Dim:], Row: n.config.Dim, Step: 1}
			for i := range x.packed[number] {
				p := &x.packed[number][i]
				p.Add(scores[i*examItems:], width, users, to-from, 0, p.Count())
			}
		}
		for i := from; i < to; i++ {
			x.ranks[i] = x.cases[i].rank(scores[(i-from)*width:][:items], x.hide)
		}
	})
}

// rank is that of the answer, from 1, among the items of these scores, which are overwritten.
func (c Case) rank(scores []float32, hide bool) int {
	own := scores[c.Target]
	if hide {
		for _, e := range c.History {
			scores[e.Item] = float32(math.Inf(-1))
		}
	}
	rank := 1
	for item, s := range scores {
		if !(s < own) && item != int(c.Target) { // so that a score that is no number counts against us, too
			rank++
		}
	}
	return rank
}

func summarize(ranks []int) (m Metrics) {
	if len(ranks) == 0 {
		return m
	}
	share := 1 / float64(len(ranks))
	for _, rank := range ranks {
		m.MRR += share / float64(rank)
		if rank <= 5 {
			m.HR5 += share
		}
		if rank <= 10 {
			m.HR10 += share
			m.NDCG10 += share / math.Log2(float64(rank)+1)
		}
	}
	return m
}
