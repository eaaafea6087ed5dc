package attribution

import (
	"math/rand/v2"
	"runtime"

	"github.com/kindred-rec/kindred/ranker"
)

// permutations is how many orders are drawn; each is walked in both directions.
const permutations = 8

// Score writes the score of each row, as [ranker.Model] has it.
type Score func(x *ranker.Columns, out []float64)

// Explainer attributes the scores of one model.
type Explainer struct {
	score  Score
	base   ranker.Features
	rest   float64 // the score of base
	orders [permutations][ranker.FeatureCount]ranker.Feature
	idle   chan *scratch
}

// scratch is the memory of one call.
type scratch struct {
	x     ranker.Columns // [features][rows]
	out   []float64
	order []ranker.Feature // those of an order that differ from the baseline
	all   []float32        // what x is cut from
}

// most is how many rows a call scores at most: the candidate, and along each order all
// but the first and the last.
const most = 1 + 2*permutations*int(ranker.FeatureCount)

// New returns an explainer of a model's scores, from a baseline row.
func New(score Score, base *ranker.Features) *Explainer {
	e := &Explainer{score: score, base: *base, idle: make(chan *scratch, runtime.GOMAXPROCS(0))}
	r := rand.New(rand.NewPCG(0x61747472, 0x69627574))
	for i := range e.orders {
		for f := range e.orders[i] {
			e.orders[i][f] = ranker.Feature(f)
		}
		o := e.orders[i][:]
		r.Shuffle(len(o), func(a, b int) { o[a], o[b] = o[b], o[a] })
	}
	var x ranker.Columns
	for f := range x {
		x[f] = e.base[f : f+1]
	}
	var out [1]float64
	score(&x, out[:])
	e.rest = out[0]
	return e
}

// Baseline is the row that rest is the score of.
func (e *Explainer) Baseline() ranker.Features { return e.base }

// Attribute writes what each feature contributed to the score of a row, and returns the
// score of the baseline. Together they are the score, up to rounding in float64.
func (e *Explainer) Attribute(x *ranker.Features, parts *ranker.Parts) (rest float64) {
	clear(parts[:])
	changed := 0
	for f := range x {
		if x[f] != e.base[f] {
			changed++
		}
	}
	if changed == 0 {
		return e.rest
	}
	s := e.take()
	defer e.give(s)
	rows := 1 + 2*permutations*(changed-1)
	s.reset(rows)
	s.row(0, x)
	at := 1
	for i := range e.orders {
		s.fill(&e.orders[i], x, &e.base)
		for _, reverse := range [...]bool{false, true} {
			at = s.walk(at, x, &e.base, reverse)
		}
	}
	e.score(&s.x, s.out[:rows])
	at = 1
	for i := range e.orders {
		s.fill(&e.orders[i], x, &e.base)
		for _, reverse := range [...]bool{false, true} {
			at = s.count(at, e.rest, reverse, parts)
		}
	}
	for f := range parts {
		parts[f] /= 2 * permutations
	}
	return e.rest
}

// fill keeps of an order what differs from the baseline.
func (s *scratch) fill(order *[ranker.FeatureCount]ranker.Feature, x, base *ranker.Features) {
	s.order = s.order[:0]
	for _, f := range order {
		if x[f] != base[f] {
			s.order = append(s.order, f)
		}
	}
}

// step is the k-th feature of the order, or of its reverse.
func (s *scratch) step(k int, reverse bool) ranker.Feature {
	if reverse {
		return s.order[len(s.order)-1-k]
	}
	return s.order[k]
}

// walk writes the rows between baseline and candidate, from row at on, and returns the
// row after the last.
func (s *scratch) walk(at int, x, base *ranker.Features, reverse bool) int {
	row := *base
	for k := range len(s.order) - 1 {
		f := s.step(k, reverse)
		row[f] = x[f]
		s.row(at, &row)
		at++
	}
	return at
}

// count adds the changes of the score along an order.
func (s *scratch) count(at int, before float64, reverse bool, parts *ranker.Parts) int {
	last := len(s.order) - 1
	for k := range last {
		parts[s.step(k, reverse)] += s.out[at] - before
		before = s.out[at]
		at++
	}
	parts[s.step(last, reverse)] += s.out[0] - before
	return at
}

func (s *scratch) row(at int, x *ranker.Features) {
	for f := range x {
		s.x[f][at] = x[f]
	}
}

// reset cuts the columns to a number of rows.
func (s *scratch) reset(rows int) {
	for f := range s.x {
		s.x[f] = s.all[f*most : f*most+rows]
	}
}

func (e *Explainer) take() *scratch {
	select {
	case s := <-e.idle:
		return s
	default:
		return &scratch{all: make([]float32, int(ranker.FeatureCount)*most), out: make([]float64, most), order: make([]ranker.Feature, 0, ranker.FeatureCount)}
	}
}

func (e *Explainer) give(s *scratch) {
	select {
	case e.idle <- s:
	default:
	}
}
