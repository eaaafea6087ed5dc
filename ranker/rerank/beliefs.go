package rerank

import "math"

// mostBelieved is how many new items compete by click rate: those with the best values.
const mostBelieved = 64

// gridCells is how many click rates a belief tells apart. They lie closer near 0, where
// click rates are.
const gridCells = 64

// grid holds, for each cell, the logarithms of its click rate, of one less it, and of its
// width.
var grid = func() (g struct{ hit, miss, width [gridCells]float64 }) {
	edge := func(i float64) float64 { return math.Pow(i/gridCells, 3) }
	for i := range gridCells {
		x := edge(float64(i) + 0.5)
		g.hit[i], g.miss[i] = math.Log(x), math.Log1p(-x)
		g.width[i] = math.Log(edge(float64(i+1)) - edge(float64(i)))
	}
	return g
}()

// beliefs are what is believed of the click rates of new items.
type beliefs struct {
	rate  float64   // of the shop
	all   float64   // impressions of the shop
	of    []int32   // by candidate, its place in mass and below divided by gridCells; -1: none yet
	mass  []float64 // probability of each cell
	below []float64 // probability of all cells before it
	after [mostBelieved + 1]float64
}

// rateUnknown is believed where nothing is known of a shop: one click in 20 impressions.
const rateUnknown = 0.05

func (b *beliefs) begin(e *Engine) {
	p := &e.in.Policy.NewItems
	b.of, b.mass, b.below = b.of[:0], b.mass[:0], b.below[:0]
	if p.Share == 0 || p.Method == ByScore {
		return
	}
	for range e.ranked {
		b.of = append(b.of, -1)
	}
	b.rate, b.all = rateUnknown, 0
	if e.in.Evidence != nil {
		clicks, impressions := e.in.Evidence.Overall()
		b.all = impressions
		if clicks > 0 && impressions > 0 {
			b.rate = min(max(clicks/impressions, 0.001), 0.5)
		}
	}
}

// evidence of an item with one click at the shop's rate that is imagined beside it, so that
// before it is shown it is believed to be as good as any, with little certainty.
func (b *beliefs) evidence(e *Engine, at int32) (hits, misses float64) {
	if e.in.Evidence != nil {
		clicks, impressions := e.in.Evidence.Evidence(e.ranked[at].item)
		hits, misses = max(clicks, 0), max(impressions-clicks, 0)
	}
	return hits + 1, misses + 1/b.rate - 1
}

// believe makes the belief of a candidate, a beta distribution over the grid, and returns
// where it stands.
func (b *beliefs) believe(e *Engine, at int32) int {
	if b.of[at] >= 0 {
		return int(b.of[at]) * gridCells
	}
	from := len(b.mass)
	b.of[at] = int32(from / gridCells)
	hits, misses := b.evidence(e, at)
	var logs [gridCells]float64
	most := math.Inf(-1)
	for g := range logs {
		logs[g] = (hits-1)*grid.hit[g] + (misses-1)*grid.miss[g] + grid.width[g]
		most = max(most, logs[g])
	}
	total := 0.0
	for g := range logs {
		logs[g] = math.Exp(logs[g] - most)
		total += logs[g]
	}
	below := 0.0
	for g := range logs {
		b.mass, b.below = append(b.mass, logs[g]/total), append(b.below, below)
		below += logs[g] / total
	}
	return from
}

// thompson weighs a choice by the probability of each to draw the largest rate, each from
// its belief, ties going to the one that comes first: a sum over the grid.
func (b *beliefs) thompson(e *Engine, to *choice) {
	for _, at := range to.at {
		b.believe(e, at)
	}
	n := len(to.at)
	for g := range gridCells {
		b.after[n] = 1 // that all after i draw at most g
		for i := n - 1; i > 0; i-- {
			at := int(b.of[to.at[i]])*gridCells + g
			b.after[i] = b.after[i+1] * (b.below[at] + b.mass[at])
		}
		before := 1.0 // that all before i draw less than g
		for i := range n {
			at := int(b.of[to.at[i]])*gridCells + g
			to.weight[i] += b.mass[at] * before * b.after[i+1]
			before *= b.below[at]
		}
	}
	to.sum()
}

// ucb gives all weight to the candidate with the largest upper bound of its rate,
// mean + √(2·ln(1+N)/n), n being its impressions with those imagined, N all of the shop.
func (b *beliefs) ucb(e *Engine, to *choice) {
	found, most := 0, math.Inf(-1)
	for i, at := range to.at {
		hits, misses := b.evidence(e, at)
		n := hits + misses
		if bound := hits/n + math.Sqrt(2*math.Log1p(b.all)/n); bound > most {
			found, most = i, bound
		}
	}
	to.weight[found] = 1
	to.sum()
}
