package bertgraph

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// Weights are the parameters as nodes of one graph.
type Weights struct {
	Words, Positions, TokenTypes *graph.Node
	Scale, Shift                 *graph.Node
	Layers                       []Layer
}

// Layer are the parameters of one block. Matrices are [in, out].
type Layer struct {
	Projections, ProjectionsBias       *graph.Node // query, key and value side by side
	Output, OutputBias                 *graph.Node
	AttentionScale, AttentionShift     *graph.Node
	Up, UpBias, Down, DownBias         *graph.Node
	FeedForwardScale, FeedForwardShift *graph.Node
}

// Value is a parameter's name, shape and value, row by row.
type Value struct {
	Name  string
	Shape []int
	Data  []float32
	// Product says that it is a matrix that vectors are multiplied with, which may be
	// of a shorter type than float32.
	Product bool
}

// Values are the parameters of a checkpoint in the order that [Assign] takes them.
// Tables share memory with the checkpoint; matrices are transposed copies.
func Values(c checkpoint.Config, w *checkpoint.Weights) []Value {
	h, f := c.Hidden, c.FeedForward
	all := []Value{
		{"words", []int{c.Vocab, h}, w.Words, false},
		{"positions", []int{c.Positions, h}, w.Positions, false},
		{"token_types", []int{c.TokenTypes, h}, w.TokenTypes, false},
		{"scale", []int{h}, w.Norm.Scale, false},
		{"shift", []int{h}, w.Norm.Shift, false},
	}
	for i, l := range w.Layers {
		at := fmt.Sprintf("layer_%d_", i)
		all = append(all,
			Value{at + "projections", []int{h, 3 * h}, transposed(h, l.Query.Weight, l.Key.Weight, l.Value.Weight), true},
			Value{at + "projections_bias", []int{3 * h}, concatenated(l.Query.Bias, l.Key.Bias, l.Value.Bias), false},
			Value{at + "output", []int{h, h}, transposed(h, l.Output.Weight), true},
			Value{at + "output_bias", []int{h}, l.Output.Bias, false},
			Value{at + "attention_scale", []int{h}, l.AttentionNorm.Scale, false},
			Value{at + "attention_shift", []int{h}, l.AttentionNorm.Shift, false},
			Value{at + "up", []int{h, f}, transposed(h, l.Up.Weight), true},
			Value{at + "up_bias", []int{f}, l.Up.Bias, false},
			Value{at + "down", []int{f, h}, transposed(f, l.Down.Weight), true},
			Value{at + "down_bias", []int{h}, l.Down.Bias, false},
			Value{at + "feed_forward_scale", []int{h}, l.Norm.Scale, false},
			Value{at + "feed_forward_shift", []int{h}, l.Norm.Shift, false},
		)
	}
	return all
}

// Assign gives nodes, in the order of [Values], their meaning.
func Assign(c checkpoint.Config, nodes []*graph.Node) Weights {
	next := func() *graph.Node {
		n := nodes[0]
		nodes = nodes[1:]
		return n
	}
	w := Weights{Words: next(), Positions: next(), TokenTypes: next(), Scale: next(), Shift: next()}
	for range c.Layers {
		w.Layers = append(w.Layers, Layer{
			Projections: next(), ProjectionsBias: next(), Output: next(), OutputBias: next(),
			AttentionScale: next(), AttentionShift: next(),
			Up: next(), UpBias: next(), Down: next(), DownBias: next(),
			FeedForwardScale: next(), FeedForwardShift: next(),
		})
	}
	return w
}

// Checkpoint is the inverse of [Values]: values in their order and shapes become weights
// of a checkpoint. Tables and vectors share memory with values, matrices are copies.
func Checkpoint(c checkpoint.Config, values [][]float32) *checkpoint.Weights {
	next := func() []float32 {
		v := values[0]
		values = values[1:]
		return v
	}
	h, f := c.Hidden, c.FeedForward
	linear := func(in, out int) checkpoint.Linear {
		return checkpoint.Linear{Weight: transposed(out, next()), Bias: next()}
	}
	w := &checkpoint.Weights{Words: next(), Positions: next(), TokenTypes: next(), Norm: checkpoint.Norm{Scale: next(), Shift: next()}}
	for range c.Layers {
		all := linear(h, 3*h)
		part := func(i int) checkpoint.Linear {
			return checkpoint.Linear{Weight: all.Weight[i*h*h : (i+1)*h*h], Bias: all.Bias[i*h : (i+1)*h]}
		}
		w.Layers = append(w.Layers, checkpoint.Layer{Query: part(0), Key: part(1), Value: part(2),
			Output: linear(h, h), AttentionNorm: checkpoint.Norm{Scale: next(), Shift: next()},
			Up: linear(h, f), Down: linear(f, h), Norm: checkpoint.Norm{Scale: next(), Shift: next()}})
	}
	return w
}

// transposed joins matrices [out, in] and gives [in, all outs].
func transposed(in int, matrices ...[]float32) []float32 {
	rows := concatenated(matrices...)
	outs := len(rows) / in
	t := make([]float32, len(rows))
	for out := range outs {
		for i, x := range rows[out*in : (out+1)*in] {
			t[i*outs+out] = x
		}
	}
	return t
}

func concatenated(parts ...[]float32) []float32 {
	var all []float32
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}
