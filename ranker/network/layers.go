package network

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/kindred-rec/kindred/ranker"
)

// layers are the weights of a network, on standardised features, or gradients of them.
type layers struct {
	h1, h2 int
	all    []float32 // what the slices below are cut from
	first  []float32 // [h1, features]
	bias1  []float32
	second []float32 // [h2, h1]
	bias2  []float32
	last   []float32 // [h2]
}

func newLayers(h1, h2 int) *layers {
	l := &layers{h1: h1, h2: h2, all: make([]float32, h1*features+h1+h2*h1+h2+h2)}
	rest := l.all
	cut := func(n int) []float32 {
		s := rest[:n:n]
		rest = rest[n:]
		return s
	}
	l.first, l.bias1, l.second, l.bias2, l.last = cut(h1*features), cut(h1), cut(h2*h1), cut(h2), cut(h2)
	return l
}

// start draws the hidden weights (He et al., 2015). The last layer stays zero.
func (l *layers) start(r *rand.Rand) {
	draw := func(list []float32, inputs int) {
		deviation := math.Sqrt(2 / float64(inputs))
		for i := range list {
			list[i] = float32(deviation * r.NormFloat64())
		}
	}
	draw(l.first, features)
	draw(l.second, l.h1)
}

func (l *layers) clone() *layers {
	other := newLayers(l.h1, l.h2)
	copy(other.all, l.all)
	return other
}

// place puts a member into a network of several, whose output is their mean.
func (l *layers) place(m *layers, k, members int) {
	copy(l.first[k*m.h1*features:], m.first)
	copy(l.bias1[k*m.h1:], m.bias1)
	copy(l.bias2[k*m.h2:], m.bias2)
	for j := range m.h2 {
		copy(l.second[(k*m.h2+j)*l.h1+k*m.h1:], m.second[j*m.h1:(j+1)*m.h1])
		l.last[k*m.h2+j] = m.last[j] / float32(members)
	}
}

// parameters makes the parameters of a model.
func (l *layers) parameters(start ranker.Weights, c *corpus) Parameters {
	return Parameters{
		Skip: start, Mean: c.mean, Scale: c.scale,
		First: slices.Collect(slices.Chunk(l.first, features)), FirstBias: l.bias1,
		Second: slices.Collect(slices.Chunk(l.second, l.h1)), SecondBias: l.bias2, Last: l.last,
	}
}
