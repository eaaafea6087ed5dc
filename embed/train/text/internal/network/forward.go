package network

import (
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/kindred-rec/kindred/embed/transformer/bertgraph"
)

// Shape is that of a chunk of texts.
type Shape struct{ Rows, Tokens int }

// Chunk are texts, padded to one length and to a number of rows.
type Chunk struct {
	Shape
	IDs     []int32 // [Rows, Tokens]
	Lengths []int32 // [Rows]; at least 1, of rows without a text too
}

// nodes are the parameters of a graph, and what is drawn at random.
type nodes struct {
	byName map[string]*graph.Node
	body   []*graph.Node // trained parameters of the encoder
	head   []*graph.Node
	random *graph.Node // state of the random numbers; nil if nothing is dropped
}

// parameters declares a graph's parameters in the order of arguments.
func (n *Network) parameters(g *graph.Graph) *nodes {
	p := &nodes{byName: map[string]*graph.Node{}}
	for i, all := range [][]Parameter{n.frozen, n.trained} {
		for j, v := range all {
			node := graph.Parameter(g, v.Name, shapes.Make(dtypes.Float32, v.Shape...))
			p.byName[v.Name] = node
			switch {
			case i == 1 && j < n.body():
				p.body = append(p.body, node)
			case i == 1:
				p.head = append(p.head, node)
			}
		}
	}
	return p
}

// arguments are the buffers that go with parameters, and room for more.
func (n *Network) arguments() []compute.Buffer {
	return append(append(make([]compute.Buffer, 0, len(n.fixed)+len(n.weights)+64), n.fixed...), n.weights...)
}

// encode declares a chunk's inputs and gives its vectors, [rows, hidden], of unit length.
func (n *Network) encode(g *graph.Graph, p *nodes, s Shape, i int, dropping bool) *graph.Node {
	ids := graph.Parameter(g, fmt.Sprintf("ids_%d", i), shapes.Make(dtypes.Int32, s.Rows, s.Tokens))
	lengths := graph.Parameter(g, fmt.Sprintf("lengths_%d", i), shapes.Make(dtypes.Int32, s.Rows))
	if dropping {
		p.random = graph.Parameter(g, fmt.Sprintf("random_%d", i), graph.RNGStateShape)
	}
	c := n.model.Config
	var values []*graph.Node
	for _, name := range n.names {
		values = append(values, p.byName[name])
	}
	hidden := bertgraph.ForwardWith(c, bertgraph.Assign(c, values), n.hooks(p, dropping), ids, lengths)
	return unit(bertgraph.Pool(n.model.Pooling, hidden, lengths))
}

// unit scales rows to unit length.
func unit(x *graph.Node) *graph.Node {
	squares := graph.ReduceAndKeep(graph.Square(x), graph.ReduceSum, -1)
	return graph.Div(x, graph.Sqrt(graph.AddScalar(squares, 1e-24)))
}

// hooks are the adapter and the dropout.
func (n *Network) hooks(p *nodes, dropping bool) (h bertgraph.Hooks) {
	if n.config.Adapter != nil {
		h.Linear = func(layer int, m bertgraph.Matrix, x, weight, bias *graph.Node) *graph.Node {
			return n.adapted(p, layer, m, x, bertgraph.Linear(x, weight, bias))
		}
	}
	if dropping {
		h.Drop = func(x *graph.Node) *graph.Node {
			var uniform *graph.Node
			p.random, uniform = graph.RandomUniform(p.random, x.Shape())
			keep := 1 - n.config.Dropout
			kept := graph.ConvertDType(graph.LessThan(uniform, graph.Scalar(x.Graph(), x.DType(), keep)), x.DType())
			return graph.Mul(x, graph.MulScalar(graph.StopGradient(kept), 1/keep))
		}
	}
	return h
}

// inMatrix are the adapter's names of a product of the graph, side by side.
var inMatrix = map[bertgraph.Matrix][]string{
	bertgraph.Projections: {"query", "key", "value"}, bertgraph.Output: {"attention_output"},
	bertgraph.Up: {"feed_forward_up"}, bertgraph.Down: {"feed_forward_down"},
}

// adapted adds what the adapter makes of x to y.
func (n *Network) adapted(p *nodes, layer int, m bertgraph.Matrix, x, y *graph.Node) *graph.Node {
	a := n.config.Adapter
	var parts []*graph.Node
	found := false
	for _, matrix := range inMatrix[m] {
		_, out := sizes(n.model.Config, matrix)
		down := p.byName[downName(layer, matrix)]
		if down == nil {
			parts = append(parts, graph.Zeros(x.Graph(), shapes.Make(x.DType(), x.Shape().Dimensions[0], out)))
			continue
		}
		found = true
		inner := graph.Dot(x, down).Product()
		parts = append(parts, graph.Dot(inner, p.byName[upName(layer, matrix)]).Product())
	}
	if !found {
		return y
	}
	all := parts[0]
	if len(parts) > 1 {
		all = graph.Concatenate(parts, -1)
	}
	return graph.Add(y, graph.MulScalar(all, a.Alpha/float64(a.Rank)))
}

// Encode gives the vectors of a chunk, [Rows, hidden], of unit length, without dropout.
func (n *Network) Encode(c Chunk) ([]float32, error) {
	return n.vectors(c, 0, false)
}

// vectors encodes the i-th chunk of a batch, with the dropout of the step to come.
func (n *Network) vectors(c Chunk, i int, dropping bool) (out []float32, err error) {
	g, err := n.program(fmt.Sprintf("encode_%v_%t", c.Shape, dropping), func(g *graph.Graph) []*graph.Node {
		p := n.parameters(g)
		return []*graph.Node{n.encode(g, p, c.Shape, 0, dropping)}
	})
	if err != nil {
		return nil, err
	}
	inputs, err := n.chunk(nil, c, i, dropping)
	defer func() { release(inputs) }()
	if err != nil {
		return nil, err
	}
	results, err := n.run(g, append(n.arguments(), inputs...), nil)
	if err != nil {
		return nil, err
	}
	defer release(results)
	out = make([]float32, c.Rows*n.model.Config.Hidden)
	if err := results[0].ToFlatData(out); err != nil {
		return nil, fmt.Errorf("network: fetch vectors: %w", err)
	}
	return out, nil
}

// chunk appends the buffers of the i-th chunk of a batch.
func (n *Network) chunk(to []compute.Buffer, c Chunk, i int, dropping bool) ([]compute.Buffer, error) {
	all := []Input{
		{shapes.Make(dtypes.Int32, c.Rows, c.Tokens), c.IDs},
		{shapes.Make(dtypes.Int32, c.Rows), c.Lengths}}
	if dropping {
		random := rand.New(rand.NewPCG(n.config.Seed, uint64(n.steps)<<16|uint64(i)))
		all = append(all, Input{graph.RNGStateShape, []uint64{random.Uint64(), random.Uint64(), random.Uint64()}})
	}
	return n.inputs(to, all)
}

// Input is an array that a batch gives to a program.
type Input struct {
	Shape shapes.Shape
	Flat  any // a slice of the shape's type
}

func (n *Network) inputs(to []compute.Buffer, all []Input) ([]compute.Buffer, error) {
	for _, in := range all {
		b, err := n.backend.BufferFromFlatData(device, in.Flat, in.Shape)
		if err != nil {
			return to, fmt.Errorf("network: move %s to the device: %w", in.Shape, err)
		}
		to = append(to, b)
	}
	return to, nil
}
