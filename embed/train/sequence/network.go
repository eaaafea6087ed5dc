package sequence

import (
	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/internal/kernel"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/layer"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/loss"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/team"
)

// network computes a batch, forward and backward.
type network struct {
	config causal.Config
	team   *team.Team
	table  *table
	w, g   *causal.Weights // gradients are zeros before a step
	blocks []*layer.Block

	// Of a batch, [rows, dim] unless said otherwise.
	x     [][]float32 // the argument of each block, and the last one's result
	input layer.Kept  // of the norm of the input
	last  layer.Kept  // with PreNorm, of the norm of the last block's result
	acts  []layer.Activations
	d     []float32 // the gradient that goes back

	// Of the rows that are asked, [targets, dim].
	hidden, dHidden []float32
	lengths         []float32 // [targets]: of the users' vectors before they are scaled
	items           []uint32  // [targets]
	weights         []float32 // [targets]

	scratch   []layer.Scratch    // of each member of the team
	packs     []kernel.Panels    // of each member
	smalls    []partial          // of each part of the batch
	gradients [][]layer.Gradient // of each block's products
	softmax   *loss.Softmax
	sampler   *sampler // nil: all items take part
}

// partial is what one part of a batch adds to the gradients of what is not a matrix.
type partial struct {
	norm   causal.Norm // of the input or, with PreNorm, of the result
	blocks []*layer.Small
}

// newNetwork returns a network with these weights, and gradients if it is to learn. With a
// sampler not all items take part in a step.
func newNetwork(o Options, team *team.Team, w, g *causal.Weights, text []float32, s *sampler) *network {
	c := o.Config
	n := &network{config: c, team: team, w: w, g: g, sampler: s, table: newTable(c, text, s != nil, g), softmax: loss.New(o.ScoreBytes),
		x: make([][]float32, c.Layers+1), acts: make([]layer.Activations, c.Layers), gradients: make([][]layer.Gradient, c.Layers),
		scratch: make([]layer.Scratch, team.Size()), packs: make([]kernel.Panels, team.Size())}
	for i := range w.Layers {
		n.blocks = append(n.blocks, layer.NewBlock(c, &w.Layers[i]))
		n.gradients[i] = make([]layer.Gradient, 4)
	}
	return n
}

// masks are what drops out in a step.
type masks struct {
	input, output, residual kernel.Mask
	blocks                  []layer.Masks
}

// masks of a step, or, with step 0, of evaluation, where nothing drops out.
func (o Options) masks(step uint64) masks {
	keys, p, residual := layer.Keys{Seed: o.Seed, Step: step}, o.Dropout, o.ResidualDropout
	if step == 0 {
		p, residual = 0, 0
	}
	m := masks{input: keys.Mask(p, layer.SiteInput), output: keys.Mask(p, layer.SiteOutput), residual: keys.Mask(residual, layer.SiteResidual)}
	for i := range o.Config.Layers {
		m.blocks = append(m.blocks, keys.Block(p, i))
	}
	return m
}

// prepare reads the weights: it comes before forward, whenever they have changed.
func (n *network) prepare(m masks) {
	n.table.compute(n.team, n.w, m.residual)
	n.team.Do(len(n.blocks)*layer.PackParts, func(_, i int) {
		n.blocks[i/layer.PackParts].Pack(i % layer.PackParts)
	})
}

func (n *network) resize(b *batch) {
	rows := len(b.events) * n.config.Dim
	for i := range n.x {
		n.x[i] = layer.Grow(n.x[i], rows)
	}
	n.d = layer.Grow(n.d, rows)
	for i := range n.acts {
		n.acts[i].Resize(n.config, len(b.events))
	}
	n.input.Resize(len(b.events), n.config.Dim)
	n.last.Resize(len(b.events), n.config.Dim)
	n.hidden, n.dHidden = layer.Grow(n.hidden, len(b.targets)*n.config.Dim), layer.Grow(n.dHidden, len(b.targets)*n.config.Dim)
	n.lengths, n.weights = layer.Grow(n.lengths, len(b.targets)), layer.Grow(n.weights, len(b.targets))
	n.items = n.items[:0]
	for _, t := range b.targets {
		n.items = append(n.items, n.table.row(t.item))
	}
	for len(n.smalls) < len(b.parts) {
		p := partial{norm: causal.Norm{Scale: make([]float32, n.config.Dim), Shift: make([]float32, n.config.Dim)}}
		for range n.blocks {
			p.blocks = append(p.blocks, layer.NewSmall(n.config))
		}
		n.smalls = append(n.smalls, p)
	}
}

// forward computes the users' vectors of the rows that are asked.
func (n *network) forward(b *batch, m masks) {
	n.resize(b)
	n.team.Do(len(b.parts), func(member, part int) {
		from, to := b.part(part)
		n.embed(b, from, to, m.input)
		for i, block := range n.blocks {
			block.Forward(&n.scratch[member], &n.acts[i], n.x[i+1], n.x[i], b.starts, from, to, m.blocks[i])
		}
		if n.config.PreNorm {
			x := n.result()[from*n.config.Dim : to*n.config.Dim]
			n.last.Normalize(x, x, n.w.Norm, n.config.Epsilon, from, to)
		}
	})
	dim := n.config.Dim
	for i, t := range b.targets {
		to := n.hidden[i*dim:][:dim]
		copy(to, n.result()[int(t.row)*dim:])
		m.output.Apply(to, i*dim)
		n.weights[i] = t.weight / float32(b.total)
		if n.config.Scale > 0 {
			n.lengths[i] = normalize(to, to)
			kernel.Scale(to, n.config.Scale)
		}
	}
}

// result is what the last block makes, or the input if there is no block.
func (n *network) result() []float32 { return n.x[len(n.blocks)] }

// embed sets rows of the first block's argument to the events' vectors.
func (n *network) embed(b *batch, from, to int, mask kernel.Mask) {
	dim := n.config.Dim
	for row := from; row < to; row++ {
		x, e := n.x[0][row*dim:][:dim], b.events[row]
		copy(x, n.table.vectors[int(n.table.row(e.Item))*dim:])
		for _, side := range n.sides(n.w, e, b.back[row]) {
			if side != nil {
				kernel.Axpy(x, side, 1)
			}
		}
	}
	x := n.x[0][from*dim : to*dim]
	if !n.config.PreNorm {
		n.input.Normalize(x, x, n.w.Norm, n.config.Epsilon, from, to)
	}
	mask.Apply(x, from*dim)
}

// sides are what an event's vector has beside its item's, in weights or in gradients.
func (n *network) sides(w *causal.Weights, e Event, back int32) (sides [4][]float32) {
	c := n.config
	row := func(table []float32, i int) []float32 { return table[i*c.Dim:][:c.Dim] }
	if c.Types > 0 {
		sides[0] = row(w.Types, int(e.Type))
	}
	if c.Gaps > 0 {
		sides[1] = row(w.Gaps, int(e.Gap))
	}
	if c.Values > 0 {
		sides[2] = row(w.Values, int(e.Value))
	}
	if c.Position == causal.FromEnd {
		sides[3] = row(w.Positions, min(int(back), c.Window-1))
	}
	return sides
}

// learn computes the loss of a batch, its mean over the weights of what was asked, and
// adds the gradients of all weights; those of residuals are the table's.
func (n *network) learn(b *batch, m masks, smoothing float32, step uint64) float64 {
	in := loss.Batch{Dim: n.config.Dim, Smoothing: smoothing}
	if n.sampler != nil {
		n.sampler.choose(b, step)
		n.table.choose(n.sampler.chosen)
		in.Bias = n.sampler.bias
	}
	n.prepare(m)
	n.forward(b, m)
	in.Hidden, in.DHidden, in.Targets, in.Weights = n.hidden, n.dHidden, n.items, n.weights
	in.Table, in.DTable = n.table.scored()
	in.Table, in.DTable = in.Table[:n.table.len()*n.config.Dim], in.DTable[:n.table.len()*n.config.Dim]
	loss := n.softmax.Run(n.team, in)
	n.table.fromUnit(n.team)
	n.backward(b, m)
	return loss
}

// backward takes the gradient of the users' vectors to all weights.
func (n *network) backward(b *batch, m masks) {
	n.scatter(b, m)
	n.team.Do(len(b.parts), func(member, part int) {
		from, to := b.part(part)
		n.backwardPart(b, m, member, part, from, to)
	})
	for part := range b.parts {
		n.smalls[part].addTo(n)
	}
	n.products(len(b.events))
	n.scatterInput(b)
	n.table.finish(n.team, n.g, n.packs)
}

// scatter turns the gradients of the users' vectors into those of the rows.
func (n *network) scatter(b *batch, m masks) {
	dim := n.config.Dim
	clear(n.d[:len(b.events)*dim])
	for i, t := range b.targets {
		d := n.dHidden[i*dim:][:dim]
		if n.config.Scale > 0 {
			kernel.Scale(d, n.config.Scale)
			unit := n.hidden[i*dim:][:dim]
			kernel.Scale(unit, 1/n.config.Scale)
			normalizeGrad(d, unit, n.lengths[i])
		}
		m.output.Apply(d, i*dim)
		copy(n.d[int(t.row)*dim:], d)
	}
}

// backwardPart takes the gradient of the rows of one part through the blocks.
func (n *network) backwardPart(b *batch, m masks, member, part, from, to int) {
	dim := n.config.Dim
	small := &n.smalls[part]
	small.clear()
	d := n.d[from*dim : to*dim]
	if n.config.PreNorm {
		n.last.Differentiate(d, n.w.Norm, small.norm, from, to)
	}
	for i := len(n.blocks) - 1; i >= 0; i-- {
		n.blocks[i].Backward(&n.scratch[member], &n.acts[i], n.d, small.blocks[i], b.starts, from, to, m.blocks[i])
	}
	m.input.Apply(d, from*dim)
	if !n.config.PreNorm {
		n.input.Differentiate(d, n.w.Norm, small.norm, from, to)
	}
}

func (p *partial) clear() {
	clear(p.norm.Scale)
	clear(p.norm.Shift)
	for _, s := range p.blocks {
		s.Clear()
	}
}

func (p *partial) addTo(n *network) {
	kernel.Axpy(n.g.Norm.Scale, p.norm.Scale, 1)
	kernel.Axpy(n.g.Norm.Shift, p.norm.Shift, 1)
	for i, s := range p.blocks {
		s.AddTo(&n.g.Layers[i], n.config.Window)
	}
}

// outRows is how many rows of a weight's gradient a goroutine takes at a time.
const outRows = 64

// products adds the gradients of the blocks' matrices.
func (n *network) products(rows int) {
	type job struct {
		gradient *layer.Gradient
		product  layer.Product
		at       int
	}
	var packs, adds []job
	for i, block := range n.blocks {
		for j, p := range block.Products(&n.acts[i], n.x[i], &n.g.Layers[i]) {
			g := &n.gradients[i][j]
			for part := range g.Reset(rows, p.In) {
				packs = append(packs, job{g, p, part})
			}
			for from := 0; from < p.Out; from += outRows {
				adds = append(adds, job{g, p, from})
			}
		}
	}
	n.team.Do(len(packs), func(_, i int) { packs[i].gradient.Pack(packs[i].product.X, packs[i].at) })
	n.team.Do(len(adds), func(_, i int) {
		a, p := adds[i], adds[i].product
		a.gradient.Add(p.DW.Weight, p.DW.Bias, p.DY, p.Out, a.at, min(a.at+outRows, p.Out))
	})
}

// scatterInput adds the gradients of the events' vectors to those of their parts.
func (n *network) scatterInput(b *batch) {
	dim := n.config.Dim
	for row, e := range b.events {
		d := n.d[row*dim:][:dim]
		kernel.Axpy(n.table.d[int(n.table.row(e.Item))*dim:][:dim], d, 1)
		for _, side := range n.sides(n.g, e, b.back[row]) {
			if side != nil {
				kernel.Axpy(side, d, 1)
			}
		}
	}
}
