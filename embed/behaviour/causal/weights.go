package causal

import (
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// Linear is y = Weight x + Bias.
type Linear struct {
	Weight []float32 // [out, in]
	Bias   []float32 // [out]
}

// Norm is the scale and shift of a layer norm, [dim] each.
type Norm struct{ Scale, Shift []float32 }

// Layer is one block of attention and feed-forward.
type Layer struct {
	// Input makes queries, keys and values: [3 dim, dim], all queries first, then all
	// keys, then all values; head h has the components from h·HeadDim of each.
	Input Linear

	// Distance is what is added to a head's score of an event so many events back,
	// [heads, window], the event itself at 0. Absent unless positions are relative.
	Distance []float32

	Output        Linear // [dim, dim]
	AttentionNorm Norm
	Up            Linear // [feedForward, dim]
	Down          Linear // [dim, feedForward]
	Norm          Norm
}

// Weights are the parameters of one encoder, all float32. An absent part has length 0.
type Weights struct {
	Projection []float32 // [dim, textDim]: from an item's text vector to its vector
	Residual   []float32 // [items, dim]: what is added to that
	Types      []float32 // [types, dim]
	Gaps       []float32 // [gaps, dim]
	Values     []float32 // [values, dim]
	Positions  []float32 // [window, dim], the last event at 0; absent unless positions are from the end
	Norm       Norm      // of the sum of an event's vectors; with PreNorm, of the last block's result
	Layers     []Layer
}

// Parameter is one named array of the weights.
type Parameter struct {
	Name  string
	Shape []int
	Data  []float32

	// Matrix says whether it is the weight of a product or a table of vectors, which
	// weight decay is for, rather than a bias, a norm or a distance.
	Matrix bool
}

// Len is the number of elements.
func (p Parameter) Len() int { return length(p.Shape) }

func length(shape []int) int {
	n := 1
	for _, axis := range shape {
		n *= axis
	}
	return n
}

// NewWeights returns weights of zeros, all in one array: Flat, whose order is that of
// [Weights.Parameters] with each parameter beginning at a multiple of 16 elements.
// The configuration must be valid.
func NewWeights(c Config) (w *Weights, flat []float32) {
	w = &Weights{Layers: make([]Layer, c.Layers)}
	all := w.places(c)
	total := 0
	for _, p := range all {
		total += Aligned(p.Len())
	}
	flat = make([]float32, total)
	at := 0
	for _, p := range all {
		*p.at = flat[at : at+p.Len() : at+p.Len()]
		at += Aligned(p.Len())
	}
	return w, flat
}

// Aligned is how many elements a parameter of n takes in the array of [NewWeights].
func Aligned(n int) int { return (n + 15) &^ 15 }

// Parameters are all the arrays that the configuration has, in the order of the file.
// They share memory with w.
func (w *Weights) Parameters(c Config) []Parameter {
	places := w.places(c)
	all := make([]Parameter, len(places))
	for i, p := range places {
		all[i] = p.Parameter
		all[i].Data = *p.at
	}
	return all
}

// place is a parameter and the field that holds it.
type place struct {
	Parameter
	at *[]float32
}

// places are the fields of weights with as many layers as the configuration has.
func (w *Weights) places(c Config) []place {
	var all []place
	add := func(name string, at *[]float32, matrix bool, shape ...int) {
		if length(shape) > 0 {
			all = append(all, place{Parameter{Name: name, Shape: shape, Matrix: matrix}, at})
		}
	}
	linear := func(name string, l *Linear, out, in int) {
		add(name+".weight", &l.Weight, true, out, in)
		add(name+".bias", &l.Bias, false, out)
	}
	norm := func(name string, n *Norm) {
		add(name+".weight", &n.Scale, false, c.Dim)
		add(name+".bias", &n.Shift, false, c.Dim)
	}
	add("item.projection", &w.Projection, true, c.Dim, c.TextDim)
	add("item.residual", &w.Residual, true, c.Items, c.Dim)
	add("event.type", &w.Types, true, c.Types, c.Dim)
	add("event.gap", &w.Gaps, true, c.Gaps, c.Dim)
	add("event.value", &w.Values, true, c.Values, c.Dim)
	if c.Position == FromEnd {
		add("event.position", &w.Positions, true, c.Window, c.Dim)
	}
	norm("norm", &w.Norm)
	for i := range w.Layers {
		l, at := &w.Layers[i], fmt.Sprintf("layer.%d.", i)
		linear(at+"attention.input", &l.Input, 3*c.Dim, c.Dim)
		if c.Position == Relative {
			add(at+"attention.distance", &l.Distance, false, c.Heads, c.Window)
		}
		linear(at+"attention.output", &l.Output, c.Dim, c.Dim)
		norm(at+"attention.norm", &l.AttentionNorm)
		linear(at+"up", &l.Up, c.FeedForward, c.Dim)
		linear(at+"down", &l.Down, c.Dim, c.FeedForward)
		norm(at+"norm", &l.Norm)
	}
	return all
}

// Validate returns an error that wraps [ErrFormat] unless w has exactly the arrays
// that the configuration says, all finite.
func (w *Weights) Validate(c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if len(w.Layers) != c.Layers {
		return fmt.Errorf("%w: %d layers, the configuration has %d", ErrFormat, len(w.Layers), c.Layers)
	}
	for _, p := range w.Parameters(c) {
		if len(p.Data) != p.Len() {
			return fmt.Errorf("%w: %s has %d elements, its shape %v needs %d", ErrFormat, p.Name, len(p.Data), p.Shape, p.Len())
		}
		for i, x := range p.Data {
			if math.Float32bits(x)&0x7f800000 == 0x7f800000 {
				return fmt.Errorf("%w: %s is %g at element %d, must be finite", ErrFormat, p.Name, x, i)
			}
		}
	}
	return nil
}

// tensors are the parameters as a file has them, under a prefix.
func (w *Weights) tensors(c Config, prefix string) []checkpoint.Tensor {
	var all []checkpoint.Tensor
	for _, p := range w.Parameters(c) {
		all = append(all, checkpoint.Tensor{Name: prefix + p.Name, Shape: p.Shape, Data: p.Data})
	}
	return all
}
