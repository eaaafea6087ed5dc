// Package infonce is the contrastive loss of pairs that are each other's negatives.
//
// A query i has one candidate that belongs to it, and all others of the batch speak
// against it. With cosines s of unit vectors, the temperature t and a bias b,
//
//	loss = sum_i w_i · -log softmax_j( s_ij / t + b_ij )[target_i]  /  sum_i w_i
//
// (van den Oord et al. 2018). A popular item stands in many batches, so it is pushed away
// from everything more often than it deserves. The bias takes that back: b_ij is minus
// the logarithm of how often candidate j is expected in a batch (Yi et al. 2019, "logQ").
// A bias of [Masked] takes a candidate out: one that is the target once more, the query
// itself, or known to belong to it.
package infonce

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Masked is the bias of a candidate that does not count.
const Masked = -1e9

// Loss is the loss over batches of one size.
type Loss struct {
	Queries, Candidates int
	Temperature         float64
}

// Inputs are: queries and candidates as rows of the vectors, int32 [Queries, 1] and
// [Candidates, 1]; targets, the candidate of each query, int32 [Queries]; bias, float32
// [Queries, Candidates]; weights, float32 [Queries], not all 0.
func (l Loss) Inputs() []shapes.Shape {
	return []shapes.Shape{shapes.Make(dtypes.Int32, l.Queries, 1), shapes.Make(dtypes.Int32, l.Candidates, 1), shapes.Make(dtypes.Int32, l.Queries),
		shapes.Make(dtypes.Float32, l.Queries, l.Candidates), shapes.Make(dtypes.Float32, l.Queries)}
}

// Build is the loss as a graph.
func (l Loss) Build(vectors *graph.Node, _, inputs []*graph.Node) *graph.Node {
	queries, candidates := graph.Gather(vectors, inputs[0]), graph.Gather(vectors, inputs[1])
	targets, bias, weights := inputs[2], inputs[3], inputs[4]
	scores := graph.DotGeneral(queries, []int{1}, nil, candidates, []int{1}, nil)
	logs := graph.LogSoftmax(graph.Add(graph.MulScalar(scores, 1/l.Temperature), bias), -1)
	place := graph.Iota(vectors.Graph(), shapes.Make(dtypes.Int32, l.Queries, l.Candidates), 1)
	wanted := graph.Equal(place, graph.BroadcastToDims(graph.ExpandAxes(targets, -1), l.Queries, l.Candidates))
	picked := graph.ReduceSum(graph.Where(wanted, logs, graph.ZerosLike(logs)), -1)
	return graph.Neg(graph.Div(graph.ReduceAllSum(graph.Mul(picked, weights)), graph.ReduceAllSum(weights)))
}
