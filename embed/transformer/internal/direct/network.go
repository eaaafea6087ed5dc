package direct

import (
	"math"

	"github.com/kindred-rec/kindred/embed/internal/kernel"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// Network is an encoder with packed weights. It is safe for concurrent use.
type Network struct {
	config  checkpoint.Config
	pooling checkpoint.Pooling
	words   []float32 // [vocab, hidden]
	places  []float32 // [positions, hidden], with the first token type added
	norm    checkpoint.Norm
	layers  []layer
	zeros   []float32 // [hidden]
	workers int
	permit  chan struct{} // held by the call that computes
	members []*member     // one for each worker, used by the holder of the permit
}

// layer is one block, packed. Queries come out divided by the root of the head's size.
type layer struct {
	queryKeyValue, output, up, down kernel.Panels
	attentionNorm, norm             checkpoint.Norm
}

// New packs a model's weights for computing with at most so many goroutines, at least
// 1. The tables of the model are kept and must not change.
func New(m *checkpoint.Model, workers int) *Network {
	c, w := m.Config, m.Weights
	n := &Network{config: c, pooling: m.Pooling, words: w.Words, norm: w.Norm, zeros: make([]float32, c.Hidden),
		places: make([]float32, len(w.Positions)), workers: max(workers, 1), permit: make(chan struct{}, 1)}
	for i, x := range w.Positions {
		n.places[i] = x + w.TokenTypes[i%c.Hidden]
	}
	for _, l := range w.Layers {
		n.layers = append(n.layers, layer{
			queryKeyValue: packAttention(c, l),
			output:        packLinear(l.Output, c.Hidden),
			up:            packLinear(l.Up, c.Hidden),
			down:          packLinear(l.Down, c.FeedForward),
			attentionNorm: l.AttentionNorm,
			norm:          l.Norm,
		})
	}
	for rank := range n.workers {
		n.members = append(n.members, &member{rank: rank})
	}
	return n
}

func packLinear(l checkpoint.Linear, in int) kernel.Panels {
	return kernel.Pack(l.Weight, len(l.Bias), in, in, l.Bias)
}

// packAttention joins the three projections, head by head: [heads, 3, headDim, hidden].
// All that a head needs lies together, so that whoever computes it needs nothing of
// the others.
func packAttention(c checkpoint.Config, l checkpoint.Layer) kernel.Panels {
	scale := float32(1 / math.Sqrt(float64(c.HeadDim())))
	weight, bias := make([]float32, 0, 3*c.Hidden*c.Hidden), make([]float32, 0, 3*c.Hidden)
	for head := range c.Heads {
		first, last := head*c.HeadDim(), (head+1)*c.HeadDim()
		for i, part := range []checkpoint.Linear{l.Query, l.Key, l.Value} {
			by := float32(1)
			if i == 0 {
				by = scale
			}
			weight = appendScaled(weight, part.Weight[first*c.Hidden:last*c.Hidden], by)
			bias = appendScaled(bias, part.Bias[first:last], by)
		}
	}
	return kernel.Pack(weight, len(bias), c.Hidden, c.Hidden, bias)
}

func appendScaled(to, from []float32, by float32) []float32 {
	for _, x := range from {
		to = append(to, x*by)
	}
	return to
}
