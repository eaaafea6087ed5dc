package learn

import (
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/embed/static/distill/internal/table"
	"gonum.org/v1/gonum/mat"
)

// ridge is the penalty on the linear map, for each example. Sums are of unit length.
const ridge = 5e-5

// Target is what a table of some dimension is to give: the teacher's space, reduced.
type Target struct{ directions table.Directions }

// NewTarget reduces the teacher's space to dim directions, those along which its
// vectors of the examples lie.
func NewTarget(e Examples, dim int) (Target, error) {
	directions, err := table.Principal(e.Vectors, e.Dim, dim, nil)
	if err != nil {
		return Target{}, fmt.Errorf("learn: %w", err)
	}
	return Target{directions}, nil
}

// Reduce returns the unit vectors, [n, target's dimension], that the teacher's vectors,
// at least one, become.
func (t Target) Reduce(vectors []float32) []float32 {
	out := t.directions.Project(vectors)
	keep := t.directions.Keep()
	for i := 0; i < len(out); i += keep {
		table.Normalize(out[i : i+keep])
	}
	return out
}

// Start maps unreduced rows, those of table.Weighted, to rows of the target's dimension
// whose sums lie as near as one linear map can bring them to the target. The rows'
// lengths are about 1: their root mean square is.
func Start(rows table.Rows, e Examples, target Target) (table.Rows, error) {
	e, err := e.usable(len(rows.Data) / rows.Dim)
	if err != nil {
		return table.Rows{}, err
	}
	sums := table.Wide(rows.Encode(e.Tokens), rows.Dim)
	want := target.Reduce(e.Vectors)
	dim := target.directions.Keep()
	var square, product, linear mat.Dense
	square.Mul(sums.T(), sums)
	for j := range rows.Dim {
		square.Set(j, j, square.At(j, j)+ridge*float64(len(e.Tokens)))
	}
	product.Mul(sums.T(), table.Wide(want, dim))
	if err := linear.Solve(&square, &product); err != nil {
		return table.Rows{}, fmt.Errorf("learn: the linear map of %d texts: %w", len(e.Tokens), err)
	}
	out := table.Rows{Dim: dim, Data: table.Multiply(rows.Data, rows.Dim, &linear)}
	var squares float64
	for _, x := range out.Data {
		squares += float64(x) * float64(x)
	}
	if !(squares > 0) || math.IsInf(squares, 1) {
		return table.Rows{}, fmt.Errorf("%w: the linear map of %d texts is zero or not finite", ErrExamples, len(e.Tokens))
	}
	by := float32(1 / math.Sqrt(squares/float64(len(out.Data)/dim)))
	for i := range out.Data {
		out.Data[i] *= by
	}
	return out, nil
}
