package learn

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/viterin/vek/vek32"
)

// objective is what is minimised over the sums of a batch, and its gradient. Its memory
// is used again; one batch at a time.
type objective struct {
	options Options
	dim     int       // of the table
	units   []float32 // [texts, dim]: u
	lengths []float64 // [texts]: of the sums
	slopes  []float32 // [texts, texts]: of the divergence, by s
	scratch []float32 // [texts, dim]
	losses  []float64 // [texts]
}

// teacherSide is what a batch's texts should become: targets, [texts, dim], is y and
// cosines, [texts, texts], is t.
type teacherSide struct{ targets, cosines []float32 }

// loss takes sums of rows, [texts, dim], and writes the loss's gradient by them to
// gradient, of the same shape. The loss is a mean over texts.
func (o *objective) loss(sums []float32, want teacherSide, gradient []float32) float64 {
	n := len(sums) / o.dim
	o.units, o.scratch = resize(o.units, n*o.dim), resize(o.scratch, n*o.dim)
	o.slopes, o.lengths, o.losses = resize(o.slopes, n*n), resize(o.lengths, n), resize(o.losses, n)
	copy(o.units, sums)
	each(n, o.options.Workers, func(i int) {
		u := o.row(o.units, i)
		o.lengths[i] = math.Sqrt(float64(vek32.Dot(u, u)))
		if o.lengths[i] > 0 {
			vek32.MulNumber_Inplace(u, float32(1/o.lengths[i]))
		}
	})
	each(n, o.options.Workers, func(i int) { o.losses[i] = o.compare(i, n, want) })
	each(n, o.options.Workers, func(i int) { o.slope(i, n, want, o.row(gradient, i)) })
	mean := 0.0
	for _, loss := range o.losses {
		mean += loss / float64(n)
	}
	return mean
}

func (o *objective) row(rows []float32, i int) []float32 { return rows[i*o.dim : (i+1)*o.dim] }

// compare returns the loss of text i and keeps the divergence's slopes by its cosines.
func (o *objective) compare(i, n int, want teacherSide) float64 {
	u, slopes := o.row(o.units, i), o.slopes[i*n:(i+1)*n]
	var student, teacher float64 // sums of exponentials
	at := func(cosine float32) float64 { return (float64(cosine) - 1) / o.options.Temperature }
	for j := range n {
		if j != i {
			slopes[j] = vek32.Dot(u, o.row(o.units, j))
			student += math.Exp(at(slopes[j]))
			teacher += math.Exp(at(want.cosines[i*n+j]))
		}
	}
	logs := math.Log(student) - math.Log(teacher)
	divergence := 0.0
	for j := range n {
		if j == i {
			slopes[j] = 0
			continue
		}
		s, t := at(slopes[j]), at(want.cosines[i*n+j])
		p, q := math.Exp(s)/student, math.Exp(t)/teacher
		divergence += q * (t - s + logs)
		slopes[j] = float32(o.options.Divergence * (p - q) / o.options.Temperature)
	}
	return o.options.Cosine*(1-float64(vek32.Dot(u, o.row(want.targets, i)))) + o.options.Divergence*divergence
}

// slope writes the gradient by the sum of text i.
func (o *objective) slope(i, n int, want teacherSide, gradient []float32) {
	if o.lengths[i] == 0 {
		clear(gradient) // it has no direction to turn
		return
	}
	u, scratch := o.row(o.units, i), o.row(o.scratch, i)
	vek32.MulNumber_Into(gradient, o.row(want.targets, i), float32(-o.options.Cosine))
	for j := range n {
		if by := o.slopes[i*n+j] + o.slopes[j*n+i]; by != 0 { // a cosine is both texts'
			vek32.MulNumber_Into(scratch, o.row(o.units, j), by)
			vek32.Add_Inplace(gradient, scratch)
		}
	}
	// The unit vector does not change along itself.
	vek32.MulNumber_Into(scratch, u, vek32.Dot(gradient, u))
	vek32.Sub_Inplace(gradient, scratch)
	vek32.MulNumber_Inplace(gradient, float32(1/(o.lengths[i]*float64(n))))
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// each calls do for 0 to n-1, on as many goroutines as workers.
func each(n, workers int, do func(i int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(n, workers) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	group.Wait()
}
