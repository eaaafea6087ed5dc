package network

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Batch is what one step learns from.
type Batch struct {
	Chunks []Chunk // their rows, one after the other, are the rows that the loss sees
	Inputs []Input // as Loss.Inputs
	Parts  bool    // compute it in parts
}

// Outcome is what a step gave.
type Outcome struct {
	Loss float64
	Norm float64 // of the gradient, before it is clipped; 0 if the loss is not finite
}

// Finite reports whether weights were changed: a loss or gradient that is not finite
// changes none.
func (o Outcome) Finite() bool { return finite(o.Loss) && finite(o.Norm) }

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// Step learns from a batch at a learning rate.
func (n *Network) Step(b Batch, rate float64) (Outcome, error) {
	loss, gradients, err := n.Gradients(b)
	if err != nil {
		return Outcome{}, err
	}
	if !finite(loss) {
		release(gradients)
		return Outcome{Loss: loss}, nil
	}
	norm, err := n.update(gradients, rate)
	return Outcome{Loss: loss, Norm: norm}, err
}

// Gradients gives the loss of a batch and its gradients by the trained parameters, on the
// device. They are the caller's to release.
func (n *Network) Gradients(b Batch) (float64, []compute.Buffer, error) {
	if b.Parts {
		return n.inParts(b)
	}
	return n.atOnce(b)
}

func (n *Network) dropping() bool { return n.config.Dropout > 0 }

// lossOf declares the loss's inputs and gives the loss.
func (n *Network) lossOf(g *graph.Graph, p *nodes, vectors *graph.Node) *graph.Node {
	var inputs []*graph.Node
	for i, s := range n.config.Loss.Inputs() {
		inputs = append(inputs, graph.Parameter(g, fmt.Sprintf("input_%d", i), s))
	}
	return n.config.Loss.Build(vectors, p.head, inputs)
}

// whole begins the names of programs of whole batches.
const whole = "whole"

func wholeName(chunks []Shape) string {
	name := whole
	for _, c := range chunks {
		name += fmt.Sprintf("_%dx%d", c.Rows, c.Tokens)
	}
	return name
}

// atOnce computes a batch by one program.
func (n *Network) atOnce(b Batch) (loss float64, gradients []compute.Buffer, err error) {
	var chunks []Shape
	for _, c := range b.Chunks {
		chunks = append(chunks, c.Shape)
	}
	g, err := n.program(wholeName(chunks), func(g *graph.Graph) []*graph.Node {
		p := n.parameters(g)
		var all []*graph.Node
		for i, c := range b.Chunks {
			all = append(all, n.encode(g, p, c.Shape, i, n.dropping()))
		}
		vectors := all[0]
		if len(all) > 1 {
			vectors = graph.Concatenate(all, 0)
		}
		loss := n.lossOf(g, p, vectors)
		return append([]*graph.Node{loss}, graph.Gradient(loss, slices.Concat(p.body, p.head)...)...)
	})
	if err != nil {
		return 0, nil, err
	}
	var inputs []compute.Buffer
	defer func() { release(inputs) }()
	for i, c := range b.Chunks {
		if inputs, err = n.chunk(inputs, c, i, n.dropping()); err != nil {
			return 0, nil, err
		}
	}
	if inputs, err = n.inputs(inputs, b.Inputs); err != nil {
		return 0, nil, err
	}
	results, err := n.run(g, append(n.arguments(), inputs...), nil)
	if err != nil {
		return 0, nil, err
	}
	loss, err = scalar(results[0])
	release(results[:1])
	return loss, results[1:], err
}

func scalar(b compute.Buffer) (float64, error) {
	out := make([]float32, 1)
	if err := b.ToFlatData(out); err != nil {
		return 0, fmt.Errorf("network: fetch a number: %w", err)
	}
	return float64(out[0]), nil
}

// inParts computes a batch by gradient caching.
func (n *Network) inParts(b Batch) (loss float64, gradients []compute.Buffer, err error) {
	hidden := n.model.Config.Hidden
	var vectors []float32
	for i, c := range b.Chunks {
		rows, err := n.vectors(c, i, n.dropping())
		if err != nil {
			return 0, nil, err
		}
		vectors = append(vectors, rows...)
	}
	loss, slopes, head, err := n.slopes(vectors, b.Inputs)
	if err != nil {
		return 0, nil, err
	}
	if n.body() == 0 {
		return loss, head, nil
	}
	for i, c := range b.Chunks {
		var part []compute.Buffer
		if part, err = n.back(c, i, slopes[:c.Rows*hidden]); err == nil {
			gradients, err = n.sum(gradients, part)
		}
		if err != nil {
			release(slices.Concat(gradients, head))
			return 0, nil, err
		}
		slopes = slopes[c.Rows*hidden:]
	}
	return loss, append(gradients, head...), nil
}

// slopes gives the loss of vectors and its gradient by them, and by the head on the device.
func (n *Network) slopes(vectors []float32, in []Input) (loss float64, by []float32, head []compute.Buffer, err error) {
	shape := shapes.Make(dtypes.Float32, len(vectors)/n.model.Config.Hidden, n.model.Config.Hidden)
	g, err := n.program(fmt.Sprintf("loss_%d", shape.Dimensions[0]), func(g *graph.Graph) []*graph.Node {
		p := &nodes{}
		for _, v := range n.config.Head {
			p.head = append(p.head, graph.Parameter(g, v.Name, shapes.Make(dtypes.Float32, v.Shape...)))
		}
		rows := graph.Parameter(g, "vectors", shape)
		loss := n.lossOf(g, p, rows)
		return append([]*graph.Node{loss}, graph.Gradient(loss, append([]*graph.Node{rows}, p.head...)...)...)
	})
	if err != nil {
		return 0, nil, nil, err
	}
	inputs, err := n.inputs(nil, append([]Input{{shape, vectors}}, in...))
	defer func() { release(inputs) }()
	if err != nil {
		return 0, nil, nil, err
	}
	results, err := n.run(g, append(slices.Clone(n.weights[n.body():]), inputs...), nil)
	if err != nil {
		return 0, nil, nil, err
	}
	defer release(results[:2])
	by = make([]float32, len(vectors))
	if err := results[1].ToFlatData(by); err != nil {
		return 0, nil, nil, fmt.Errorf("network: fetch slopes: %w", err)
	}
	loss, err = scalar(results[0])
	return loss, by, results[2:], err
}

// back gives the gradients by the encoder's parameters of a chunk whose vectors have
// these slopes.
func (n *Network) back(c Chunk, i int, slopes []float32) ([]compute.Buffer, error) {
	shape := shapes.Make(dtypes.Float32, c.Rows, n.model.Config.Hidden)
	g, err := n.program(fmt.Sprintf("back_%v", c.Shape), func(g *graph.Graph) []*graph.Node {
		p := n.parameters(g)
		vectors := n.encode(g, p, c.Shape, 0, n.dropping())
		along := graph.ReduceAllSum(graph.Mul(vectors, graph.Parameter(g, "slopes", shape)))
		return graph.Gradient(along, p.body...)
	})
	if err != nil {
		return nil, err
	}
	inputs, err := n.chunk(nil, c, i, n.dropping())
	defer func() { release(inputs) }()
	if err != nil {
		return nil, err
	}
	if inputs, err = n.inputs(inputs, []Input{{shape, slopes}}); err != nil {
		return nil, err
	}
	return n.run(g, append(n.arguments(), inputs...), nil)
}

// sum adds gradients, which are gone afterwards. None and some are some.
func (n *Network) sum(a, b []compute.Buffer) ([]compute.Buffer, error) {
	if a == nil {
		return b, nil
	}
	g, err := n.program("sum", func(g *graph.Graph) (sums []*graph.Node) {
		var terms []*graph.Node
		for i := range 2 * n.body() {
			p := n.trained[i%n.body()]
			terms = append(terms, graph.Parameter(g, fmt.Sprintf("%s_%d", p.Name, i/n.body()), shapes.Make(dtypes.Float32, p.Shape...)))
		}
		for i := range n.body() {
			sums = append(sums, graph.Add(terms[i], terms[n.body()+i]))
		}
		return sums
	})
	if err != nil {
		return nil, err
	}
	return n.run(g, slices.Concat(a, b), slices.Repeat([]bool{true}, 2*n.body()))
}
