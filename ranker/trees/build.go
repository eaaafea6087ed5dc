package trees

import (
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/ranker"
)

// split is a comparison as a file has it.
type split struct {
	column      int
	threshold   float32 // rows with at most this go left
	left, right int     // numbers of the file's own; negative: a leaf
	zero        zero
}

// zero is where a row whose feature is zero goes.
type zero uint8

const (
	asANumber zero = iota
	toTheLeft
	toTheRight
)

// source is a tree of a file: at(i) is split i, leaf(i) the value of leaf -i-1.
type source interface {
	splits() int
	at(i int) split
	leaf(i int) (value float64, ok bool)
}

// columns finds the features of a file's columns.
func (m *Model) columns(names []string) ([]int32, error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("%w: it does not name its features: train it with their names, as ExportDecisions gives them", ErrModel)
	}
	list := make([]int32, len(names))
	for i, name := range names {
		f, err := ranker.ParseFeature(name)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: column %d: %w", ErrModel, i, err)
		case f == ranker.Position:
			return nil, fmt.Errorf("%w: column %d is %s, which is not known when serving: train without it", ErrModel, i, name)
		case m.used[f]:
			return nil, fmt.Errorf("%w: feature %s stands there twice", ErrModel, name)
		}
		m.used[f], list[i] = true, int32(f)
	}
	return list, nil
}

// plant adds a tree of a file.
func (m *Model) plant(s source, columns []int32) error {
	p := planter{model: m, source: s, columns: columns, met: make([]bool, s.splits())}
	root, depth := -1, 0
	if s.splits() > 0 {
		root = 0
	}
	at, depth, err := p.plant(root, 0)
	if err != nil {
		return fmt.Errorf("%w: tree %d: %w", ErrModel, len(m.trees), err)
	}
	m.trees = append(m.trees, tree{root: at, depth: depth})
	return nil
}

// planter copies one tree.
type planter struct {
	model   *Model
	source  source
	columns []int32
	met     []bool // splits that were reached: a file may lead in circles
}

// plant copies what is below a number of the file, and returns where it stands and how deep
// it is.
func (p *planter) plant(number, above int) (at int32, depth int, err error) {
	if above > MaxDepth {
		return 0, 0, fmt.Errorf("it is deeper than %d comparisons", MaxDepth)
	}
	if number < 0 {
		at, err := p.leaf(number)
		return at, 0, err
	}
	if number >= len(p.met) || p.met[number] {
		return 0, 0, fmt.Errorf("split %d of %d is not there, or is reached twice", number, len(p.met))
	}
	p.met[number] = true
	s := p.source.at(number)
	if s.column < 0 || s.column >= len(p.columns) {
		return 0, 0, fmt.Errorf("split %d asks for column %d of %d", number, s.column, len(p.columns))
	}
	if math.IsNaN(float64(s.threshold)) {
		return 0, 0, fmt.Errorf("split %d has threshold NaN", number)
	}
	left, l, err := p.plant(s.left, above+1)
	if err != nil {
		return 0, 0, err
	}
	right, r, err := p.plant(s.right, above+1)
	if err != nil {
		return 0, 0, err
	}
	at, more := p.compare(p.columns[s.column], s, left, right)
	return at, max(l, r) + more, nil
}

// nearZero is what LightGBM takes for zero, to either side.
const nearZero = float32(1e-35)

// compare adds the nodes of a split, and says how many a row passes at most.
func (p *planter) compare(feature int32, s split, left, right int32) (at int32, passed int) {
	add := func(threshold float32, left, right int32) int32 {
		return p.model.add(node{threshold: key(threshold), feature: feature, next: [2]int32{left, right}}, 0)
	}
	below := math.Nextafter32(-nearZero, float32(math.Inf(-1)))
	switch natural := s.threshold >= 0; { // where zero goes by itself; a threshold next to zero is not met
	case s.zero == toTheLeft && !natural:
		positive := add(nearZero, left, right)
		return add(s.threshold, left, add(below, right, positive)), 3
	case s.zero == toTheRight && natural:
		positive := add(s.threshold, left, right)
		return add(below, left, add(nearZero, right, positive)), 3
	}
	return add(s.threshold, left, right), 1
}

func (p *planter) leaf(number int) (int32, error) {
	value, ok := p.source.leaf(-number - 1)
	switch {
	case !ok:
		return 0, fmt.Errorf("leaf %d is not there", -number-1)
	case !(math.Abs(value) <= 1e9):
		return 0, fmt.Errorf("leaf %d has value %v; it must lie in [-1e9, 1e9]", -number-1, value)
	}
	own := int32(len(p.model.nodes))
	return p.model.add(node{next: [2]int32{own, own}}, value), nil
}

func (m *Model) add(n node, value float64) int32 {
	m.nodes, m.values = append(m.nodes, n), append(m.values, value)
	return int32(len(m.nodes) - 1)
}

// floor is the largest float32 that is at most x.
func floor(x float64) float32 {
	f := float32(x)
	if float64(f) > x {
		f = math.Nextafter32(f, float32(math.Inf(-1)))
	}
	return f
}
