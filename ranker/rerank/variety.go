package rerank

import (
	"slices"

	"github.com/viterin/vek/vek32"
)

// variety is maximal marginal relevance in the unit of the score: a candidate's value
// falls by weight times its closeness to what stands in the list. Closeness to vectors is
// kept up to date for a candidate when it is looked at, that to labels is counted.
type variety struct {
	relevance float64 // factor of a candidate's value: 1, or 0 for Diversity 1
	weight    float64 // of closeness, in units of the score; 0: no diversity
	counted   int     // of Engine.placed, whose labels are in counts
	seen      []likened
	vectors   [][]float32 // [ranked]
	numbers   numbers     // of labels
	labels    []int32     // numbers of the candidates' labels, each its span
	counts    []int32     // by number: how many that stand bear the label
}

// likened is how close a candidate is to what stands.
type likened struct {
	cosine   float64 // the largest, 0 to 1
	compared int32   // with so many of Engine.placed; -1: labels and vector are not there yet
	labels   span
}

// labelPart is the part of labels in closeness, that of vectors being the rest. See the
// package comment for how it was chosen.
const labelPart = 0.7

// familiar is how well known a label is of which so many stand: 1 - 2^-n.
var familiar = [...]float64{0, 1. / 2, 3. / 4, 7. / 8, 15. / 16, 31. / 32, 63. / 64, 127. / 128}

// begin takes the spread of the values of the best candidates as the unit.
func (v *variety) begin(e *Engine) {
	v.weight, v.relevance, v.counted = 0, 1, 0
	v.labels, v.counts = v.labels[:0], v.counts[:0]
	v.numbers.reset()
	lambda := e.in.Diversity
	if !(lambda > 0) || !e.has(Variety) || len(e.ranked) == 0 {
		return
	}
	v.weight = e.spread()
	if lambda < 1 {
		v.weight *= lambda / (1 - lambda)
	} else {
		v.relevance = 0
	}
	n := len(e.ranked)
	v.seen = slices.Grow(v.seen[:0], n)[:n]
	for i := range v.seen {
		v.seen[i] = likened{compared: -1}
	}
	v.vectors = slices.Grow(v.vectors[:0], n)[:n]
	clear(v.vectors)
}

// release forgets the catalog's vectors.
func (v *variety) release() {
	clear(v.vectors)
	v.vectors = v.vectors[:0]
}

// spread is how far the values of the first window of candidates lie apart, 1 where all
// are equal.
func (e *Engine) spread() float64 {
	last := 0
	for last+1 < min(len(e.ranked), e.window()) && e.ranked[last+1].tier == e.ranked[0].tier {
		last++
	}
	if d := e.ranked[0].value - e.ranked[last].value; d > 0 {
		return d
	}
	return 1
}

func (v *variety) on(e *Engine, slot int) bool { return v.weight > 0 && slot <= e.window() }

// bound is the largest value that a candidate can have in a slot.
func (v *variety) bound(e *Engine, at int32, slot int) float64 {
	if v.on(e, slot) {
		return v.relevance * e.ranked[at].value
	}
	return e.ranked[at].value
}

// value is a candidate's in a slot, and what diversity took off.
func (v *variety) value(e *Engine, at int32, slot int) (value, penalty float64) {
	if !v.on(e, slot) {
		return e.ranked[at].value, 0
	}
	penalty = v.weight * ramp(slot) * v.closeness(e, at)
	return v.relevance*e.ranked[at].value - penalty, penalty
}

// fullSlot is the slot from which closeness costs in full.
const fullSlot = 10

// ramp is the part of the cost in a slot: it grows evenly, from none in the first. The
// first slots are looked at most, and variety is of the list as a whole.
func ramp(slot int) float64 { return min(1, float64(slot-1)/(fullSlot-1)) }

// closeness of a candidate to what stands, 0 to 1: the largest cosine, and how familiar its
// labels are on average. Where an item has no vector or no label, the other counts alone.
func (v *variety) closeness(e *Engine, at int32) float64 {
	for ; v.counted < len(e.placed); v.counted++ {
		v.bear(e, e.placed[v.counted])
	}
	c := &v.seen[at]
	if c.compared < 0 {
		v.look(e, at)
	}
	if len(v.vectors[at]) > 0 {
		for ; int(c.compared) < len(e.placed); c.compared++ {
			c.cosine = max(c.cosine, cosine(v.vectors[at], v.vectors[e.placed[c.compared]]))
		}
	}
	labels := v.labels[c.labels.from:c.labels.to]
	if len(labels) == 0 {
		return c.cosine
	}
	known := 0.0
	for _, n := range labels {
		known += familiar[min(int(v.counts[n]), len(familiar)-1)]
	}
	known /= float64(len(labels))
	if len(v.vectors[at]) == 0 {
		return known
	}
	return (1-labelPart)*c.cosine + labelPart*known
}

// bear counts the labels of one that stands.
func (v *variety) bear(e *Engine, at int32) {
	if v.seen[at].compared < 0 {
		v.look(e, at)
	}
	c := v.seen[at].labels
	for _, n := range v.labels[c.from:c.to] {
		v.counts[n]++
	}
}

// look reads what a candidate is compared by: its vector, tags, categories and brand.
func (v *variety) look(e *Engine, at int32) {
	c := &v.seen[at]
	c.compared, c.labels.from = 0, int32(len(v.labels))
	item := e.ranked[at].item
	if e.in.Vectors != nil {
		v.vectors[at] = e.in.Vectors.Vector(item)
	}
	if e.in.Rows != nil {
		if row := e.in.Rows.Row(item); row != nil {
			for _, code := range row.Tags {
				v.label(uint64(code))
			}
			for _, code := range row.Categories {
				v.label(1<<32 | uint64(code))
			}
			if row.Brand != 0 {
				v.label(2<<32 | uint64(row.Brand))
			}
		}
	}
	c.labels.to = int32(len(v.labels))
}

func (v *variety) label(key uint64) {
	n := v.numbers.of(key)
	if int(n) == len(v.counts) {
		v.counts = append(v.counts, 0)
	}
	v.labels = append(v.labels, n)
}

// cosine of two unit vectors, brought to [0, 1]; 0 where there is nothing to compare.
func cosine(a, b []float32) float64 {
	if len(a) != len(b) {
		return 0
	}
	dot := float64(vek32.Dot(a, b))
	if !(dot > 0) {
		return 0
	}
	return min(dot, 1)
}
