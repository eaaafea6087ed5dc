package sequence

import (
	"math"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/internal/kernel"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/layer"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/team"
)

// table is the vectors of the items of a step, and their gradients: of all items, or of
// those that take part in it, which have rows in the order of their numbers.
type table struct {
	config causal.Config
	text   []float32 // [all items, textDim]
	silent []bool    // [all items]: the text vector is zero; nil without texts

	sampled bool     // the items of a step are chosen, so that gradients are kept of those alone
	chosen  []uint32 // [items]; nil: all
	place   []int32  // [all items]: the row of those chosen

	projection layer.Linear
	texts      []float32 // [items, textDim], of those chosen
	vectors    []float32 // [items, dim]
	d          []float32 // [items, dim]: the gradient; zeros before a step
	unit       []float32 // [items, dim]: of unit length, if scores are of those
	dUnit      []float32 // [items, dim]; zeros before a step
	lengths    []float32 // [items]
	drop       kernel.Mask
}

// tableRows is how many items a goroutine takes at a time.
const tableRows = 256

// newTable returns a table whose gradient, if items are not chosen, is that of the
// residuals, which is all the same but for those that are dropped.
func newTable(c causal.Config, text []float32, sampled bool, g *causal.Weights) *table {
	t := &table{config: c, text: text, sampled: sampled}
	if !sampled && g != nil {
		t.d = g.Residual
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

// choose says which items take part in the next steps, in ascending order, or all if nil.
func (t *table) choose(items []uint32) {
	t.chosen = items
	if items == nil {
		return
	}
	if t.place == nil {
		t.place = make([]int32, t.config.Items)
	}
	for row, item := range items {
		t.place[item] = int32(row)
	}
}

// len is the number of items.
func (t *table) len() int {
	if t.chosen != nil {
		return len(t.chosen)
	}
	return t.config.Items
}

// row is where an item that takes part is.
func (t *table) row(item uint32) uint32 {
	if t.chosen != nil {
		return uint32(t.place[item])
	}
	return item
}

// item is whose vector lies in a row.
func (t *table) item(row int) int {
	if t.chosen != nil {
		return int(t.chosen[row])
	}
	return row
}

// each runs a function over all rows, part by part.
func (t *table) each(team *team.Team, run func(from, to int)) {
	team.Do((t.len()+tableRows-1)/tableRows, func(_, part int) {
		run(part*tableRows, min((part+1)*tableRows, t.len()))
	})
}

// compute sets the vectors. Drop says which items' residuals count as zero.
func (t *table) compute(team *team.Team, w *causal.Weights, drop kernel.Mask) {
	c := t.config
	t.drop = drop
	t.resize()
	if c.TextDim > 0 {
		t.projection.PackForward(causal.Linear{Weight: w.Projection}, c.Dim, c.TextDim)
	}
	t.each(team, func(from, to int) {
		vectors := t.vectors[from*c.Dim : to*c.Dim]
		if c.TextDim > 0 {
			t.projection.Forward(vectors, t.textRows(from, to), to-from)
		} else {
			clear(vectors)
		}
		for row := from; row < to; row++ {
			if item := t.item(row); !t.dropped(item) {
				kernel.Axpy(t.vectors[row*c.Dim:][:c.Dim], w.Residual[item*c.Dim:][:c.Dim], 1)
			}
			if c.Scale > 0 {
				t.lengths[row] = normalize(t.unit[row*c.Dim:][:c.Dim], t.vectors[row*c.Dim:][:c.Dim])
			}
		}
	})
}

func (t *table) resize() {
	c, n := t.config, t.len()
	t.vectors = layer.Grow(t.vectors, n*c.Dim)
	if c.Scale > 0 {
		t.unit, t.lengths = layer.Grow(t.unit, n*c.Dim), layer.Grow(t.lengths, n)
		t.dUnit = layer.Grow(t.dUnit, n*c.Dim)
		clear(t.dUnit)
	}
	if t.chosen != nil {
		t.d, t.texts = layer.Grow(t.d, n*c.Dim), layer.Grow(t.texts, n*c.TextDim)
		clear(t.d)
	}
}

// textRows are the texts of rows from to to-1.
func (t *table) textRows(from, to int) []float32 {
	dim := t.config.TextDim
	if t.chosen == nil {
		return t.text[from*dim : to*dim]
	}
	for row := from; row < to; row++ {
		copy(t.texts[row*dim:][:dim], t.text[t.item(row)*dim:])
	}
	return t.texts[from*dim : to*dim]
}

// dropped reports whether an item's residual counts as zero.
func (t *table) dropped(item int) bool {
	return !t.drop.Off() && t.config.TextDim > 0 && !t.silent[item] && t.drop.Drops(item)
}

// scored are the vectors that scores are made of, and where their gradient goes.
func (t *table) scored() (vectors, gradient []float32) {
	if t.config.Scale > 0 {
		return t.unit, t.dUnit
	}
	return t.vectors, t.d
}

// fromUnit adds to the gradient of the vectors what that of the unit vectors is for them.
func (t *table) fromUnit(team *team.Team) {
	c := t.config
	if c.Scale == 0 {
		return
	}
	t.each(team, func(from, to int) {
		for row := from; row < to; row++ {
			d := t.dUnit[row*c.Dim:][:c.Dim]
			normalizeGrad(d, t.unit[row*c.Dim:][:c.Dim], t.lengths[row])
			kernel.Axpy(t.d[row*c.Dim:][:c.Dim], d, 1)
		}
	})
}

// textColumns is how many components of the texts a goroutine takes at a time.
const textColumns = 64

// finish adds the gradient of the projection, and makes of that of the vectors that of the
// residuals.
func (t *table) finish(team *team.Team, g *causal.Weights, packs []kernel.Panels) {
	c := t.config
	if c.TextDim == 0 {
		return
	}
	texts := t.text
	if t.chosen != nil {
		texts = t.texts
	}
	team.Do((c.TextDim+textColumns-1)/textColumns, func(member, part int) {
		first := part * textColumns
		columns, p := min(textColumns, c.TextDim-first), &packs[member]
		for from := 0; from < t.len(); from += tableRows {
			rows := min(tableRows, t.len()-from)
			p.PackRows(texts[from*c.TextDim+first:], rows, columns, c.TextDim)
			p.Add(g.Projection[first:], c.TextDim, kernel.Left{Data: t.d[from*c.Dim:], Row: 1, Step: c.Dim}, c.Dim, 0, p.Count())
		}
	})
	if t.drop.Off() {
		return
	}
	t.each(team, func(from, to int) {
		for row := from; row < to; row++ {
			if t.dropped(t.item(row)) {
				clear(t.d[row*c.Dim:][:c.Dim])
			}
		}
	})
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
