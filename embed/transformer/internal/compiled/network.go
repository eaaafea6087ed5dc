package compiled

import (
	"container/list"
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/kindred-rec/kindred/embed/transformer/bertgraph"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/internal/batch"
)

// device is the only one that is used.
const device compute.DeviceNum = 0

// Network is an encoder on a backend. It is safe for concurrent use.
type Network struct {
	backend compute.Backend
	config  checkpoint.Config
	pooling checkpoint.Pooling
	tokens  int // that a text has at most
	limits  Limits
	names   []string
	shapes  []shapes.Shape
	weights []compute.Buffer // on the device
	permits chan struct{}    // held by calls that compute

	mu       sync.Mutex
	programs map[shape]*list.Element // of *program
	recent   *list.List              // the most recently used first
	count    int                     // compiled so far
}

// shape is that of a program's token numbers.
type shape struct{ batch, tokens int }

// program is one that is compiled, or is being: then the holder of mu does it.
type program struct {
	shape shape
	mu    sync.Mutex
	graph *graph.Graph
	users int // calls that run it; guarded by Network.mu
	gone  bool
}

// New moves a model's weights to a backend, which the network finalizes on Close.
// Products are computed in precision: Float32, BFloat16 or Float16.
func New(backend compute.Backend, m *checkpoint.Model, limits Limits, precision dtypes.DType) (*Network, error) {
	n := &Network{backend: backend, config: m.Config, pooling: m.Pooling, tokens: m.MaxTokens, limits: limits,
		permits: make(chan struct{}, limits.Calls), programs: map[shape]*list.Element{}, recent: list.New()}
	for _, v := range bertgraph.Values(m.Config, m.Weights) {
		s, data := shapes.Make(dtypes.Float32, v.Shape...), any(v.Data)
		if v.Product {
			s.DType, data = precision, shortened(v.Data, precision)
		}
		buffer, err := backend.BufferFromFlatData(device, data, s)
		if err != nil {
			return nil, fmt.Errorf("compiled: move %s%v to the device: %w", v.Name, v.Shape, err)
		}
		n.names, n.shapes, n.weights = append(n.names, v.Name), append(n.shapes, s), append(n.weights, buffer)
	}
	return n, nil
}

// shortened gives the values in a type.
func shortened(values []float32, precision dtypes.DType) any {
	switch precision {
	case dtypes.BFloat16:
		return bfloat16.FromFloat32s(values...)
	case dtypes.Float16:
		return float16.FromFloat32s(values...)
	}
	return values
}

// Close releases the programs, the weights and the backend. No call may be under way.
func (n *Network) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for e := n.recent.Front(); e != nil; e = e.Next() {
		if p := e.Value.(*program); p.graph != nil {
			p.graph.Finalize()
		}
	}
	var first error
	for _, w := range n.weights {
		if err := w.Finalize(); err != nil && first == nil {
			first = fmt.Errorf("compiled: release the weights: %w", err)
		}
	}
	n.backend.Finalize()
	return first
}

// Compiled is how many programs were compiled so far.
func (n *Network) Compiled() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count
}

// Batch is how many texts of so many tokens are best computed in one call.
func (n *Network) Batch(tokens int) int { return n.limits.batch(padded(tokens, n.tokens)) }

// WarmUp compiles the programs for single texts and full batches of up to so many
// tokens.
func (n *Network) WarmUp(ctx context.Context, tokens int) error {
	for length := 1; length <= tokens; length = padded(length, n.tokens) + 1 {
		length := padded(length, n.tokens)
		for _, size := range []int{1, n.limits.batch(length)} {
			if err := ctx.Err(); err != nil {
				return err
			}
			p, err := n.use(shape{size, length})
			if err != nil {
				return err
			}
			n.done(p)
		}
		if length == n.tokens {
			break
		}
	}
	return nil
}

// use finds or compiles the program of a shape. The caller calls done with it.
func (n *Network) use(s shape) (*program, error) {
	n.mu.Lock()
	e, ok := n.programs[s]
	if !ok {
		e = n.recent.PushFront(&program{shape: s})
		n.programs[s] = e
	}
	n.recent.MoveToFront(e)
	p := e.Value.(*program)
	p.users++
	n.evict()
	n.mu.Unlock()

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.graph != nil {
		return p, nil
	}
	g, err := n.compile(s)
	if err != nil {
		n.done(p)
		return nil, err
	}
	p.graph = g
	n.mu.Lock()
	n.count++
	n.mu.Unlock()
	return p, nil
}

// evict drops programs beyond the limit, the least recently used first. The caller
// holds mu; what is in use is released by done.
func (n *Network) evict() {
	for n.recent.Len() > n.limits.Programs {
		e := n.recent.Back()
		p := n.recent.Remove(e).(*program)
		delete(n.programs, p.shape)
		p.gone = true
		if p.users == 0 && p.graph != nil {
			p.graph.Finalize()
		}
	}
}

func (n *Network) done(p *program) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p.users--; p.gone && p.users == 0 && p.graph != nil {
		p.graph.Finalize()
	}
}

// compile builds the program of a shape. Its arguments are the weights, the token
// numbers and the lengths.
func (n *Network) compile(s shape) (g *graph.Graph, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("compiled: program for %d texts of %d tokens: %v\n%s", s.batch, s.tokens, r, debug.Stack())
		}
	}()
	g = graph.NewGraph(n.backend, fmt.Sprintf("bert_%dx%d", s.batch, s.tokens))
	nodes := make([]*graph.Node, len(n.shapes))
	for i, name := range n.names {
		nodes[i] = graph.Parameter(g, name, n.shapes[i])
	}
	ids := graph.Parameter(g, "ids", shapes.Make(dtypes.Int32, s.batch, s.tokens))
	lengths := graph.Parameter(g, "lengths", shapes.Make(dtypes.Int32, s.batch))
	hidden := bertgraph.Forward(n.config, bertgraph.Assign(n.config, nodes), ids, lengths)
	if err := g.Compile(bertgraph.Pool(n.pooling, hidden, lengths)); err != nil {
		return nil, fmt.Errorf("compiled: program for %d texts of %d tokens: %w", s.batch, s.tokens, err)
	}
	return g, nil
}

// Encode writes the pooled vectors of texts to out, [texts, hidden], not yet of unit
// length.
func (n *Network) Encode(ctx context.Context, texts batch.Texts, out []float32) error {
	for from := 0; from < texts.Len(); {
		select {
		case n.permits <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		took, err := n.step(texts.Part(from, texts.Len()), out[from*n.config.Hidden:])
		<-n.permits
		if err != nil {
			return err
		}
		from += took
	}
	return nil
}

// step computes the first texts, as many as go into one batch.
func (n *Network) step(texts batch.Texts, out []float32) (took int, err error) {
	longest := 0
	for i := range min(texts.Len(), n.limits.Batch) {
		longest = max(longest, len(texts.Text(i)))
	}
	length := padded(longest, n.tokens)
	took, size := n.limits.next(texts.Len(), length)
	ids, lengths := make([]int32, size*length), make([]int32, size)
	for i := range size {
		lengths[i] = 1 // of an empty place, so that nothing is divided by 0
		if i < took {
			lengths[i] = int32(copy(ids[i*length:], texts.Text(i)))
		}
	}
	p, err := n.use(shape{size, length})
	if err != nil {
		return 0, err
	}
	defer n.done(p)
	rows := out[:took*n.config.Hidden]
	if took < size {
		rows = make([]float32, size*n.config.Hidden)
	}
	if err := n.execute(p, ids, lengths, rows); err != nil {
		return 0, err
	}
	if took < size {
		copy(out, rows[:took*n.config.Hidden])
	}
	return took, nil
}

// execute runs a program, which fills rows.
func (n *Network) execute(p *program, ids, lengths []int32, rows []float32) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("compiled: %d texts of %d tokens: %v\n%s", p.shape.batch, p.shape.tokens, r, debug.Stack())
		}
	}()
	arguments := append(make([]compute.Buffer, 0, len(n.weights)+2), n.weights...)
	for _, in := range []struct {
		data  []int32
		shape shapes.Shape
	}{{ids, shapes.Make(dtypes.Int32, p.shape.batch, p.shape.tokens)}, {lengths, shapes.Make(dtypes.Int32, p.shape.batch)}} {
		buffer, err := n.backend.BufferFromFlatData(device, in.data, in.shape)
		if err != nil {
			return fmt.Errorf("compiled: move tokens to the device: %w", err)
		}
		defer func() { _ = buffer.Finalize() }()
		arguments = append(arguments, buffer)
	}
	results, err := p.graph.Executable().Execute(arguments, nil, device)
	if err != nil {
		return fmt.Errorf("compiled: %d texts of %d tokens: %w", p.shape.batch, p.shape.tokens, err)
	}
	defer func() { _ = results[0].Finalize() }()
	if err := results[0].ToFlatData(rows); err != nil {
		return fmt.Errorf("compiled: fetch vectors from the device: %w", err)
	}
	return nil
}
