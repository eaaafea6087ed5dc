package sentiment

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// MaxExamples bounds the texts that a head is trained on; the matrices of so many take
// about a gigabyte.
const MaxExamples = 6000

// MinExamples is how few texts a head is trained on at least.
const MinExamples = 50

// Options say how a head is trained. [DefaultOptions] is right for the static encoder.
type Options struct {
	// Ridge holds the weights to zero: more for fewer or noisier ratings. Above 0.
	Ridge float64
	// Words is what the words and pairs of words count beside the vector. At least 0;
	// 0 leaves them out.
	Words float64
	// Kernel, if it is above 0, compares vectors x and z by exp(-Kernel·|x-z|²) instead of
	// their inner product. The head then keeps the vectors of its training texts.
	Kernel float64
}

// DefaultOptions are a linear head in which words count as much as the vector.
func DefaultOptions() Options { return Options{Ridge: 0.5, Words: 1} }

// Validate returns an error that wraps [ErrOptions] and names what is out of range.
func (o Options) Validate() error {
	switch {
	case !(o.Ridge > 0) || math.IsInf(o.Ridge, 0):
		return fmt.Errorf("%w: Ridge is %v; want a number above 0, such as 0.5", ErrOptions, o.Ridge)
	case !(o.Words >= 0) || math.IsInf(o.Words, 0):
		return fmt.Errorf("%w: Words is %v; want a number of at least 0, such as 1", ErrOptions, o.Words)
	case !(o.Kernel >= 0) || math.IsInf(o.Kernel, 0):
		return fmt.Errorf("%w: Kernel is %v; want a number of at least 0; 0 is linear", ErrOptions, o.Kernel)
	}
	return nil
}

// Train fits a head to texts that people rated, from -Scale to Scale. rows are the texts
// to learn from, nil for all. It takes from [MinExamples] to [MaxExamples]; [Sample] makes
// a seeded choice of more.
func Train(f *Features, ratings []float64, rows []int, o Options) (*Head, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	rows, err := checkRows(f, ratings, rows)
	if err != nil {
		return nil, err
	}
	return fit(f, products(f, rows, nil), ratings, rows, o)
}

// checkRows checks the input of training and returns the rows.
func checkRows(f *Features, ratings []float64, rows []int) ([]int, error) {
	if len(ratings) != f.Len() {
		return nil, fmt.Errorf("sentiment: %d ratings for %d texts; give one each", len(ratings), f.Len())
	}
	if rows == nil {
		rows = all(f.Len())
	}
	if len(rows) < MinExamples {
		return nil, fmt.Errorf("%w: %d; at least %d are needed", ErrFew, len(rows), MinExamples)
	}
	if len(rows) > MaxExamples {
		return nil, fmt.Errorf("sentiment: %d rated texts are more than MaxExamples, %d; give a sample of them", len(rows), MaxExamples)
	}
	for _, i := range rows {
		if !(math.Abs(ratings[i]) <= Scale) {
			return nil, fmt.Errorf("sentiment: text %d is rated %v; want %d to %d", i, ratings[i], -Scale, Scale)
		}
	}
	return rows, nil
}

func all(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// fit solves the regression and turns its solution into weights of the views.
func fit(f *Features, g *gram, ratings []float64, rows []int, o Options) (*Head, error) {
	mean := 0.0
	for _, i := range rows {
		mean += ratings[i] / float64(len(rows))
	}
	target := mat.NewVecDense(len(rows), nil)
	for r, i := range rows {
		target.SetVec(r, ratings[i]-mean)
	}
	dual, err := solve(g.kernel(o), target, o)
	if err != nil {
		return nil, err
	}
	h := &Head{model: f.model, dim: f.dim, intercept: mean, examples: len(rows), options: o, mean: g.mean,
		vector: make([]float32, f.dim), words: make([]float32, Slots)}
	h.collapse(f, rows, dual, o)
	if o.Kernel == 0 {
		h.addVectors(g.centred, dual)
		return h, nil
	}
	h.support, h.dual = g.centred, make([]float32, len(rows))
	for r := range rows {
		h.dual[r] = float32(dual.AtVec(r))
	}
	return h, nil
}

// solve returns kernel⁻¹ target; the ridge is in the kernel already.
func solve(kernel *mat.SymDense, target *mat.VecDense, o Options) (*mat.VecDense, error) {
	var factor mat.Cholesky
	if !factor.Factorize(kernel) {
		return nil, fmt.Errorf("%w: with Ridge %v the equations cannot be solved in double precision; use a larger one", ErrOptions, o.Ridge)
	}
	var dual mat.VecDense
	if err := factor.SolveVecTo(&dual, target); err != nil {
		return nil, fmt.Errorf("%w: with Ridge %v the equations are nearly singular (%v); use a larger one", ErrOptions, o.Ridge, err)
	}
	return &dual, nil
}

// collapse adds to the weights of lexicon and words what the dual solution says.
func (h *Head) collapse(f *Features, rows []int, dual *mat.VecDense, o Options) {
	sums := make(map[uint32]float64)
	for r, i := range rows {
		a := dual.AtVec(r)
		for j, l := range f.lexicon[i] {
			h.lexicon[j] += a * l
		}
		for _, s := range f.slots[i] {
			sums[s] += a * f.values[i] * o.Words * o.Words
		}
	}
	for s, x := range sums {
		h.words[s] += float32(x)
	}
}

// addVectors adds to the weights of the vector.
func (h *Head) addVectors(centred []float32, dual *mat.VecDense) {
	sum := make([]float64, h.dim)
	for r := range dual.Len() {
		for j, x := range centred[r*h.dim : (r+1)*h.dim] {
			sum[j] += dual.AtVec(r) * float64(x)
		}
	}
	for j, x := range sum {
		h.vector[j] += float32(x)
	}
}
