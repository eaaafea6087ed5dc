// Package squared is the loss of a score that is read from a text's vector: the weighted
// mean of (v·w + b - score)², with the head w and b.
package squared

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/mat"
)

// Loss is the loss over batches of one size.
type Loss struct{ Examples int }

// Inputs are: the examples' rows of the vectors, int32 [Examples, 1]; scores and weights,
// float32 [Examples], the weights not all 0.
func (l Loss) Inputs() []shapes.Shape {
	return []shapes.Shape{shapes.Make(dtypes.Int32, l.Examples, 1), shapes.Make(dtypes.Float32, l.Examples), shapes.Make(dtypes.Float32, l.Examples)}
}

// Build is the loss as a graph. The head is w [hidden, 1] and b [1].
func (l Loss) Build(vectors *graph.Node, head, inputs []*graph.Node) *graph.Node {
	rows, scores, weights := graph.Gather(vectors, inputs[0]), inputs[1], inputs[2]
	read := graph.Add(graph.Dot(rows, head[0]).Product(), graph.ExpandAxes(head[1], 0)) // [examples, 1]
	off := graph.Sub(graph.Reshape(read, l.Examples), scores)
	return graph.Div(graph.ReduceAllSum(graph.Mul(graph.Square(off), weights)), graph.ReduceAllSum(weights))
}

// Start finds the head for vectors, [len(scores), dim] of unit length, by ridge
// regression: the best there is before the encoder changes.
func Start(vectors []float32, dim int, scores, weights []float64, ridge float64) (w []float32, b float32, err error) {
	mean, total := make([]float64, dim), 0.0
	var middle float64
	for i, weight := range weights {
		total += weight
		middle += weight * scores[i]
		for d := range dim {
			mean[d] += weight * float64(vectors[i*dim+d])
		}
	}
	middle /= total
	for d := range mean {
		mean[d] /= total
	}
	square, product, row := mat.NewSymDense(dim, nil), mat.NewVecDense(dim, nil), mat.NewVecDense(dim, nil)
	for i, weight := range weights {
		for d := range dim {
			row.SetVec(d, float64(vectors[i*dim+d])-mean[d])
		}
		square.SymRankOne(square, weight, row)
		product.AddScaledVec(product, weight*(scores[i]-middle), row)
	}
	for d := range dim {
		square.SetSym(d, d, square.At(d, d)+ridge)
	}
	var factor mat.Cholesky
	if !factor.Factorize(square) {
		return nil, 0, fmt.Errorf("squared: the head of %d examples has no solution", len(scores))
	}
	var solution mat.VecDense
	if err := factor.SolveVecTo(&solution, product); err != nil {
		return nil, 0, fmt.Errorf("squared: the head of %d examples: %w", len(scores), err)
	}
	w = make([]float32, dim)
	for d := range w {
		w[d] = float32(solution.AtVec(d))
		middle -= solution.AtVec(d) * mean[d]
	}
	return w, float32(middle), nil
}
