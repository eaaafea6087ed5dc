package trees

import (
	"errors"
	"fmt"
	"math"
	"runtime"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/attribution"
)

// ErrModel: a file is malformed, or of a model that cannot serve here.
var ErrModel = errors.New("trees: bad model")

// Bounds of a model.
const (
	// MaxSteps is how many comparisons a candidate may take: the depths of all trees together.
	// At about two nanoseconds each, five hundred candidates take four milliseconds then.
	MaxSteps = 4096
	// MaxDepth bounds the depth of one tree, in comparisons.
	MaxDepth = 128
	// MaxFile bounds a file, in bytes.
	MaxFile = 64 << 20
)

const features = int(ranker.FeatureCount)

// node is a comparison: a row goes to next[0] where its feature is at most the threshold, else
// to next[1]. A leaf goes to itself either way. Numbers are compared as keys: an integer
// comparison picks where to go without a branch, which would be guessed wrong half the time.
type node struct {
	threshold int32 // key
	feature   int32
	next      [2]int32
}

// key is an integer in the order of x, which is no NaN.
func key(x float32) int32 {
	bits := int32(math.Float32bits(x + 0)) // -0 becomes 0
	return bits ^ (bits>>31)&math.MaxInt32
}

// tree is where one begins, and how many comparisons lead to its deepest leaf.
type tree struct {
	root  int32
	depth int
}

// Model is an ensemble that scores. *Model is a [ranker.Model].
type Model struct {
	kind      string
	nodes     []node
	values    []float64 // of a leaf, by node
	trees     []tree
	base      float64 // what all rows begin with
	used      [features]bool
	explainer *attribution.Explainer
	idle      chan *block
}

// rows is how many candidates pass all trees before the next come: a multiple of 4, few
// enough to stay in the first level cache.
const rows = 64

// block is some candidates, row by row.
type block struct {
	x    [rows * features]int32 // keys
	sums [rows]float64
}

// finish checks a model that was built and makes it ready.
func (m *Model) finish() (*Model, error) {
	steps := 0
	for _, t := range m.trees {
		steps += t.depth
	}
	switch {
	case len(m.trees) == 0:
		return nil, fmt.Errorf("%w: it has no trees", ErrModel)
	case steps > MaxSteps:
		return nil, fmt.Errorf("%w: its %d trees take %d comparisons a candidate, at most %d are served: train fewer or flatter trees", ErrModel, len(m.trees), steps, MaxSteps)
	case math.IsNaN(m.base) || math.IsInf(m.base, 0):
		return nil, fmt.Errorf("%w: its base score is %v", ErrModel, m.base)
	}
	m.idle = make(chan *block, runtime.GOMAXPROCS(0))
	m.explainer = attribution.New(m.Score, &ranker.Features{})
	return m, nil
}

// Name is "lightgbm" or "xgboost".
func (m *Model) Name() string { return m.kind }

// Trees is how many there are.
func (m *Model) Trees() int { return len(m.trees) }

// Unused lists the features that no column of the file is of, in their order.
func (m *Model) Unused() (list []ranker.Feature) {
	for f, used := range m.used {
		if !used {
			list = append(list, ranker.Feature(f))
		}
	}
	return list
}

// Score writes the raw scores.
func (m *Model) Score(x *ranker.Columns, out []float64) {
	b := m.take()
	for at := 0; at < len(out); at += rows {
		n := min(rows, len(out)-at)
		b.load(x, at, n)
		for i := range b.sums {
			b.sums[i] = m.base
		}
		for _, t := range m.trees {
			m.walk(t, b, n)
		}
		copy(out[at:at+n], b.sums[:])
	}
	m.give(b)
}

// load turns columns into rows.
func (b *block) load(x *ranker.Columns, at, n int) {
	for f := range x {
		for i, v := range x[f][at : at+n] {
			b.x[i*features+f] = key(v)
		}
	}
}

// walk adds a tree's leaves to the sums, four rows at a time; rows past n are whatever the
// block held before.
func (m *Model) walk(t tree, b *block, n int) {
	nodes, values := m.nodes, m.values
	for i := 0; i < n; i += 4 {
		x0, x1 := b.x[i*features:(i+1)*features], b.x[(i+1)*features:(i+2)*features]
		x2, x3 := b.x[(i+2)*features:(i+3)*features], b.x[(i+3)*features:(i+4)*features]
		at0, at1, at2, at3 := t.root, t.root, t.root, t.root
		for range t.depth {
			n0, n1, n2, n3 := &nodes[at0], &nodes[at1], &nodes[at2], &nodes[at3]
			at0, at1 = n0.next[n0.above(x0)], n1.next[n1.above(x1)]
			at2, at3 = n2.next[n2.above(x2)], n3.next[n3.above(x3)]
		}
		b.sums[i] += values[at0]
		b.sums[i+1] += values[at1]
		b.sums[i+2] += values[at2]
		b.sums[i+3] += values[at3]
	}
}

// above is 1 where a row's feature is above the threshold, else 0.
func (n *node) above(x []int32) uint64 {
	return uint64(int64(n.threshold)-int64(x[n.feature])) >> 63
}

// Attribute writes the features' contributions; the rest is the score of a row of zeros.
func (m *Model) Attribute(x *ranker.Features, parts *ranker.Parts) (rest float64) {
	return m.explainer.Attribute(x, parts)
}

// take returns memory for a call. As much is kept as calls can run at once.
func (m *Model) take() *block {
	select {
	case b := <-m.idle:
		return b
	default:
		return new(block)
	}
}

func (m *Model) give(b *block) {
	select {
	case m.idle <- b:
	default:
	}
}
