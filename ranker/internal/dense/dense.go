// Package dense computes the layers of a small network for a block of candidates at
// once.
//
// Features come as columns: all candidates of a block beside one another. A layer then
// multiplies whole registers of candidates with one weight, and four outputs share
// each column that is read, so that their sums stay in registers until all inputs
// have passed by.
//
// On amd64 with AVX2 or AVX-512 the kernels are assembly, written by the generator in
// internal/gen (go generate rewrites them, and a test there checks that nothing
// differs). Everywhere else the Go twin runs. An output of a candidate is one sum in the
// order of the inputs: it does not depend on the candidate's place, nor on the others
// of its block. Assembly fuses multiplication and addition, so that the twin differs
// from it in the last bits.
package dense

import "fmt"

//go:generate go run ./internal/gen -out kernels_amd64.s -stubs kernels_amd64.go -pkg dense

// Block is the number of candidates of a block.
const Block = 64

// group is how many outputs a kernel computes at once.
const group = 4

// Layer is a matrix of weights with a bias, packed. It is not changed and safe for
// concurrent use.
type Layer struct {
	inputs, outputs int
	weights         []float32 // [outputs/4, inputs, 4]
	bias            []float32 // [outputs]
}

// New packs weights, [outputs, inputs] float32, and a bias, [outputs]. outputs must be a
// multiple of 4: pad with zeros.
func New(weights, bias []float32, inputs, outputs int) Layer {
	l := Layer{weights: make([]float32, inputs*outputs), bias: make([]float32, outputs)}
	l.Set(weights, bias, inputs, outputs)
	return l
}

// Set packs other weights into the memory of a layer of the same shape.
func (l *Layer) Set(weights, bias []float32, inputs, outputs int) {
	if inputs < 1 || outputs < group || outputs%group != 0 || len(weights) != inputs*outputs || len(bias) != outputs || len(l.weights) != len(weights) {
		panic(fmt.Sprintf("dense: %d weights and %d biases for %d inputs and %d outputs", len(weights), len(bias), inputs, outputs))
	}
	l.inputs, l.outputs = inputs, outputs
	copy(l.bias, bias)
	for j := range outputs {
		for i := range inputs {
			l.weights[(j/group*inputs+i)*group+j%group] = weights[j*inputs+i]
		}
	}
}

// Forward sets out, [outputs, Block], to the weights times in, [inputs, Block], plus the
// bias, and to 0 where that is negative and relu is set. It allocates nothing.
func (l *Layer) Forward(in, out []float32, relu bool) {
	if len(in) < l.inputs*Block || len(out) < l.outputs*Block {
		panic(fmt.Sprintf("dense: blocks of %d and %d numbers for %d inputs and %d outputs", len(in), len(out), l.inputs, l.outputs))
	}
	floor := float32(-3.4e38)
	if relu {
		floor = 0
	}
	for j := 0; j < l.outputs; j += group {
		weights, bias, to := l.weights[j*l.inputs:(j+group)*l.inputs], l.bias[j:j+group], out[j*Block:(j+group)*Block]
		if !fast(in, weights, bias, to, l.inputs, floor) {
			plain(in, weights, bias, to, l.inputs, floor)
		}
	}
}

// plain is the Go twin: four outputs of a block.
func plain(in, weights, bias, out []float32, inputs int, floor float32) {
	for j := range group {
		sums := out[j*Block : (j+1)*Block]
		for k := range sums {
			sums[k] = bias[j]
		}
		for i := range inputs {
			w, column := weights[i*group+j], in[i*Block:(i+1)*Block]
			for k, x := range column {
				sums[k] += w * x
			}
		}
		for k, x := range sums {
			sums[k] = max(x, floor)
		}
	}
}
