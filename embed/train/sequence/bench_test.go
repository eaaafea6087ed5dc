package sequence

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/optimize"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/team"
)

// BenchmarkStep is a step on 128 sequences of 5.9 inputs on the mean, as those of Amazon
// Beauty, at the default sizes.
func BenchmarkStep(b *testing.B) {
	for _, shape := range []struct{ items, textDim, full int }{{12101, 0, 1 << 17}, {12101, 384, 1 << 17}, {500_000, 0, 1 << 17}} {
		for workers := 1; workers <= 2; workers++ {
			b.Run(fmt.Sprintf("items=%d/text=%d/workers=%d", shape.items, shape.textDim, workers), func(b *testing.B) {
				o := DefaultOptions(causal.DefaultConfig(shape.items, shape.textDim))
				o.FullItems = shape.full
				step, tokens := stepper(b, o, workers)
				step()
				b.ReportAllocs()
				for b.Loop() {
					step()
				}
				b.ReportMetric(float64(tokens)*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
				if !o.samples() {
					b.ReportMetric(flops(o.Config, tokens)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				}
			})
		}
	}
}

// stepper makes a step on one batch, and says how many tokens that has.
func stepper(b *testing.B, o Options, workers int) (step func(), tokens int) {
	rng := rand.New(rand.NewPCG(1, 2))
	w, flat := causal.NewWeights(o.Config)
	g, flatGradient := causal.NewWeights(o.Config)
	initialize(o.Config, w, 1)
	text := make([]float32, o.Config.Items*o.Config.TextDim)
	for i := range text {
		text[i] = float32(rng.NormFloat64())
	}
	var c corpus
	var batch batch
	for range o.Batch {
		length := 2 + int(rng.ExpFloat64()*5)
		s := Items(make([]uint32, min(length, o.longest()))...)
		for i := range s {
			s[i].Item = uint32(rng.IntN(o.Config.Items))
		}
		c.events = append(c.events, s...)
		batch.learn(s)
	}
	r := &run{options: o, team: team.New(workers), state: optimize.NewState(flat, flatGradient, ranges(o, w), residuals(o), false)}
	b.Cleanup(r.team.Close)
	r.network = newNetwork(o, r.team, w, g, text, newSampler(o, &c))
	number := 0
	return func() {
		number++
		r.network.learn(&batch, o.masks(uint64(number)), 0, uint64(number))
		rows := r.rows()
		r.state.Norm(r.team, rows)
		r.state.Apply(r.team, rows, r.optimizerStep(number, 1))
	}, len(batch.events)
}

// flops are those of the products of a step over all items.
func flops(c causal.Config, tokens int) float64 {
	n, dim, wide := float64(tokens), float64(c.Dim), float64(c.FeedForward)
	perToken := float64(c.Layers)*(8*dim*dim+4*dim*wide) + 2*dim*float64(c.Items)
	return 3*n*perToken + 4*float64(c.Items)*dim*float64(c.TextDim)
}
