package learned

import (
	"errors"
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/behaviour/transition"
)

// Errors of this package, wrapped with what is wrong.
var (
	// ErrModel: parts do not go together, or a number is out of range.
	ErrModel = errors.New("learned: bad model")

	// ErrFormat: a file is damaged, or is none of a model.
	ErrFormat = errors.New("learned: bad file of a model")

	// ErrEvent: a vector or an event does not go with the model.
	ErrEvent = errors.New("learned: bad event")
)

// Tower is a transformer and what its scores count.
type Tower struct {
	causal.Tower
	Scale float32 // above 0, to 1e6
}

// Head is a transition head and what its scores count.
type Head struct {
	transition.Head
	Scale float32 // above 0, to 1e6
}

// Model is what is trained and kept. It must have a part, and all parts the same items
// and text vectors, or none.
type Model struct {
	Towers    []Tower // at most causal.MaxTowers
	Heads     []Head  // at most transition.MaxHeads
	Items     []string
	Numbering Numbering

	// MaxNorm is the length of the longest plain item vector, as [Model.Measure] finds it.
	// 0: a bound is computed.
	MaxNorm float32
}

// maxScale is the largest Scale of a part.
const maxScale = 1e6

// maxDim is the most components of all parts together.
const maxDim = 1 << 14

// maxStateBytes bounds the memory that a tower needs for a user, of whom there are as many
// at a time as there are processors.
const maxStateBytes = 16 << 20

// PlainDim is the number of components of all parts together.
func (m *Model) PlainDim() int {
	dim := 0
	for i := range m.Towers {
		dim += m.Towers[i].Config.Dim
	}
	for i := range m.Heads {
		dim += m.Heads[i].Dim
	}
	return dim
}

// TextDim is the number of components of the text vectors that the parts read. 0: none is
// read.
func (m *Model) TextDim() int {
	for i := range m.Towers {
		if n := m.Towers[i].Config.TextDim; n > 0 {
			return n
		}
	}
	for i := range m.Heads {
		if n := m.Heads[i].textDim(); n > 0 {
			return n
		}
	}
	return 0
}

// textDim and items are 0 where the head has no table of them.
func (h *Head) textDim() int {
	if h.InputText == nil && h.OutputText == nil {
		return 0
	}
	return h.TextDim
}

func (h *Head) items() int {
	if h.Input == nil && h.Output == nil {
		return 0
	}
	return h.Items
}

// Validate returns an error that wraps [ErrModel], or one of the parts' packages, and says
// what does not go together; nil if all does.
func (m *Model) Validate() error {
	if len(m.Towers)+len(m.Heads) == 0 || len(m.Towers) > causal.MaxTowers || len(m.Heads) > transition.MaxHeads {
		return fmt.Errorf("%w: %d towers and %d heads; there must be one of either, and at most %d and %d",
			ErrModel, len(m.Towers), len(m.Heads), causal.MaxTowers, transition.MaxHeads)
	}
	if !(m.MaxNorm >= 0) || math.IsInf(float64(m.MaxNorm), 0) {
		return fmt.Errorf("%w: MaxNorm is %g, must be a length, or 0 for a bound", ErrModel, m.MaxNorm)
	}
	if err := m.Numbering.Validate(); err != nil {
		return err
	}
	for i := range m.Towers {
		t := &m.Towers[i]
		if err := t.Weights.Validate(t.Config); err != nil {
			return fmt.Errorf("tower %d: %w", i, err)
		}
		if err := errors.Join(m.checkPart(t.Config.Items, t.Config.TextDim, t.Scale), m.Numbering.goesWith(t.Config)); err != nil {
			return fmt.Errorf("tower %d: %w", i, err)
		}
		if n := t.Config.StateBytes(); n > maxStateBytes {
			return fmt.Errorf("tower %d: %w: a user takes %d bytes, at most %d are taken: lower Window, Dim or Layers", i, ErrModel, n, maxStateBytes)
		}
	}
	for i := range m.Heads {
		h := &m.Heads[i]
		if err := h.Head.Validate(); err != nil {
			return fmt.Errorf("head %d: %w", i, err)
		}
		if err := m.checkPart(h.items(), h.textDim(), h.Scale); err != nil {
			return fmt.Errorf("head %d: %w", i, err)
		}
	}
	if dim := m.PlainDim(); dim > maxDim {
		return fmt.Errorf("%w: the parts have %d components together, at most %d are taken", ErrModel, dim, maxDim)
	}
	return nil
}

func (m *Model) checkPart(items, textDim int, scale float32) error {
	switch {
	case items != 0 && items != len(m.Items):
		return fmt.Errorf("%w: it has rows of %d items, there are ids of %d", ErrModel, items, len(m.Items))
	case textDim != 0 && textDim != m.TextDim():
		return fmt.Errorf("%w: it reads text vectors of %d components, another part of %d", ErrModel, textDim, m.TextDim())
	case !(scale > 0 && scale <= maxScale):
		return fmt.Errorf("%w: its Scale is %g, must be above 0, to %g", ErrModel, scale, float64(maxScale))
	}
	return nil
}

// Measure returns the length of the longest plain vector of the model's items. Texts gives
// the text vector of an item, [TextDim] float32, by its row; nil for none.
func (m *Model) Measure(texts func(row int) []float32) (float32, error) {
	e, err := New(*m)
	if err != nil {
		return 0, err
	}
	longest, v := 0.0, make([]float32, e.plain)
	for row := range m.Items {
		if _, err := e.plainItem(v, texts(row), row); err != nil {
			return 0, fmt.Errorf("item %q: %w", m.Items[row], err)
		}
		longest = max(longest, length(v))
	}
	// Rounded up, so that the longest itself is not beyond.
	return math.Nextafter32(float32(longest), math.MaxFloat32), nil
}
