package bertgraph

import "github.com/gomlx/gomlx/core/graph"

// Matrix names one of the products of a layer.
type Matrix int

// The matrices of a layer, in the order in which they are used.
const (
	Projections Matrix = iota // query, key and value side by side, [hidden, 3 hidden]
	Output                    // [hidden, hidden]
	Up                        // [hidden, feedForward]
	Down                      // [feedForward, hidden]
)

// Hooks change a forward pass where training needs it. A nil member changes nothing.
type Hooks struct {
	// Linear gives x, [rows, in], times a matrix, [in, out], plus its bias, [out], as
	// [Linear] does: an adapter adds to that.
	Linear func(layer int, m Matrix, x, weight, bias *graph.Node) *graph.Node

	// Drop is what BERT was trained with dropout on: the vectors after the embeddings,
	// the shares of attention, and what a block adds to the vectors. Called in an order
	// that depends on the architecture alone.
	Drop func(x *graph.Node) *graph.Node
}

func (h Hooks) complete() Hooks {
	if h.Linear == nil {
		h.Linear = func(_ int, _ Matrix, x, weight, bias *graph.Node) *graph.Node { return Linear(x, weight, bias) }
	}
	if h.Drop == nil {
		h.Drop = func(x *graph.Node) *graph.Node { return x }
	}
	return h
}
