package network

import (
	"errors"
	"fmt"
	"math"
	"runtime"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/attribution"
	"github.com/kindred-rec/kindred/ranker/internal/dense"
)

// ErrModel: a network's file or parameters are malformed.
var ErrModel = errors.New("network: bad model")

// MaxHidden bounds a hidden layer, in units. Its width is a multiple of 4.
const MaxHidden = 64

const features = int(ranker.FeatureCount)

// Parameters are what a network is made of.
type Parameters struct {
	// Skip is the linear model that the network's output is added to.
	Skip ranker.Weights
	// Mean and Scale standardise the features: z = (x - Mean)·Scale, at most 10 from 0. A
	// feature whose Scale is 0 has no part in the network.
	Mean, Scale [features]float32
	// First is [hidden 1][features], Second [hidden 2][hidden 1], Last [hidden 2].
	First, Second         [][]float32
	FirstBias, SecondBias []float32
	Last                  []float32
}

// Model is a network that scores. *Model is a [ranker.Model].
type Model struct {
	parameters    Parameters
	first, second dense.Layer
	explainer     *attribution.Explainer
	idle          chan *scratch
}

// scratch is a block on its way through the layers.
type scratch struct {
	in     [features * dense.Block]float32
	first  [MaxHidden * dense.Block]float32
	second [MaxHidden * dense.Block]float32
}

// New checks parameters and makes a model of them, which keeps them.
func New(p Parameters) (*Model, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	m := &Model{parameters: p, idle: make(chan *scratch, runtime.GOMAXPROCS(0))}
	m.first = dense.New(flat(p.First), p.FirstBias, features, len(p.First))
	m.second = dense.New(flat(p.Second), p.SecondBias, len(p.First), len(p.Second))
	base := ranker.Features(p.Mean)
	m.explainer = attribution.New(m.Score, &base)
	return m, nil
}

func flat(rows [][]float32) (all []float32) {
	for _, row := range rows {
		all = append(all, row...)
	}
	return all
}

// biggest bounds the numbers of a network. Products of its layers with standardised features
// stay far within float32.
const biggest = 1e4

// check refuses shapes that do not agree and numbers that are not finite or too large.
func (p *Parameters) check() error {
	if err := p.Skip.Validate(); err != nil {
		return fmt.Errorf("%w: skip: %w", ErrModel, err)
	}
	for f := range features {
		if !(math.Abs(float64(p.Mean[f])) < math.MaxFloat32) || !(p.Scale[f] >= 0 && p.Scale[f] <= 1e6) {
			return fmt.Errorf("%w: %s has mean %v and scale %v; they must be finite, the scale in [0, 1e6]", ErrModel, ranker.Feature(f), p.Mean[f], p.Scale[f])
		}
	}
	for _, l := range []struct {
		name   string
		rows   [][]float32
		bias   []float32
		inputs int
	}{{"first", p.First, p.FirstBias, features}, {"second", p.Second, p.SecondBias, len(p.First)}} {
		if n := len(l.rows); n < 4 || n > MaxHidden || n%4 != 0 || len(l.bias) != n {
			return fmt.Errorf("%w: layer %s has %d rows and %d biases; both must be one multiple of 4 in [4, %d]", ErrModel, l.name, n, len(l.bias), MaxHidden)
		}
		for j, row := range l.rows {
			if len(row) != l.inputs {
				return fmt.Errorf("%w: row %d of layer %s has %d weights for %d inputs", ErrModel, j, l.name, len(row), l.inputs)
			}
			if err := finite(fmt.Sprintf("row %d of layer %s", j, l.name), row); err != nil {
				return err
			}
		}
		if err := finite("the bias of layer "+l.name, l.bias); err != nil {
			return err
		}
	}
	if len(p.Last) != len(p.Second) {
		return fmt.Errorf("%w: layer last has %d weights for %d inputs", ErrModel, len(p.Last), len(p.Second))
	}
	return finite("layer last", p.Last)
}

func finite(what string, list []float32) error {
	for i, x := range list {
		if !(math.Abs(float64(x)) <= biggest) {
			return fmt.Errorf("%w: number %d of %s is %v; it must lie in [-%g, %g]", ErrModel, i, what, x, biggest, biggest)
		}
	}
	return nil
}

// Parameters are what the model is made of. They must not be changed.
func (m *Model) Parameters() *Parameters { return &m.parameters }

// Name is "network".
func (m *Model) Name() string { return "network" }

// Score writes the scores.
func (m *Model) Score(x *ranker.Columns, out []float64) {
	m.parameters.Skip.Score(x, out)
	s := m.take()
	for at := 0; at < len(out); at += dense.Block {
		m.block(s, x, at, out[at:min(at+dense.Block, len(out))])
	}
	m.give(s)
}

// block adds the network's output to the scores of a block, the candidates from at on.
func (m *Model) block(s *scratch, x *ranker.Columns, at int, out []float64) {
	for f := range x {
		column := s.in[f*dense.Block : (f+1)*dense.Block]
		if m.parameters.Scale[f] == 0 {
			clear(column)
			continue
		}
		standardise(column, x[f][at:at+len(out)], m.parameters.Mean[f], m.parameters.Scale[f])
	}
	m.first.Forward(s.in[:], s.first[:], true)
	m.second.Forward(s.first[:], s.second[:], true)
	var sums [dense.Block]float64
	for j, w := range m.parameters.Last {
		for i, h := range s.second[j*dense.Block : (j+1)*dense.Block] {
			sums[i] += float64(w) * float64(h)
		}
	}
	for i := range out {
		out[i] += sums[i]
	}
}

// farthest bounds a standardised feature, in deviations: one outlier shall not decide.
const farthest = 10

// standardise writes z of a column and zeros after it.
func standardise(z, x []float32, mean, scale float32) {
	for i, v := range x {
		d := (v - mean) * scale
		if d > farthest {
			d = farthest
		} else if !(d >= -farthest) {
			d = -farthest
		}
		z[i] = d
	}
	clear(z[len(x):])
}

// Attribute writes the features' contributions; the rest is the score of the row of means.
func (m *Model) Attribute(x *ranker.Features, parts *ranker.Parts) (rest float64) {
	return m.explainer.Attribute(x, parts)
}

// take returns memory for a call. As much is kept as calls can run at once.
func (m *Model) take() *scratch {
	select {
	case s := <-m.idle:
		return s
	default:
		return new(scratch)
	}
}

func (m *Model) give(s *scratch) {
	select {
	case m.idle <- s:
	default:
	}
}
