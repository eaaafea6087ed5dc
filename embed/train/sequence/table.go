package sequence

import (
	"math"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/internal/kernel"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/layer"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/team"
)

// table is the items' vectors of a step, and their gradients.
type table struct {
	config causal.Config
	text   []float32 // [items, textDim]
	silent []bool    // [items]: the text vector is zero; nil if none is

	projection layer.Linear
	vectors    []float32 // [items, dim]
	unit       []float32 // [items, dim]: of unit length, if scores are of those
	lengths    []float32 // [items]
	dUnit      []float32 // [items, dim]
	drop       kernel.Mask
}

// tableRows is how many items a goroutine takes at a time.
const tableRows = 256

func newTable(c causal.Config, text []float32) *table {
	t := &table{config: c, text: text, vectors: make([]float32, c.Items*c.Dim)}
	if c.Scale > 0 {
		t.unit, t.dUnit = make([]float32, c.Items*c.Dim), make([]float32, c.Items*c.Dim)
		t.lengths = make([]float32, c.Items)
	}
	if c.TextDim > 0 {
		t.silent = make([]bool, c.Items)
		for i := range t.silent {
			row := text[i*c.TextDim:][:c.TextDim]
			t.silent[i] = kernel.Dot(row, row) == 0
		}
	}
	return t
}

// parts is the number of parts that work on items is divided into.
func (t *table) parts() int { return (t.config.Items + tableRows - 1) / tableRows }

// compute sets the vectors. Drop says which residuals count as zero.
func (t *table) compute(team *team.Team, w *causal.Weights, drop kernel.Mask) {
	c := t.config
	t.drop = drop
	if c.TextDim > 0 {
		t.projection.PackForward(causal.Linear{Weight: w.Projection}, c.Dim, c.TextDim)
	}
	team.Do(t.parts(), func(_, part int) {
		from, to := part*tableRows, min((part+1)*tableRows, c.Items)
		vectors := t.vectors[from*c.Dim : to*c.Dim]
		if c.TextDim == 0 {
			copy(vectors, w.Residual[from*c.Dim:])
		} else {
			t.projection.Forward(vectors, t.text[from*c.TextDim:], to-from)
			for i := from; i < to; i++ {
				if !t.dropped(i) {
					kernel.Axpy(vectors[(i-from)*c.Dim:][:c.Dim], w.Residual[i*c.Dim:][:c.Dim], 1)
				}
			}
		}
		if c.Scale > 0 {
			for i := from; i < to; i++ {
				t.lengths[i] = normalize(t.unit[i*c.Dim:][:c.Dim], t.vectors[i*c.Dim:][:c.Dim])
			}
		}
	})
}

// dropped reports whether an item's residual counts as zero.
func (t *table) dropped(item int) bool {
	return !t.drop.Off() && t.config.TextDim > 0 && !t.silent[item] && t.drop.Drops(item)
}

// scored are the vectors that scores are made of.
func (t *table) scored() []float32 {
	if t.config.Scale > 0 {
		return t.unit
	}
	return t.vectors
}

// gradient is where the gradient of those goes. It is zeros before a step.
func (t *table) gradient(g *causal.Weights) []float32 {
	if t.config.Scale > 0 {
		return t.dUnit
	}
	return g.Residual
}

// fromUnit adds to g.Residual what the gradients of the unit vectors are for the vectors, and
// clears them.
func (t *table) fromUnit(team *team.Team, g *causal.Weights) {
	c := t.config
	if c.Scale == 0 {
		return
	}
	team.Do(t.parts(), func(_, part int) {
		for i := part * tableRows; i < min((part+1)*tableRows, c.Items); i++ {
			d := t.dUnit[i*c.Dim:][:c.Dim]
			normalizeGrad(d, t.unit[i*c.Dim:][:c.Dim], t.lengths[i])
			kernel.Axpy(g.Residual[i*c.Dim:][:c.Dim], d, 1)
			clear(d)
		}
	})
}

// textColumns is how many components of the texts a goroutine takes at a time.
const textColumns = 64

// finish turns the gradient of the vectors, which lies in g.Residual, into that of the
// residuals and of the projection.
func (t *table) finish(team *team.Team, g *causal.Weights, packs []kernel.Panels) {
	c := t.config
	if c.TextDim == 0 {
		return
	}
	team.Do((c.TextDim+textColumns-1)/textColumns, func(member, part int) {
		first := part * textColumns
		columns, p := min(textColumns, c.TextDim-first), &packs[member]
		for from := 0; from < c.Items; from += tableRows {
			rows := min(tableRows, c.Items-from)
			p.PackRows(t.text[from*c.TextDim+first:], rows, columns, c.TextDim)
			p.Add(g.Projection[first:], c.TextDim, kernel.Left{Data: g.Residual[from*c.Dim:], Row: 1, Step: c.Dim}, c.Dim, 0, p.Count())
		}
	})
	if t.drop.Off() {
		return
	}
	for i := range c.Items {
		if t.dropped(i) {
			clear(g.Residual[i*c.Dim:][:c.Dim])
		}
	}
}

// normalize sets unit to x scaled to unit length and returns the length of x. Zeros stay
// zeros, of length 0.
func normalize(unit, x []float32) float32 {
	length := float32(math.Sqrt(float64(kernel.Dot(x, x))))
	copy(unit, x)
	if length > 0 {
		kernel.Scale(unit, 1/length)
	}
	return length
}

// normalizeGrad replaces the gradient of a unit vector by that of what it was made of: zero
// for a vector of zeros.
func normalizeGrad(d, unit []float32, length float32) {
	if length == 0 {
		clear(d)
		return
	}
	kernel.Axpy(d, unit, -kernel.Dot(d, unit))
	kernel.Scale(d, 1/length)
}
