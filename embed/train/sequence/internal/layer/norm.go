package layer

import (
	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/internal/kernel"
)

// Kept is what the backward pass of a layer norm needs.
type Kept struct {
	Unit []float32 // [rows, dim]: what was normalized, before scale and shift
	By   []float32 // [rows]
}

// Resize makes room for so many rows. What was kept is lost.
func (k *Kept) Resize(rows, dim int) {
	k.Unit, k.By = Grow(k.Unit, rows*dim), Grow(k.By, rows)
}

// Normalize sets rows of y to the layer norm of those of x, [rows, dim], and keeps what
// Differentiate needs. Y may be x. Arrays begin at the row from, that kept begins at 0.
func (k *Kept) Normalize(y, x []float32, n causal.Norm, epsilon float32, from, to int) {
	dim := len(n.Scale)
	for row := from; row < to; row++ {
		at := (row - from) * dim
		k.By[row] = kernel.Norm(y[at:at+dim], k.Unit[row*dim:][:dim], x[at:at+dim], n.Scale, n.Shift, epsilon)
	}
}

// Differentiate replaces d, the gradient of the result, by that of the argument, and adds
// that of scale and shift to dn.
func (k *Kept) Differentiate(d []float32, n, dn causal.Norm, from, to int) {
	dim := len(n.Scale)
	for row := from; row < to; row++ {
		d, unit := d[(row-from)*dim:][:dim], k.Unit[row*dim:][:dim]
		kernel.AddProduct(dn.Scale, d, unit)
		kernel.Axpy(dn.Shift, d, 1)
		kernel.NormGrad(d, unit, n.Scale, k.By[row])
	}
}

// Grow returns n elements, of s if it has room.
func Grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}
