package transition

import (
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/mat"

	"github.com/kindred-rec/kindred/embed/internal/kernel"
)

// Factors are the vectors of a log's items.
type Factors struct {
	Dim    int       // components, at most Options.Rank
	Input  []float32 // [items, dim]: of an item that was seen
	Output []float32 // [items, dim]: of an item that may follow; the inner product is the damped count
	// Pairs is how many different pairs were factored, Dropped how many were given up
	// because there were more than MaxPairs.
	Pairs, Dropped int64
}

// Fit counts sequences, each a user's items by number below items, oldest first, and
// factors the counts. An empty log gives zeros. The sequences are read once. The result
// depends on their order only where pairs were dropped. Its errors are those of the
// sequences, of the context, [ErrOptions], and of an item number out of range.
func Fit(ctx context.Context, items int, sequences iter.Seq2[[]uint32, error], o Options) (Factors, error) {
	o, err := o.withDefaults()
	if err != nil {
		return Factors{}, err
	}
	c := newCounts(items, o.MaxPairs)
	for sequence, err := range sequences {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return Factors{}, fmt.Errorf("transition: %w", err)
		}
		for _, item := range sequence {
			if int64(item) >= int64(items) {
				return Factors{}, fmt.Errorf("%w: item number %d, there are %d items", ErrOptions, item, items)
			}
		}
		c.sequence(sequence, o)
	}
	m := c.damped(o)
	f := Factors{Dim: min(o.Rank, max(items, 1)), Pairs: int64(len(m.value)), Dropped: c.dropped}
	if err := f.factor(ctx, m, o); err != nil {
		return Factors{}, fmt.Errorf("transition: %w", err)
	}
	return f, nil
}

// spare columns make the last ones that are kept converge as fast as the first.
const spare = 16

// factor finds M ≈ Input·Outputᵀ: with V orthonormal and M·V = Y, Y·Vᵀ is M on the
// subspace; the eigenvectors of YᵀY turn V to the singular vectors, of which the largest
// are kept, each side taking the root of the singular value.
func (f *Factors) factor(ctx context.Context, m sparse, o Options) error {
	n, width := m.rows, min(f.Dim+spare, max(m.rows, 1))
	f.Input, f.Output = make([]float32, n*f.Dim), make([]float32, n*f.Dim)
	if len(m.value) == 0 {
		return nil
	}
	transposed := m.transpose()
	v, y := make([]float32, n*width), make([]float32, n*width)
	rng := rand.New(rand.NewPCG(o.Seed, 0x7472616e73697469))
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	for range o.Iterations {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.multiply(y, v, width, o.Workers)
		orthonormal(y, width)
		transposed.multiply(v, y, width, o.Workers)
		orthonormal(v, width)
	}
	m.multiply(y, v, width, o.Workers)
	var eigen mat.EigenSym
	if !eigen.Factorize(gram(y, width), true) {
		return fmt.Errorf("the eigenvalues of %d transition factors did not converge", width)
	}
	var turn mat.Dense
	eigen.VectorsTo(&turn)
	f.keep(v, y, width, eigen.Values(nil), &turn)
	return nil
}

// keep takes the largest singular values, which come last.
func (f *Factors) keep(v, y []float32, width int, squares []float64, turn *mat.Dense) {
	column := make([]float32, width)
	for c := range f.Dim {
		at := width - 1 - c
		if at < 0 {
			break
		}
		root := math.Sqrt(math.Sqrt(max(squares[at], 0)))
		if root < 1e-6 {
			break // the rest is of rank zero
		}
		for r := range width {
			column[r] = float32(turn.At(r, at))
		}
		for i := range len(v) / width {
			f.Input[i*f.Dim+c] = kernel.Dot(y[i*width:(i+1)*width], column) / float32(root)
			f.Output[i*f.Dim+c] = kernel.Dot(v[i*width:(i+1)*width], column) * float32(root)
		}
	}
}

// multiply writes s · x to y, [rows, width] each.
func (s sparse) multiply(y, x []float32, width, workers int) {
	const chunk = 256
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				from := int(next.Add(chunk)) - chunk
				if from >= s.rows {
					return
				}
				for row := from; row < min(from+chunk, s.rows); row++ {
					out := y[row*width : (row+1)*width]
					clear(out)
					for at := s.start[row]; at < s.start[row+1]; at++ {
						c := int(s.column[at])
						kernel.Axpy(out, x[c*width:(c+1)*width], s.value[at])
					}
				}
			}
		})
	}
	wg.Wait()
}

// gram is xᵀx, summed in float64.
func gram(x []float32, width int) *mat.SymDense {
	g := mat.NewSymDense(width, nil)
	const block = 512 // rows whose products are summed in float32
	part := make([]float32, width*width)
	for from := 0; from < len(x)/width; from += block {
		clear(part)
		for row := from; row < min(from+block, len(x)/width); row++ {
			v := x[row*width : (row+1)*width]
			for i, a := range v {
				if a != 0 {
					kernel.Axpy(part[i*width+i:(i+1)*width], v[i:], a)
				}
			}
		}
		for i := range width {
			for j := i; j < width; j++ {
				g.SetSym(i, j, g.At(i, j)+float64(part[i*width+j]))
			}
		}
	}
	return g
}

// orthonormal makes the columns of x orthonormal, twice, for the first pass leaves what
// rounding makes of nearly parallel columns. Directions that have vanished become zeros.
func orthonormal(x []float32, width int) {
	for range 2 {
		var eigen mat.EigenSym
		if !eigen.Factorize(gram(x, width), true) {
			return // it stays a basis, only a worse one
		}
		var turn mat.Dense
		eigen.VectorsTo(&turn)
		values := eigen.Values(nil)
		largest := values[width-1]
		rows := make([]float32, width*width) // row c is the combination that makes column c
		for c := range width {
			if values[c] <= largest*1e-12 {
				continue
			}
			by := 1 / math.Sqrt(values[c])
			for r := range width {
				rows[c*width+r] = float32(turn.At(r, c) * by)
			}
		}
		old := make([]float32, width)
		for i := range len(x) / width {
			row := x[i*width : (i+1)*width]
			copy(old, row)
			for c := range row {
				row[c] = kernel.Dot(old, rows[c*width:(c+1)*width])
			}
		}
	}
}
