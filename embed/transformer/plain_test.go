package transformer

import (
	"math"

	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// plain is the dumb twin of every backend: one text at a time, one number at a time,
// in double precision.
func plain(m *checkpoint.Model, ids []int32) []float64 {
	c, w := m.Config, m.Weights
	x := make([][]float64, len(ids))
	for t, id := range ids {
		x[t] = make([]float64, c.Hidden)
		for i := range x[t] {
			x[t][i] = float64(w.Words[int(id)*c.Hidden+i]) + float64(w.Positions[(c.FirstPosition+t)*c.Hidden+i]) + float64(w.TokenTypes[i])
		}
		x[t] = plainNorm(c, x[t], w.Norm)
	}
	for _, l := range w.Layers {
		x = plainLayer(c, l, x)
	}
	return plainPool(m.Pooling, x)
}

func plainLayer(c checkpoint.Config, l checkpoint.Layer, x [][]float64) [][]float64 {
	query, key, value := plainAll(l.Query, x), plainAll(l.Key, x), plainAll(l.Value, x)
	d := c.HeadDim()
	out := make([][]float64, len(x))
	for t := range x {
		gathered := make([]float64, c.Hidden)
		for head := range c.Heads {
			shares, sum := make([]float64, len(x)), 0.0
			for u := range x {
				var score float64
				for i := head * d; i < (head+1)*d; i++ {
					score += query[t][i] * key[u][i]
				}
				shares[u] = math.Exp(score / math.Sqrt(float64(d)))
				sum += shares[u]
			}
			for u := range x {
				for i := head * d; i < (head+1)*d; i++ {
					gathered[i] += shares[u] / sum * value[u][i]
				}
			}
		}
		y := plainNorm(c, plainSum(x[t], plainLinear(l.Output, gathered)), l.AttentionNorm)
		wide := plainLinear(l.Up, y)
		for i, v := range wide {
			wide[i] = v / 2 * (1 + math.Erf(v/math.Sqrt2))
		}
		out[t] = plainNorm(c, plainSum(y, plainLinear(l.Down, wide)), l.Norm)
	}
	return out
}

func plainAll(l checkpoint.Linear, x [][]float64) [][]float64 {
	out := make([][]float64, len(x))
	for i := range x {
		out[i] = plainLinear(l, x[i])
	}
	return out
}

func plainLinear(l checkpoint.Linear, x []float64) []float64 {
	out := make([]float64, len(l.Bias))
	for o := range out {
		out[o] = float64(l.Bias[o])
		for i, v := range x {
			out[o] += float64(l.Weight[o*len(x)+i]) * v
		}
	}
	return out
}

func plainSum(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] + b[i]
	}
	return out
}

func plainNorm(c checkpoint.Config, x []float64, n checkpoint.Norm) []float64 {
	var mean, variance float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = (v-mean)/math.Sqrt(variance+float64(c.Epsilon))*float64(n.Scale[i]) + float64(n.Shift[i])
	}
	return out
}

func plainPool(p checkpoint.Pooling, x [][]float64) []float64 {
	out := make([]float64, len(x[0]))
	switch p {
	case checkpoint.CLS:
		copy(out, x[0])
	case checkpoint.Last:
		copy(out, x[len(x)-1])
	case checkpoint.Mean:
		for _, row := range x {
			for i, v := range row {
				out[i] += v / float64(len(x))
			}
		}
	}
	var sum float64
	for _, v := range out {
		sum += v * v
	}
	for i := range out {
		out[i] /= math.Sqrt(sum)
	}
	return out
}
