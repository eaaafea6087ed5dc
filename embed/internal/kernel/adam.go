package kernel

import "math"

// Adam are the settings of one step of Adam with decoupled weight decay, as AdamW of
// Loshchilov and Hutter 2019 has them.
type Adam struct {
	GradScale float32 // what gradients are multiplied by first, as when they are clipped
	Beta1     float64 // how much of the mean gradient is kept
	Beta2     float64 // how much of the mean squared gradient is kept
	Epsilon   float32
	Rate      float64 // the learning rate
	Decay     float64 // the weight decay, which is multiplied by Rate
	Step      int     // from 1; means of few steps are corrected
}

// Update makes the step: weights w, gradients g, their means m and mean squares v.
func (a Adam) Update(w, g, m, v []float32) {
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	step := float64(a.Step)
	c := [9]float32{
		a.GradScale,
		float32(a.Beta1), float32(1 - a.Beta1), float32(a.Beta2), float32(1 - a.Beta2),
		float32(1 / math.Sqrt(1-math.Pow(a.Beta2, step))), a.Epsilon,
		float32(a.Rate / (1 - math.Pow(a.Beta1, step))), float32(1 - a.Rate*a.Decay),
	}
	n := whole(len(w))
	if n > 0 {
		adamFast(w[:n], g[:n], m[:n], v[:n], &c)
	}
	adamPlain(w[n:], g[n:], m[n:], v[n:], &c)
}

func adamPlain(w, g, m, v []float32, c *[9]float32) {
	for i := range w {
		grad := g[i] * c[0]
		m[i] = c[1]*m[i] + c[2]*grad
		v[i] = c[3]*v[i] + c[4]*(grad*grad)
		root := float32(math.Sqrt(float64(v[i])))
		w[i] = w[i]*c[8] - c[7]*m[i]/(root*c[5]+c[6])
	}
}
