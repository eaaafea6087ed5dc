package sequence

import (
	"math"
	"math/rand/v2"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
)

// initialize draws weights as PyTorch does for the same parts: tables from a normal
// distribution of deviation 0.02, the attention's first product by Glorot and Bengio,
// other products uniformly within 1/√in. Norms are the identity and what is left is 0.
func initialize(c causal.Config, w *causal.Weights, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	tables := [][]float32{w.Residual, w.Types, w.Gaps, w.Values, w.Positions}
	for _, table := range tables {
		for i := range table {
			table[i] = float32(0.02 * rng.NormFloat64())
		}
	}
	uniform := func(x []float32, bound float64) {
		for i := range x {
			x[i] = float32(bound * (2*rng.Float64() - 1))
		}
	}
	within := func(in int) float64 { return 1 / math.Sqrt(float64(in)) }
	identity := func(n causal.Norm) {
		for i := range n.Scale {
			n.Scale[i] = 1
		}
	}
	if c.TextDim > 0 {
		uniform(w.Projection, within(c.TextDim))
	}
	identity(w.Norm)
	for i := range w.Layers {
		l := &w.Layers[i]
		uniform(l.Input.Weight, math.Sqrt(6/float64(4*c.Dim)))
		uniform(l.Output.Weight, within(c.Dim))
		uniform(l.Up.Weight, within(c.Dim))
		uniform(l.Up.Bias, within(c.Dim))
		uniform(l.Down.Weight, within(c.FeedForward))
		uniform(l.Down.Bias, within(c.FeedForward))
		identity(l.AttentionNorm)
		identity(l.Norm)
	}
}
