package table

import (
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/embed/wordpiece"
	"gonum.org/v1/gonum/mat"
)

// Directions are orthonormal, as the columns of a matrix [dim, keep], those along which
// vectors vary most first.
type Directions struct{ columns *mat.Dense }

// Principal returns the keep directions along which vectors, [n, dim], have the largest
// sum of squares around the point origin, [dim]; nil is zeros.
func Principal(vectors []float32, dim, keep int, origin []float64) (Directions, error) {
	if dim < 1 || keep < 1 || keep > dim || len(vectors) == 0 || len(vectors)%dim != 0 {
		return Directions{}, fmt.Errorf("%w: %d float32 of dimension %d cannot be reduced to %d components; want 1 to %d", ErrShape, len(vectors), dim, keep, dim)
	}
	n := len(vectors) / dim
	x := Wide(vectors, dim)
	if origin != nil {
		for i := range n {
			for j, o := range origin {
				x.Set(i, j, x.At(i, j)-o)
			}
		}
	}
	var scatter mat.SymDense
	scatter.SymOuterK(1/float64(n), x.T())
	var eigen mat.EigenSym
	if !eigen.Factorize(&scatter, true) {
		return Directions{}, fmt.Errorf("table: the principal components of %d vectors cannot be computed; are they finite?", n)
	}
	var vectorsOf mat.Dense
	eigen.VectorsTo(&vectorsOf) // ascending
	columns := mat.NewDense(dim, keep, nil)
	for k := range keep {
		column := mat.Col(nil, dim-1-k, &vectorsOf)
		largest := 0.0
		for _, c := range column {
			if math.Abs(c) > math.Abs(largest) {
				largest = c
			}
		}
		for j, c := range column {
			columns.Set(j, k, c*math.Copysign(1, largest))
		}
	}
	return Directions{columns}, nil
}

// Keep is how many directions there are.
func (d Directions) Keep() int {
	_, keep := d.columns.Dims()
	return keep
}

// Project returns the components of vectors, [n, dim], along the directions, [n, keep].
func (d Directions) Project(vectors []float32) []float32 {
	dim, _ := d.columns.Dims()
	return Multiply(vectors, dim, d.columns)
}

// Multiply returns vectors, [n, dim], times a matrix [dim, k], as [n, k].
func Multiply(vectors []float32, dim int, by *mat.Dense) []float32 {
	var product mat.Dense
	product.Mul(Wide(vectors, dim), by)
	out := make([]float32, len(product.RawMatrix().Data))
	for i, x := range product.RawMatrix().Data {
		out[i] = float32(x)
	}
	return out
}

// Wide returns vectors, [n, dim] with n at least 1, as a matrix of float64.
func Wide(vectors []float32, dim int) *mat.Dense {
	x := make([]float64, len(vectors))
	for i, v := range vectors {
		x[i] = float64(v)
	}
	return mat.NewDense(len(vectors)/dim, dim, x)
}

// Reduce makes the table of the package comment: vectors, [tokens, dim] as the teacher
// made them, to rows of keep components.
func Reduce(vectors []float32, dim, keep int, vocab *wordpiece.Vocabulary) (Rows, error) {
	weighted, err := Weighted(vectors, dim, vocab)
	if err != nil {
		return Rows{}, err
	}
	mean := make([]float64, dim)
	for i, x := range vectors {
		mean[i%dim] += float64(x) / float64(vocab.Len())
	}
	directions, err := Principal(vectors, dim, keep, mean) // special tokens count here
	if err != nil {
		return Rows{}, err
	}
	return Rows{Dim: keep, Data: directions.Project(weighted.Data)}, nil
}
