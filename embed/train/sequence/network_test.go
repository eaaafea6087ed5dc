package sequence

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/team"
)

// learner is a network with random weights, and a batch for it.
func learner(t *testing.T, o Options) (n *network, flat, flatGradient []float32, b *batch) {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, 8))
	c := o.Config
	w, flat := causal.NewWeights(c)
	g, flatGradient := causal.NewWeights(c)
	for i := range flat {
		flat[i] = float32(rng.NormFloat64() * 0.4)
	}
	text := make([]float32, c.Items*c.TextDim)
	for i := range text {
		text[i] = float32(rng.NormFloat64())
	}
	clear(text[:c.TextDim]) // an item without a text
	events := corpus{}
	b = &batch{}
	for range 20 {
		s := Items(make([]uint32, 2+rng.IntN(12))...)
		for i := range s {
			s[i].Item = uint32(rng.IntN(c.Items))
		}
		events.events = append(events.events, s...)
		b.learn(s)
	}
	members := team.New(2)
	t.Cleanup(members.Close)
	return newNetwork(o, members, w, g, text, newSampler(o, &events)), flat, flatGradient, b
}

// What drops out drops out in both passes: the loss changes along the gradient as the
// gradient says.
func TestTheLossChangesAsTheGradientSaysWithDropout(t *testing.T) {
	for _, change := range []func(*Options){
		func(*Options) {},
		func(o *Options) { o.Config.PreNorm, o.Config.Scale = true, 8 },
		func(o *Options) { o.FullItems, o.Negatives = 1, 10 },
	} {
		o := DefaultOptions(causal.Config{Items: 40, TextDim: 20, Dim: 32, Layers: 2, Heads: 2, FeedForward: 48, Window: 6, Types: 2, Epsilon: 1e-5})
		o.Dropout, o.ResidualDropout = 0.3, 0.5
		change(&o)
		n, flat, gradient, b := learner(t, o)
		loss := func() float64 { return n.learn(b, o.masks(3), o.LabelSmoothing, 3) }
		loss()
		if n.sampler != nil {
			for row, item := range n.table.chosen {
				copy(n.g.Residual[int(item)*32:][:32], n.table.d[row*32:])
			}
		}
		along := slices.Clone(gradient)
		var squares float64
		for _, x := range along {
			squares += float64(x) * float64(x)
		}
		const step = 2e-3
		start := slices.Clone(flat)
		at := func(by float64) float64 {
			for i := range flat {
				flat[i] = start[i] + float32(by/math.Sqrt(squares))*along[i]
			}
			return loss()
		}
		got := (at(step) - at(-step)) / (2 * step)
		if want := math.Sqrt(squares); math.Abs(got-want) > 5e-3*want {
			t.Errorf("%+v: the loss changes by %g along the gradient, whose length is %g", o.Config, got, want)
		}
	}
}

// When the sample is all there is, it is the softmax over all.
func TestASampleOfAllItemsIsAllItems(t *testing.T) {
	o := DefaultOptions(causal.Config{Items: 40, TextDim: 20, Dim: 32, Layers: 1, Heads: 2, FeedForward: 48, Window: 6, Scale: 6, Epsilon: 1e-5})
	o.ResidualDropout = 0.5
	n, _, _, b := learner(t, o)
	want := n.learn(b, o.masks(1), 0, 1)
	o.FullItems, o.Negatives = 1, 1<<14
	sampled, _, _, _ := learner(t, o)
	if got := sampled.learn(b, o.masks(1), 0, 1); math.Abs(got-want) > 1e-5 {
		t.Errorf("loss is %g, want %g", got, want)
	}
	if len(sampled.table.chosen) != 40 {
		t.Fatalf("%d of 40 items", len(sampled.table.chosen))
	}
	compare := func(name string, got, want []float32) {
		for i := range want {
			if math.Abs(float64(got[i]-want[i])) > 1e-5 {
				t.Fatalf("gradient of %s at %d is %g, want %g", name, i, got[i], want[i])
			}
		}
	}
	compare("item.residual", sampled.table.d, n.g.Residual)
	for i, p := range n.g.Parameters(o.Config) {
		if p.Name != "item.residual" {
			compare(p.Name, sampled.g.Parameters(o.Config)[i].Data, p.Data)
		}
	}
}

func TestASampledItemStandsForAsManyAsItShould(t *testing.T) {
	const items, steps = 30, 4000
	rng := rand.New(rand.NewPCG(9, 10))
	c := &corpus{}
	for range 5000 {
		item := min(rng.IntN(items), rng.IntN(items)) // the first ones are bought most
		c.events = append(c.events, Event{Item: uint32(item)})
	}
	o := smallOptions(items, 0)
	o.FullItems, o.Negatives = 1, 7
	s := newSampler(o, c)
	var counts [items]float64
	for step := range steps {
		var b batch
		for range 2 {
			first := rng.IntN(len(c.events) - 3)
			b.learn([]Event{c.events[first], {Item: c.events[first+1].Item, Weight: 1}, {Item: c.events[first+2].Item, Weight: 1}})
		}
		s.choose(&b, uint64(step))
		for i, item := range s.chosen {
			counts[item] += math.Exp(float64(s.bias[i])) / steps
		}
	}
	for item, count := range counts {
		if math.Abs(count-1) > 0.1 {
			t.Errorf("item %d counts %.3f times on the mean, want 1", item, count)
		}
	}
}
