package network

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/kindred-rec/kindred/embed/transformer/bertgraph"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// device is the only one that is used.
const device compute.DeviceNum = 0

// Config says what is trained and how.
type Config struct {
	Freezing
	Adapter *Adapter // nil: the matrices themselves are trained
	Head    []Parameter
	Loss    Loss
	Dropout float64 // 0 to below 1
	Decay   float64
	Clip    float64 // bound of the gradient's norm; 0 is none
	Seed    uint64
}

// Loss is what is made small.
type Loss interface {
	// Inputs are the shapes of what a batch gives to the loss.
	Inputs() []shapes.Shape

	// Build gives the loss, a scalar, of the vectors of a batch, [rows, hidden] of unit
	// length, of the head's parameters and of the inputs.
	Build(vectors *graph.Node, head, inputs []*graph.Node) *graph.Node
}

// Network is an encoder that is trained. It is for one goroutine.
type Network struct {
	backend compute.Backend
	model   *checkpoint.Model
	config  Config

	names           []string    // of the encoder's parameters, as bertgraph.Values
	frozen, trained []Parameter // Data is what they were at first
	fixed           []compute.Buffer
	weights         []compute.Buffer // of trained, in order; the head's are the last
	first, second   []compute.Buffer // moments of AdamW
	steps           int              // of AdamW
	programs        map[string]*graph.Graph
	compiled        int
}

// New moves a model to a backend, which the network finalizes on Close.
func New(backend compute.Backend, m *checkpoint.Model, c Config) (*Network, error) {
	n := &Network{backend: backend, model: m, config: c, programs: map[string]*graph.Graph{}}
	values := bertgraph.Values(m.Config, m.Weights)
	for _, v := range values {
		n.names = append(n.names, v.Name)
	}
	n.frozen, n.trained = split(m.Config, values, c.Freezing, c.Adapter, c.Seed)
	n.trained = append(n.trained, c.Head...)
	var err error
	for _, p := range n.frozen {
		if n.fixed, err = n.place(n.fixed, p.Data, p); err != nil {
			return nil, err
		}
	}
	start := make([][]float32, len(n.trained))
	for i, p := range n.trained {
		start[i] = p.Data
	}
	return n, n.Restore(State{Weights: start})
}

// place moves values to the device.
func (n *Network) place(to []compute.Buffer, values []float32, p Parameter) ([]compute.Buffer, error) {
	b, err := n.backend.BufferFromFlatData(device, values, shapes.Make(dtypes.Float32, p.Shape...))
	if err != nil {
		return to, fmt.Errorf("network: move %s%v to the device: %w", p.Name, p.Shape, err)
	}
	return append(to, b), nil
}

// Trained are the parameters that are trained, in the order of [State]. Their Data is what
// they were at first.
func (n *Network) Trained() []Parameter { return n.trained }

// State is all that training changes. Without moments it is a start.
type State struct {
	Weights       [][]float32 // as Trained
	First, Second [][]float32
	Steps         int
}

// State fetches the state from the device.
func (n *Network) State() (State, error) {
	s := State{Steps: n.steps}
	for _, part := range []struct {
		from []compute.Buffer
		to   *[][]float32
	}{{n.weights, &s.Weights}, {n.first, &s.First}, {n.second, &s.Second}} {
		var err error
		if *part.to, err = n.Fetch(part.from); err != nil {
			return State{}, err
		}
	}
	return s, nil
}

// Fetch fetches arrays of the shapes of the trained parameters, such as gradients.
func (n *Network) Fetch(buffers []compute.Buffer) ([][]float32, error) {
	all := make([][]float32, len(buffers))
	for i, b := range buffers {
		all[i] = make([]float32, len(n.trained[i].Data))
		if err := b.ToFlatData(all[i]); err != nil {
			return nil, fmt.Errorf("network: fetch %s from the device: %w", n.trained[i].Name, err)
		}
	}
	return all, nil
}

// Restore sets the state.
func (n *Network) Restore(s State) error {
	release(slices.Concat(n.weights, n.first, n.second))
	n.weights, n.first, n.second, n.steps = nil, nil, nil, s.Steps
	for i, p := range n.trained {
		first, second := make([]float32, len(p.Data)), make([]float32, len(p.Data))
		if s.First != nil {
			first, second = s.First[i], s.Second[i]
		}
		for _, part := range []struct {
			to   *[]compute.Buffer
			from []float32
		}{{&n.weights, s.Weights[i]}, {&n.first, first}, {&n.second, second}} {
			var err error
			if *part.to, err = n.place(*part.to, part.from, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// Export gives the encoder's weights as they are now, the adapter multiplied in, and the
// head's.
func (n *Network) Export() (*checkpoint.Weights, [][]float32, error) {
	values, err := n.Fetch(n.weights)
	if err != nil {
		return nil, nil, err
	}
	all := map[string][]float32{} // by name
	for _, p := range n.frozen {
		all[p.Name] = p.Data
	}
	for i, p := range n.trained {
		all[p.Name] = values[i]
	}
	body := make([][]float32, len(n.names))
	for i, name := range n.names {
		if body[i] = all[name]; body[i] == nil {
			return nil, nil, fmt.Errorf("network: no parameter %s", name)
		}
	}
	merged := bertgraph.Checkpoint(n.model.Config, body)
	if n.config.Adapter != nil {
		merge(n.model.Config, merged, all, *n.config.Adapter)
	}
	return merged, values[n.body():], nil
}

// body is how many of the trained parameters are the encoder's.
func (n *Network) body() int { return len(n.trained) - len(n.config.Head) }

// Compiled is how many programs were compiled.
func (n *Network) Compiled() int { return n.compiled }

// Close releases everything, the backend too.
func (n *Network) Close() {
	for _, p := range n.programs {
		p.Finalize()
	}
	release(slices.Concat(n.fixed, n.weights, n.first, n.second))
	n.backend.Finalize()
}

func release(buffers []compute.Buffer) {
	for _, b := range buffers {
		_ = b.Finalize() // of memory; nothing can be done about it
	}
}

// program finds or compiles a program. Build makes its outputs of a new graph.
func (n *Network) program(name string, build func(g *graph.Graph) []*graph.Node) (g *graph.Graph, err error) {
	if g, ok := n.programs[name]; ok {
		return g, nil
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("network: program %s: %v\n%s", name, r, debug.Stack())
		}
	}()
	g = graph.NewGraph(n.backend, name)
	if err := g.Compile(build(g)...); err != nil {
		return nil, fmt.Errorf("network: program %s: %w", name, err)
	}
	n.programs[name] = g
	n.compiled++
	return g, nil
}

// run executes a program. Arguments marked in donated are gone afterwards.
func (n *Network) run(g *graph.Graph, arguments []compute.Buffer, donated []bool) (results []compute.Buffer, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("network: program %s: %v\n%s", g.Name(), r, debug.Stack())
		}
	}()
	results, err = g.Executable().Execute(arguments, donated, device)
	if err != nil {
		return nil, fmt.Errorf("network: program %s: %w", g.Name(), err)
	}
	return results, nil
}

// Head fetches the head's values.
func (n *Network) Head() ([][]float32, error) {
	values := make([][]float32, len(n.config.Head))
	for i, b := range n.weights[n.body():] {
		values[i] = make([]float32, len(n.config.Head[i].Data))
		if err := b.ToFlatData(values[i]); err != nil {
			return nil, fmt.Errorf("network: fetch %s from the device: %w", n.config.Head[i].Name, err)
		}
	}
	return values, nil
}

// SetHead sets the head's values.
func (n *Network) SetHead(values [][]float32) error {
	var placed []compute.Buffer
	for i, v := range values {
		var err error
		if placed, err = n.place(placed, v, n.config.Head[i]); err != nil {
			return err
		}
	}
	release(n.weights[n.body():])
	n.weights = append(n.weights[:n.body()], placed...)
	return nil
}

// Keep drops the programs of whole batches but those of these chunks.
func (n *Network) Keep(batches [][]Shape) {
	kept := map[string]bool{}
	for _, shapes := range batches {
		kept[wholeName(shapes)] = true
	}
	for name, p := range n.programs {
		if strings.HasPrefix(name, whole) && !kept[name] {
			p.Finalize()
			delete(n.programs, name)
		}
	}
}
