package network

import (
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// The moments' decay and the least divisor of Adam, as published, and what is added to
// the norm that a gradient is divided by.
const (
	firstDecay  = 0.9
	secondDecay = 0.999
	leastRoot   = 1e-8
	leastNorm   = 1e-6
)

// update takes a step of AdamW (Loshchilov and Hutter 2019) along gradients, which are
// gone afterwards, and returns their norm. If that is not finite, nothing changes.
func (n *Network) update(gradients []compute.Buffer, rate float64) (norm float64, err error) {
	g, err := n.program("adamw", n.adamW)
	if err != nil {
		return 0, err
	}
	step := float64(n.steps + 1)
	numbers, err := n.inputs(nil, []Input{{shapes.Make(dtypes.Float32, 3), []float32{
		float32(rate), float32(1 - math.Pow(firstDecay, step)), float32(1 - math.Pow(secondDecay, step))}}})
	if err != nil {
		return 0, err
	}
	arguments := slices.Concat(n.weights, n.first, n.second, gradients, numbers)
	results, err := n.run(g, arguments, slices.Repeat([]bool{true}, len(arguments)))
	if err != nil {
		return 0, err
	}
	k := len(n.trained)
	n.weights, n.first, n.second = results[1:1+k], results[1+k:1+2*k], results[1+2*k:]
	norm, err = scalar(results[0])
	release(results[:1])
	if finite(norm) {
		n.steps++
	}
	return norm, err
}

// adamW builds the step: its outputs are the norm, the weights and both moments.
func (n *Network) adamW(g *graph.Graph) []*graph.Node {
	declare := func(kind string) (all []*graph.Node) {
		for _, p := range n.trained {
			all = append(all, graph.Parameter(g, p.Name+"_"+kind, shapes.Make(dtypes.Float32, p.Shape...)))
		}
		return all
	}
	weights, first, second, gradients := declare("weight"), declare("first"), declare("second"), declare("gradient")
	numbers := graph.Parameter(g, "numbers", shapes.Make(dtypes.Float32, 3))
	number := func(i int) *graph.Node { return graph.Reshape(graph.Slice(numbers, graph.AxisRange(i, i+1))) }
	rate, firstShare, secondShare := number(0), number(1), number(2)

	norm := normOf(g, gradients)
	sound := graph.IsFinite(norm)
	by := graph.ScalarOne(g, dtypes.Float32)
	if n.config.Clip > 0 {
		by = graph.Min(by, graph.Div(graph.Scalar(g, dtypes.Float32, n.config.Clip), graph.AddScalar(norm, leastNorm)))
	}
	keep := func(changed, old *graph.Node) *graph.Node { return graph.Where(sound, changed, old) }
	for i, p := range n.trained {
		slope := graph.Mul(gradients[i], by)
		m := graph.Add(graph.MulScalar(first[i], firstDecay), graph.MulScalar(slope, 1-firstDecay))
		v := graph.Add(graph.MulScalar(second[i], secondDecay), graph.MulScalar(graph.Square(slope), 1-secondDecay))
		stride := graph.MulScalar(rate, p.Rate)
		along := graph.Div(graph.Div(m, firstShare), graph.AddScalar(graph.Sqrt(graph.Div(v, secondShare)), leastRoot))
		w := weights[i]
		if p.Decay && n.config.Decay > 0 {
			w = graph.Mul(w, graph.OneMinus(graph.MulScalar(stride, n.config.Decay)))
		}
		w = graph.Sub(w, graph.Mul(along, stride))
		weights[i], first[i], second[i] = keep(w, weights[i]), keep(m, first[i]), keep(v, second[i])
	}
	return slices.Concat([]*graph.Node{norm}, weights, first, second)
}

// normOf is the length of all gradients together. Rows are summed first: one long sum in
// float32 would lose digits.
func normOf(g *graph.Graph, gradients []*graph.Node) *graph.Node {
	total := graph.ScalarZero(g, dtypes.Float32)
	for _, slope := range gradients {
		total = graph.Add(total, graph.ReduceAllSum(graph.ReduceSum(graph.Square(slope), -1)))
	}
	return graph.Sqrt(total)
}
