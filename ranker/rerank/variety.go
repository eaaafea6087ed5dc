package rerank

import (
	"slices"

	"github.com/viterin/vek/vek32"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// variety is maximal marginal relevance in the unit of the score: a candidate's value
// falls by weight times its closeness to what stands in the list. Closeness is kept up to
// date for a candidate when it is looked at.
type variety struct {
	relevance float64 // factor of a candidate's value: 1, or 0 for Diversity 1
	weight    float64 // of closeness, in units of the score; 0: no diversity
	seen      []likened
	vectors   [][]float32 // [ranked]
	labels    []uint64    // of the candidates, each its span, ascending
}

// likened is how close a candidate is to what stands.
type likened struct {
	closeness float64 // the largest, 0 to 1
	compared  int32   // with so many of Engine.placed; -1: labels and vector are not there yet
	labels    span
}

// labelPart is the part of labels in closeness, that of vectors being the rest. See the
// package comment for how it was chosen.
var labelPart = 0.5

// begin takes the spread of the values of the best candidates as the unit.
func (v *variety) begin(e *Engine) {
	v.weight, v.relevance, v.labels = 0, 1, v.labels[:0]
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
	penalty = v.weight * v.closeness(e, at)
	return v.relevance*e.ranked[at].value - penalty, penalty
}

// closeness of a candidate to the closest item that stands.
func (v *variety) closeness(e *Engine, at int32) float64 {
	c := &v.seen[at]
	if c.compared < 0 {
		v.look(e, at)
	}
	for int(c.compared) < len(e.placed) {
		other := e.placed[c.compared]
		if v.seen[other].compared < 0 {
			v.look(e, other)
		}
		c.closeness = max(c.closeness, v.likeness(at, other))
		c.compared++
	}
	return c.closeness
}

// look reads what a candidate is compared by.
func (v *variety) look(e *Engine, at int32) {
	c := &v.seen[at]
	c.compared = 0
	item := e.ranked[at].item
	if e.in.Vectors != nil {
		v.vectors[at] = e.in.Vectors.Vector(item)
	}
	from := len(v.labels)
	if e.in.Rows != nil {
		if row := e.in.Rows.Row(item); row != nil {
			v.labels = appendLabels(v.labels, row)
		}
	}
	slices.Sort(v.labels[from:])
	c.labels = span{int32(from), int32(len(v.labels))}
}

// appendLabels appends the tags, categories and brand of a row, parted by kind.
func appendLabels(to []uint64, row *catalog.Row) []uint64 {
	for _, code := range row.Tags {
		to = append(to, uint64(code))
	}
	for _, code := range row.Categories {
		to = append(to, 1<<32|uint64(code))
	}
	if row.Brand != 0 {
		to = append(to, 2<<32|uint64(row.Brand))
	}
	return to
}

// likeness of two candidates, 0 to 1. Where one of the two measures has nothing to compare,
// the other counts alone.
func (v *variety) likeness(a, b int32) float64 {
	cosine, some := cosine(v.vectors[a], v.vectors[b])
	x, y := v.seen[a].labels, v.seen[b].labels
	switch {
	case x.from == x.to || y.from == y.to:
		return cosine
	case !some:
		return jaccard(v.labels[x.from:x.to], v.labels[y.from:y.to])
	}
	return (1-labelPart)*cosine + labelPart*jaccard(v.labels[x.from:x.to], v.labels[y.from:y.to])
}

// cosine of two unit vectors, brought to [0, 1]; false: there is nothing to compare.
func cosine(a, b []float32) (float64, bool) {
	if len(a) == 0 || len(a) != len(b) {
		return 0, false
	}
	dot := float64(vek32.Dot(a, b))
	if !(dot > 0) {
		return 0, true
	}
	return min(dot, 1), true
}

// jaccard is the share that two ascending lists have in common of what they have.
func jaccard(a, b []uint64) float64 {
	both, i, j := 0, 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			both++
			i++
			j++
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}
