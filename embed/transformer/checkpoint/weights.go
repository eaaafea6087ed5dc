package checkpoint

import (
	"fmt"
	"math"
	"slices"
)

// Linear is y = Weight x + Bias.
type Linear struct {
	Weight []float32 // [out, in]
	Bias   []float32 // [out]
}

// Norm is the scale and shift of a layer norm, [hidden] each.
type Norm struct{ Scale, Shift []float32 }

// Layer is one block of attention and feed-forward.
type Layer struct {
	Query, Key, Value, Output Linear // [hidden, hidden]
	AttentionNorm             Norm
	Up                        Linear // [feedForward, hidden]
	Down                      Linear // [hidden, feedForward]
	Norm                      Norm
}

// Weights are the parameters of an encoder, all float32.
type Weights struct {
	Words      []float32 // [vocab, hidden]
	Positions  []float32 // [positions, hidden]
	TokenTypes []float32 // [tokenTypes, hidden]
	Norm       Norm      // after the sum of the three
	Layers     []Layer
}

// ReadWeights reads an encoder's tensors by the names of Hugging Face, with or
// without the family's prefix, and checks their shapes and that all are finite.
func ReadWeights(t *Tensors, c Config) (*Weights, error) {
	r := weightReader{tensors: t, prefix: prefixOf(t)}
	w := &Weights{
		Words:      r.read("embeddings.word_embeddings.weight", c.Vocab, c.Hidden),
		Positions:  r.read("embeddings.position_embeddings.weight", c.Positions, c.Hidden),
		TokenTypes: r.read("embeddings.token_type_embeddings.weight", c.TokenTypes, c.Hidden),
		Norm:       r.norm("embeddings.LayerNorm", c.Hidden),
		Layers:     make([]Layer, c.Layers),
	}
	for i := range w.Layers {
		at := fmt.Sprintf("encoder.layer.%d.", i)
		w.Layers[i] = Layer{
			Query:         r.linear(at+"attention.self.query", c.Hidden, c.Hidden),
			Key:           r.linear(at+"attention.self.key", c.Hidden, c.Hidden),
			Value:         r.linear(at+"attention.self.value", c.Hidden, c.Hidden),
			Output:        r.linear(at+"attention.output.dense", c.Hidden, c.Hidden),
			AttentionNorm: r.norm(at+"attention.output.LayerNorm", c.Hidden),
			Up:            r.linear(at+"intermediate.dense", c.FeedForward, c.Hidden),
			Down:          r.linear(at+"output.dense", c.Hidden, c.FeedForward),
			Norm:          r.norm(at+"output.LayerNorm", c.Hidden),
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	if extra := fmt.Sprintf("%sencoder.layer.%d.output.dense.weight", r.prefix, c.Layers); t.Has(extra) {
		return nil, fmt.Errorf("%w: config.json has %d layers, but there is a tensor %q", ErrFormat, c.Layers, extra)
	}
	return w, nil
}

// prefixOf is what stands before the names: nothing, or the family in exports of
// models with a head.
func prefixOf(t *Tensors) string {
	for _, prefix := range []string{"bert.", "roberta."} {
		if t.Has(prefix + "embeddings.word_embeddings.weight") {
			return prefix
		}
	}
	return ""
}

// weightReader reads until the first error.
type weightReader struct {
	tensors *Tensors
	prefix  string
	err     error
}

func (r *weightReader) read(name string, shape ...int) []float32 {
	if r.err != nil {
		return nil
	}
	var values []float32
	if values, r.err = r.tensors.Float32(r.prefix+name, shape...); r.err != nil {
		return nil
	}
	if i := slices.IndexFunc(values, notFinite); i >= 0 {
		r.err = fmt.Errorf("%w: tensor %q is %g at element %d", ErrFormat, r.prefix+name, values[i], i)
	}
	return values
}

func notFinite(x float32) bool { return math.Float32bits(x)&0x7f800000 == 0x7f800000 }

func (r *weightReader) linear(name string, out, in int) Linear {
	return Linear{Weight: r.read(name+".weight", out, in), Bias: r.read(name+".bias", out)}
}

// norm reads a layer norm by its names of today or of old exports.
func (r *weightReader) norm(name string, n int) Norm {
	scale, shift := ".weight", ".bias"
	if r.tensors.Has(r.prefix + name + ".gamma") {
		scale, shift = ".gamma", ".beta"
	}
	return Norm{Scale: r.read(name+scale, n), Shift: r.read(name+shift, n)}
}

// Tensors returns the weights under the names of Hugging Face, to be written with
// [WriteSafetensors]. They share memory with w.
func (w *Weights) Tensors(c Config) []Tensor {
	var all []Tensor
	add := func(name string, data []float32, shape ...int) {
		all = append(all, Tensor{Name: name, Shape: shape, Data: data})
	}
	linear := func(name string, l Linear, out, in int) {
		add(name+".weight", l.Weight, out, in)
		add(name+".bias", l.Bias, out)
	}
	norm := func(name string, n Norm) {
		add(name+".weight", n.Scale, c.Hidden)
		add(name+".bias", n.Shift, c.Hidden)
	}
	add("embeddings.word_embeddings.weight", w.Words, c.Vocab, c.Hidden)
	add("embeddings.position_embeddings.weight", w.Positions, c.Positions, c.Hidden)
	add("embeddings.token_type_embeddings.weight", w.TokenTypes, c.TokenTypes, c.Hidden)
	norm("embeddings.LayerNorm", w.Norm)
	for i, l := range w.Layers {
		at := fmt.Sprintf("encoder.layer.%d.", i)
		linear(at+"attention.self.query", l.Query, c.Hidden, c.Hidden)
		linear(at+"attention.self.key", l.Key, c.Hidden, c.Hidden)
		linear(at+"attention.self.value", l.Value, c.Hidden, c.Hidden)
		linear(at+"attention.output.dense", l.Output, c.Hidden, c.Hidden)
		norm(at+"attention.output.LayerNorm", l.AttentionNorm)
		linear(at+"intermediate.dense", l.Up, c.FeedForward, c.Hidden)
		linear(at+"output.dense", l.Down, c.Hidden, c.FeedForward)
		norm(at+"output.LayerNorm", l.Norm)
	}
	return all
}
