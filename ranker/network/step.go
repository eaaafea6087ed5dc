package network

import (
	"math"
	"math/rand/v2"

	"github.com/kindred-rec/kindred/ranker/internal/dense"
	"github.com/kindred-rec/kindred/ranker/internal/dots"
)

// trainer makes steps down the gradient, on one goroutine.
type trainer struct {
	o              Options
	rng            *rand.Rand
	layers, slope  *layers
	mean, square   []float32 // Adam's, of the gradient
	steps          int
	first, second  dense.Layer
	back           dense.Layer // the transpose of second
	turned         []float32
	noBias         []float32
	mask1, mask2   []float32 // what each unit is multiplied by in this sample
	units1, units2 []float32 // [blocks][h][Block], of one sample
	error1, error2 []float32 // [h][Block]
	odds           []float64
}

func newTrainer(o Options, r *rand.Rand) *trainer {
	t := &trainer{o: o, rng: r, layers: newLayers(o.First, o.Second), slope: newLayers(o.First, o.Second)}
	t.layers.start(r)
	n := len(t.layers.all)
	t.mean, t.square = make([]float32, n), make([]float32, n)
	t.turned, t.noBias = make([]float32, o.First*o.Second), make([]float32, o.First)
	t.mask1, t.mask2 = make([]float32, o.First), make([]float32, o.Second)
	t.error1, t.error2 = make([]float32, o.First*dense.Block), make([]float32, o.Second*dense.Block)
	l := t.layers
	t.first = dense.New(l.first, l.bias1, features, l.h1)
	t.second = dense.New(l.second, l.bias2, l.h1, l.h2)
	t.back = dense.New(t.turned, t.noBias, l.h2, l.h1)
	return t
}

// pack packs the layers as they are now.
func (t *trainer) pack() {
	l := t.layers
	t.first.Set(l.first, l.bias1, features, l.h1)
	t.second.Set(l.second, l.bias2, l.h1, l.h2)
	for j := range l.h2 {
		for i := range l.h1 {
			t.turned[i*l.h2+j] = l.second[j*l.h1+i]
		}
	}
	t.back.Set(t.turned, t.noBias, l.h2, l.h1)
}

// step learns from a batch.
func (t *trainer) step(c *corpus, batch []int) {
	t.pack()
	clear(t.slope.all)
	weight := 0.0
	for _, i := range batch {
		weight += c.samples[i].weight
	}
	for _, i := range batch {
		s := &c.samples[i]
		t.forward(s, true)
		t.backward(s, s.weight/weight)
	}
	t.adam()
}

// forward computes the units and the probabilities of a sample, and returns its loss.
func (t *trainer) forward(s *packed, learning bool) float64 {
	l, blocks := t.layers, len(s.blocks)/(features*dense.Block)
	t.units1, t.units2 = sized(t.units1, blocks*l.h1*dense.Block), sized(t.units2, blocks*l.h2*dense.Block)
	t.odds = append(t.odds[:0], s.skip...)
	t.drop(learning)
	for b := range blocks {
		units1, units2 := t.units1[b*l.h1*dense.Block:], t.units2[b*l.h2*dense.Block:]
		t.first.Forward(s.blocks[b*features*dense.Block:], units1, true)
		mask(units1, t.mask1)
		t.second.Forward(units1, units2, true)
		mask(units2, t.mask2)
		odds := t.odds[b*dense.Block : min((b+1)*dense.Block, len(t.odds))]
		for j, w := range l.last {
			for i, h := range units2[j*dense.Block : j*dense.Block+len(odds)] {
				odds[i] += float64(w) * float64(h)
			}
		}
	}
	return -math.Log(softmax(t.odds)[0]) // row 0 is the chosen one
}

// softmax replaces scores by probabilities.
func softmax(x []float64) []float64 {
	top, sum := math.Inf(-1), 0.0
	for _, v := range x {
		top = max(top, v)
	}
	for i, v := range x {
		x[i] = math.Exp(v - top)
		sum += x[i]
	}
	for i := range x {
		x[i] = max(x[i]/sum, 1e-300)
	}
	return x
}

// drop draws which units a sample does without.
func (t *trainer) drop(learning bool) {
	for _, m := range [...][]float32{t.mask1, t.mask2} {
		for j := range m {
			m[j] = 1
			if learning && t.o.Dropout > 0 {
				m[j] = float32(1 / (1 - t.o.Dropout))
				if t.rng.Float64() < t.o.Dropout {
					m[j] = 0
				}
			}
		}
	}
}

func mask(units, by []float32) {
	for j, m := range by {
		if m != 1 {
			row := units[j*dense.Block : (j+1)*dense.Block]
			for i := range row {
				row[i] *= m
			}
		}
	}
}

// backward adds the gradient of a sample's loss, times a weight.
func (t *trainer) backward(s *packed, weight float64) {
	l, g := t.layers, t.slope
	for b := range len(s.blocks) / (features * dense.Block) {
		in := s.blocks[b*features*dense.Block : (b+1)*features*dense.Block]
		units1, units2 := t.units1[b*l.h1*dense.Block:(b+1)*l.h1*dense.Block], t.units2[b*l.h2*dense.Block:(b+1)*l.h2*dense.Block]
		var out [dense.Block]float32
		for i := range min(dense.Block, len(t.odds)-b*dense.Block) {
			at := b*dense.Block + i
			out[i] = float32(weight * t.odds[at])
			if at == 0 {
				out[i] -= float32(weight)
			}
		}
		products(g.last, units2, out[:])
		for j, w := range l.last {
			row := t.error2[j*dense.Block : (j+1)*dense.Block]
			for i, h := range units2[j*dense.Block : (j+1)*dense.Block] {
				row[i] = 0
				if h > 0 {
					row[i] = w * t.mask2[j] * out[i]
				}
			}
			g.bias2[j] += sum(row)
			products(g.second[j*l.h1:(j+1)*l.h1], units1, row)
		}
		t.back.Forward(t.error2, t.error1, false)
		for j := range l.h1 {
			row := t.error1[j*dense.Block : (j+1)*dense.Block]
			for i, h := range units1[j*dense.Block : (j+1)*dense.Block] {
				if h > 0 {
					row[i] *= t.mask1[j]
				} else {
					row[i] = 0
				}
			}
			g.bias1[j] += sum(row)
			products(g.first[j*features:(j+1)*features], in, row)
		}
	}
}

// products adds to each of to the inner product of its row of rows with x.
func products(to, rows, x []float32) {
	var out [dots.Max]float32
	for at := 0; at < len(to); at += dots.Max {
		n := min(dots.Max, len(to)-at)
		dots.Many(x, nil, rows[at*len(x):(at+n)*len(x)], out[:n])
		for k := range n {
			to[at+k] += out[k]
		}
	}
}

func sum(x []float32) (total float32) {
	for _, v := range x {
		total += v
	}
	return total
}

// adam makes the step. Biases and the last layer decay too: towards the linear model.
func (t *trainer) adam() {
	const keep, keepSquare, epsilon = 0.9, 0.999, 1e-8
	t.steps++
	rate := float32(t.o.Rate / (1 - math.Pow(keep, float64(t.steps))))
	whole := float32(1 / (1 - math.Pow(keepSquare, float64(t.steps))))
	stay := float32(1 - t.o.Rate*t.o.Decay)
	for i, g := range t.slope.all {
		t.mean[i] = keep*t.mean[i] + (1-keep)*g
		t.square[i] = keepSquare*t.square[i] + (1-keepSquare)*g*g
		root := float32(math.Sqrt(float64(t.square[i] * whole)))
		t.layers.all[i] = stay*t.layers.all[i] - rate*t.mean[i]/(root+epsilon)
	}
}

func sized(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}
