package sentiment

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// gram holds the inner products of training texts in each view.
type gram struct {
	centred []float32 // [rows, dim], centred and of unit length
	mean    []float32
	vectors *mat.SymDense // of the vectors
	words   []float32     // of the words' slots, the lower triangle row by row
	lexicon [][lexical]float64
}

// products computes the inner products of the rows of f, whose vectors are taken less
// mean; nil is their own mean.
func products(f *Features, rows []int, mean []float32) *gram {
	n := len(rows)
	if mean == nil {
		mean = f.mean(rows)
	}
	g := &gram{mean: mean, centred: make([]float32, n*f.dim), words: make([]float32, n*(n+1)/2), lexicon: make([][lexical]float64, n)}
	wide := mat.NewDense(n, f.dim, nil)
	bySlot := map[uint32][]int32{} // rows that have a slot, ascending
	for r, i := range rows {
		row := g.centred[r*f.dim : (r+1)*f.dim]
		centre(row, f.vector(i), g.mean)
		for j, x := range row {
			wide.Set(r, j, float64(x))
		}
		g.lexicon[r] = f.lexicon[i]
		for _, s := range f.slots[i] {
			bySlot[s] = append(bySlot[s], int32(r))
		}
	}
	g.vectors = mat.NewSymDense(n, nil)
	g.vectors.SymOuterK(1, wide)
	for _, list := range bySlot { // whole numbers are added: the order does not matter
		for k, r := range list {
			row := g.words[int(r)*(int(r)+1)/2:]
			for _, q := range list[:k+1] {
				row[q]++
			}
		}
	}
	for r := range n {
		for q := 0; q <= r; q++ {
			g.words[r*(r+1)/2+q] *= float32(f.values[rows[r]] * f.values[rows[q]])
		}
	}
	return g
}

// kernel is the matrix that the regression is solved with.
func (g *gram) kernel(o Options) *mat.SymDense {
	n := g.vectors.SymmetricDim()
	k := mat.NewSymDense(n, nil)
	for r := range n {
		for q := 0; q <= r; q++ {
			x := g.vectors.At(r, q)
			if o.Kernel > 0 {
				x = math.Exp(-2 * o.Kernel * (1 - x))
			}
			x += o.Words * o.Words * float64(g.words[r*(r+1)/2+q])
			for j, l := range g.lexicon[r] {
				x += l * g.lexicon[q][j]
			}
			if r == q {
				x += o.Ridge
			}
			k.SetSym(q, r, x)
		}
	}
	return k
}
