package layer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/internal/kernel"
)

// What follows is the block in double precision, as a textbook has it, an event at a time.

func linear(w causal.Linear, x []float64) []float64 {
	y := make([]float64, len(w.Bias))
	for o := range y {
		y[o] = float64(w.Bias[o])
		for i, v := range x {
			y[o] += float64(w.Weight[o*len(x)+i]) * v
		}
	}
	return y
}

func norm(n causal.Norm, x []float64, epsilon float64) []float64 {
	var mean, squares float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		squares += (v - mean) * (v - mean) / float64(len(x))
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = (v-mean)/math.Sqrt(squares+epsilon)*float64(n.Scale[i]) + float64(n.Shift[i])
	}
	return y
}

func gelu(x []float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = 0.5 * v * (1 + math.Erf(v/math.Sqrt2))
	}
	return y
}

func plus(x, y []float64) []float64 {
	sum := make([]float64, len(x))
	for i := range x {
		sum[i] = x[i] + y[i]
	}
	return sum
}

func drop(m kernel.Mask, p float32, x []float64, first int) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		if !m.Drops(first + i) {
			y[i] = x[i] / float64(1-p)
		}
	}
	return y
}

func attend(c causal.Config, w *causal.Layer, qkv [][]float64, starts []int32, row int, m kernel.Mask, p float32) []float64 {
	d := c.HeadDim()
	out := make([]float64, c.Dim)
	low := max(int(starts[row]), row-c.Window+1)
	for h := range c.Heads {
		var weights []float64
		sum := 0.0
		for j := low; j <= row; j++ {
			score := 0.0
			for i := range d {
				score += qkv[row][h*d+i] * qkv[j][c.Dim+h*d+i]
			}
			score /= math.Sqrt(float64(d))
			if c.Position == causal.Relative {
				score += float64(w.Distance[h*c.Window+row-j])
			}
			weights = append(weights, math.Exp(score))
			sum += math.Exp(score)
		}
		for i := range weights {
			weights[i] /= sum
		}
		weights = drop(m, p, weights, (row*c.Heads+h)*c.Window)
		for j, weight := range weights {
			for i := range d {
				out[h*d+i] += weight * qkv[low+j][2*c.Dim+h*d+i]
			}
		}
	}
	return out
}

func block(c causal.Config, w *causal.Layer, x [][]float64, starts []int32, m Masks, p float32) [][]float64 {
	e := float64(c.Epsilon)
	qkv, y := make([][]float64, len(x)), make([][]float64, len(x))
	for i := range x {
		in := x[i]
		if c.PreNorm {
			in = norm(w.AttentionNorm, in, e)
		}
		qkv[i] = linear(w.Input, in)
	}
	for i := range x {
		a := attend(c, w, qkv, starts, i, m.Attention, p)
		s := plus(x[i], drop(m.Context, p, linear(w.Output, a), i*c.Dim))
		middle := norm(w.AttentionNorm, s, e)
		if c.PreNorm {
			middle = norm(w.Norm, s, e)
		} else {
			s = middle
		}
		wide := drop(m.Wide, p, gelu(linear(w.Up, middle)), i*c.FeedForward)
		y[i] = plus(s, drop(m.Feed, p, linear(w.Down, wide), i*c.Dim))
		if !c.PreNorm {
			y[i] = norm(w.Norm, y[i], e)
		}
	}
	return y
}

func wide(x []float32, dim int) [][]float64 {
	rows := make([][]float64, len(x)/dim)
	for i := range rows {
		rows[i] = make([]float64, dim)
		for j := range rows[i] {
			rows[i][j] = float64(x[i*dim+j])
		}
	}
	return rows
}

func TestBlockHasTheGradientOfItsDefinition(t *testing.T) {
	for _, pre := range []bool{false, true} {
		for _, p := range []float32{0, 0.3} {
			for _, position := range []causal.Position{causal.Relative, causal.FromEnd} {
				t.Run(fmt.Sprintf("pre=%v dropout=%v position=%d", pre, p, position), func(t *testing.T) {
					// A sequence longer than the window, and a wide and an odd number of components.
					c := causal.Config{Dim: 6, Layers: 1, Heads: 2, FeedForward: 9, Window: 4, PreNorm: pre, Position: position, Epsilon: 1e-3}
					checkBlock(t, c, []int{1, 7, 3}, p)
				})
			}
		}
	}
	t.Run("of registers' width", func(t *testing.T) {
		checkBlock(t, causal.Config{Dim: 32, Layers: 1, Heads: 2, FeedForward: 64, Window: 50, Epsilon: 1e-3}, []int{3, 2}, 0.2)
	})
}

func checkBlock(t *testing.T, c causal.Config, lengths []int, p float32) {
	rng := rand.New(rand.NewPCG(1, 2))
	w, flat := causal.NewWeights(c)
	g, flatGrad := causal.NewWeights(c)
	for i := range flat {
		flat[i] = float32(rng.NormFloat64()) * 0.6
	}
	var starts []int32
	for _, n := range lengths {
		first := len(starts)
		for range n {
			starts = append(starts, int32(first))
		}
	}
	rows := len(starts)
	x, along := normal(rng, rows*c.Dim), normal(rng, rows*c.Dim)
	m := Keys{Seed: 5, Step: 6}.Block(p, 0)

	b := NewBlock(c, &w.Layers[0])
	for part := range PackParts {
		b.Pack(part)
	}
	var a Activations
	var s Scratch
	a.Resize(c, rows)
	y := make([]float32, rows*c.Dim)
	cut := lengths[0] // two parts of whole sequences
	small := NewSmall(c)
	b.Forward(&s, &a, y, x, starts, 0, cut, m)
	b.Forward(&s, &a, y, x, starts, cut, rows, m)
	d := append([]float32(nil), along...)
	b.Backward(&s, &a, d, small, starts, 0, cut, m)
	b.Backward(&s, &a, d, small, starts, cut, rows, m)
	small.AddTo(&g.Layers[0], c.Window)
	for _, product := range b.Products(&a, x, &g.Layers[0]) {
		var gradient Gradient
		for part := range gradient.Reset(rows, product.In) {
			gradient.Pack(product.X, part)
		}
		half := product.Out / 2
		gradient.Add(product.DW.Weight, product.DW.Bias, product.DY, product.Out, 0, half)
		gradient.Add(product.DW.Weight, product.DW.Bias, product.DY, product.Out, half, product.Out)
	}

	value := func() (sum float64) {
		for i, row := range block(c, &w.Layers[0], wide(x, c.Dim), starts, m, p) {
			for j, v := range row {
				sum += v * float64(along[i*c.Dim+j])
			}
		}
		return sum
	}
	want := block(c, &w.Layers[0], wide(x, c.Dim), starts, m, p)
	for i, v := range y {
		if math.Abs(float64(v)-want[i/c.Dim][i%c.Dim]) > 2e-5 {
			t.Fatalf("result %d is %g, want %g", i, v, want[i/c.Dim][i%c.Dim])
		}
	}
	check := func(name string, at, gradient []float32) {
		t.Helper()
		for i := range at {
			if len(at) > 200 && rng.IntN(len(at)) > 200 {
				continue
			}
			was := at[i]
			at[i] = was + 1e-3
			above, up := float64(at[i]), value()
			at[i] = was - 1e-3
			below, down := float64(at[i]), value()
			at[i] = was
			want := (up - down) / (above - below)
			if math.Abs(float64(gradient[i])-want) > 2e-4*(1+math.Abs(want)) {
				t.Fatalf("gradient of %s at %d is %g, want %g", name, i, gradient[i], want)
			}
		}
	}
	check("x", x, d)
	for i, parameter := range w.Parameters(c) {
		if parameter.Name != "norm.weight" && parameter.Name != "norm.bias" { // of the model, not of the block
			check(parameter.Name, parameter.Data, g.Parameters(c)[i].Data)
		}
	}
	_ = flatGrad
}

func normal(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

func TestSpansAreAllRowsOnceAndWholeSequencesWhereTheyFit(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		var starts []int32
		for range 1 + rng.IntN(30) {
			first := len(starts)
			n := 1 + rng.IntN(12)
			if rng.IntN(6) == 0 {
				n = 1 + rng.IntN(300)
			}
			for range n {
				starts = append(starts, int32(first))
			}
		}
		window, next := 1+rng.IntN(80), 0
		spans(starts, 0, len(starts), window, func(p span) {
			if p.first != next || p.last <= p.first || p.last-p.first > spanRows {
				t.Fatalf("rows %d to %d after %d", p.first, p.last, next)
			}
			next = p.last
			for row := p.first; row < p.last; row++ {
				if low := max(int(starts[row]), row-window+1); low < p.column {
					t.Fatalf("row %d sees from %d, its span from %d", row, low, p.column)
				}
			}
			if int(starts[p.first]) < p.first && starts[p.last-1] != starts[p.first] {
				t.Fatalf("rows %d to %d are the rest of a long sequence and another", p.first, p.last)
			}
		})
		if next != len(starts) {
			t.Fatalf("%d of %d rows", next, len(starts))
		}
	}
}
