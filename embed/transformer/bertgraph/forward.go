package bertgraph

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// Forward gives the vectors of all tokens, [batch, tokens, hidden]. Ids are [batch,
// tokens] int32; lengths, [batch] int32, say how many tokens of each text are not
// padding. The vectors of padding mean nothing. Products are computed in the type of
// their matrix, all else in float32.
func Forward(c checkpoint.Config, w Weights, ids, lengths *graph.Node) *graph.Node {
	return ForwardWith(c, w, Hooks{}, ids, lengths)
}

// ForwardWith is [Forward] with what hooks change of it.
func ForwardWith(c checkpoint.Config, w Weights, h Hooks, ids, lengths *graph.Node) *graph.Node {
	h = h.complete()
	batch, tokens := ids.Shape().Dimensions[0], ids.Shape().Dimensions[1]
	rows := batch * tokens
	x := graph.Gather(w.Words, graph.Reshape(ids, rows, 1)) // [rows, hidden]
	places := graph.Add(
		graph.Slice(w.Positions, graph.AxisRange(c.FirstPosition, c.FirstPosition+tokens)),
		graph.Slice(w.TokenTypes, graph.AxisRange(0, 1)))
	x = graph.Add(graph.Reshape(x, batch, tokens, c.Hidden), graph.ExpandAxes(places, 0))
	x = h.Drop(layerNorm(c, graph.Reshape(x, rows, c.Hidden), w.Scale, w.Shift))
	bias := paddingBias(lengths, batch, tokens)
	for i, l := range w.Layers {
		all := h.Linear(i, Projections, x, l.Projections, l.ProjectionsBias)
		attended := attention(c, h, all, bias, l.Projections.DType(), batch, tokens)
		x = layerNorm(c, graph.Add(x, h.Drop(h.Linear(i, Output, attended, l.Output, l.OutputBias))), l.AttentionScale, l.AttentionShift)
		wide := gelu(h.Linear(i, Up, x, l.Up, l.UpBias))
		x = layerNorm(c, graph.Add(x, h.Drop(h.Linear(i, Down, wide, l.Down, l.DownBias))), l.FeedForwardScale, l.FeedForwardShift)
	}
	return graph.Reshape(x, batch, tokens, c.Hidden)
}

// Linear is x [rows, in] times weight [in, out], plus a bias.
func Linear(x, weight, bias *graph.Node) *graph.Node {
	product := graph.Dot(graph.ConvertDType(x, weight.DType()), weight).Product()
	return graph.Add(graph.ConvertDType(product, x.DType()), graph.ExpandAxes(bias, 0))
}

// attention gives what the heads gather, [rows, hidden], of queries, keys and values
// side by side, [rows, 3 hidden]. Products are computed in the type short.
func attention(c checkpoint.Config, h Hooks, all, bias *graph.Node, short dtypes.DType, batch, tokens int) *graph.Node {
	d, full := c.HeadDim(), all.DType()
	all = graph.Reshape(all, batch, tokens, 3, c.Heads, d)
	part := func(i int) *graph.Node { // [batch, heads, tokens, d]
		one := graph.Slice(all, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(i, i+1))
		return graph.TransposeAllAxes(graph.Reshape(one, batch, tokens, c.Heads, d), 0, 2, 1, 3)
	}
	query := graph.ConvertDType(graph.MulScalar(part(0), 1/math.Sqrt(float64(d))), short)
	key, value := graph.ConvertDType(part(1), short), graph.ConvertDType(part(2), short)
	scores := graph.ConvertDType(graph.DotGeneral(query, []int{3}, []int{0, 1}, key, []int{3}, []int{0, 1}), full) // [batch, heads, tokens, tokens]
	shares := graph.ConvertDType(h.Drop(graph.Softmax(graph.Add(scores, bias), -1)), short)
	gathered := graph.ConvertDType(graph.DotGeneral(shares, []int{3}, []int{0, 1}, value, []int{2}, []int{0, 1}), full)
	return graph.Reshape(graph.TransposeAllAxes(gathered, 0, 2, 1, 3), batch*tokens, c.Hidden)
}

// masked is what is added to the score of padding: after softmax nothing is left of it.
const masked = -1e9

// paddingBias is [batch, 1, 1, tokens]: 0 for a token, masked for padding.
func paddingBias(lengths *graph.Node, batch, tokens int) *graph.Node {
	return graph.MulScalar(graph.OneMinus(present(lengths, batch, 1, 1, tokens)), masked)
}

// present is 1 for a token and 0 for padding, in a shape that begins with the batch and
// ends with tokens.
func present(lengths *graph.Node, dimensions ...int) *graph.Node {
	g, last := lengths.Graph(), len(dimensions)-1
	at := graph.Iota(g, shapes.Make(dtypes.Int32, dimensions...), last)
	until := lengths
	for until.Rank() < len(dimensions) {
		until = graph.ExpandAxes(until, -1)
	}
	return graph.ConvertDType(graph.LessThan(at, graph.BroadcastToDims(until, dimensions...)), dtypes.Float32)
}

// gelu is x times the normal distribution's share below x.
func gelu(x *graph.Node) *graph.Node {
	return graph.Mul(graph.MulScalar(x, 0.5), graph.OnePlus(graph.Erf(graph.MulScalar(x, 1/math.Sqrt2))))
}

func layerNorm(c checkpoint.Config, x, scale, shift *graph.Node) *graph.Node {
	off := graph.Sub(x, graph.ReduceAndKeep(x, graph.ReduceMean, -1))
	variance := graph.ReduceAndKeep(graph.Square(off), graph.ReduceMean, -1)
	norm := graph.Div(off, graph.Sqrt(graph.AddScalar(variance, float64(c.Epsilon))))
	return graph.Add(graph.Mul(norm, graph.ExpandAxes(scale, 0)), graph.ExpandAxes(shift, 0))
}

// Pool gives the texts' vectors, [batch, hidden], not yet of unit length, of the tokens'
// vectors, [batch, tokens, hidden].
func Pool(p checkpoint.Pooling, hidden, lengths *graph.Node) *graph.Node {
	batch, tokens, h := hidden.Shape().Dimensions[0], hidden.Shape().Dimensions[1], hidden.Shape().Dimensions[2]
	switch p {
	case checkpoint.CLS:
		return graph.Reshape(graph.Slice(hidden, graph.AxisRange(), graph.AxisRange(0, 1)), batch, h)
	case checkpoint.Last:
		before := graph.ConvertDType(graph.AddScalar(lengths, -1), dtypes.Int32)
		last := graph.Sub(present(lengths, batch, tokens), present(before, batch, tokens))
		return graph.ReduceSum(graph.Mul(hidden, graph.ExpandAxes(last, -1)), 1)
	}
	sum := graph.ReduceSum(graph.Mul(hidden, graph.ExpandAxes(present(lengths, batch, tokens), -1)), 1)
	return graph.Div(sum, graph.ExpandAxes(graph.ConvertDType(lengths, dtypes.Float32), -1))
}
