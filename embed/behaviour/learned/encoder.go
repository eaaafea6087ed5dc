package learned

import (
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/internal/kernel"
)

// Event is one act of a user, as a shop knows it.
type Event struct {
	Item   string    // id
	Text   []float32 // vector of the item's text, [TextDim] float32; nil: it has none
	Type   string    // name of what was done
	Weight float32   // how much it attracts to the item; 0 or below: it does not
	Time   int64     // unix microseconds; 0: not known
}

// Encoder computes items' and users' vectors. It is immutable and safe for concurrent use.
type Encoder struct {
	towers      []*causal.Encoder
	towerScales []float32
	heads       []Head
	numbering   Numbering
	rows        map[string]int // by item id
	maxNorm     float64
	textDim     int
	plain, dim  int
	window      int
	idle        chan *workspace
}

// New prepares a model. It keeps the model's tables, which must not change. Errors are
// those of [Model.Validate].
func New(m Model) (*Encoder, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	e := &Encoder{heads: m.Heads, numbering: m.Numbering, rows: make(map[string]int, len(m.Items)), textDim: m.TextDim(),
		plain: m.PlainDim(), maxNorm: float64(m.MaxNorm), idle: make(chan *workspace, runtime.GOMAXPROCS(0))}
	e.dim = (e.plain + 1 + 7) &^ 7
	for i, id := range m.Items {
		e.rows[id] = i
	}
	if len(e.rows) != len(m.Items) {
		return nil, fmt.Errorf("%w: of %d items, %d have an id that another has", ErrModel, len(m.Items), len(m.Items)-len(e.rows))
	}
	for i, t := range m.Towers {
		made, err := causal.NewEncoder(t.Tower)
		if err != nil {
			return nil, fmt.Errorf("tower %d: %w", i, err)
		}
		e.towers, e.towerScales = append(e.towers, made), append(e.towerScales, t.Scale)
		e.window = max(e.window, t.Config.Window)
	}
	for i := range m.Heads {
		e.window = max(e.window, m.Heads[i].Recent)
	}
	if e.maxNorm == 0 {
		e.maxNorm = lengthBound(m)
	}
	return e, nil
}

// Dim is the number of components of the vectors: those of the parts, one more, and zeros
// up to a multiple of 8.
func (e *Encoder) Dim() int { return e.dim }

// PlainDim is the number of components of the parts' vectors alone.
func (e *Encoder) PlainDim() int { return e.plain }

// TextDim is the number of components of the text vectors that it reads. 0: it reads none.
func (e *Encoder) TextDim() int { return e.textDim }

// Window is how many events a part reads at most. Who gives [Encoder.User] more has the
// older ones read where it leaves out newer ones, such as those that do not attract.
func (e *Encoder) Window() int { return e.window }

// row is that of an item; -1: it has none.
func (e *Encoder) row(id string) int {
	if row, ok := e.rows[id]; ok {
		return row
	}
	return -1
}

// Item writes an item's vector, [Dim] float32 of unit length. Text is the vector of its
// text, nil for none. False: nothing is known of the item, and what is written are zeros.
// The error wraps [ErrEvent], or is of a part, if a size is another or the result is not
// finite.
func (e *Encoder) Item(dst, text []float32, id string) (ok bool, err error) {
	if err := e.fits(dst, text); err != nil {
		return false, err
	}
	clear(dst)
	v := dst[:e.plain]
	if ok, err = e.plainItem(v, text, e.row(id)); !ok || err != nil {
		clear(dst)
		return false, err
	}
	n := length(v)
	if math.IsInf(n, 0) || math.IsNaN(n) {
		clear(dst)
		return false, fmt.Errorf("%w: the vector of item %.60q is not finite", ErrEvent, id)
	}
	by := max(n, e.maxNorm)
	if by == 0 { // all items are zeros: none is nearer than another
		dst[e.plain] = 1
		return true, nil
	}
	kernel.Scale(v, float32(1/by))
	rest := 1 - (n/by)*(n/by)
	dst[e.plain] = float32(math.Sqrt(max(0, rest)))
	return true, nil
}

// plainItem lays the parts' item vectors side by side.
func (e *Encoder) plainItem(v, text []float32, row int) (known bool, err error) {
	at := 0
	for i, t := range e.towers {
		dim := t.Config().Dim
		ok, err := t.Item(v[at:at+dim], text, row)
		if err != nil {
			return false, fmt.Errorf("tower %d: %w", i, err)
		}
		known = known || ok
		at += dim
	}
	for i := range e.heads {
		h := &e.heads[i]
		ok, err := h.Item(v[at:at+h.Dim], text, row)
		if err != nil {
			return false, fmt.Errorf("head %d: %w", i, err)
		}
		known = known || ok
		at += h.Dim
	}
	return known, nil
}

// User writes a user's vector, [Dim] float32 of unit length, from events in time order,
// the newest last. They are not kept. False: they say nothing, and what is written are
// zeros. The error wraps [ErrEvent], or is of a part, if a size is another or the result
// is not finite.
func (e *Encoder) User(dst []float32, events []Event) (ok bool, err error) {
	if err := e.fits(dst, nil); err != nil {
		return false, err
	}
	w := e.take()
	defer e.put(w)
	clear(dst)
	if err := e.number(w, events); err != nil {
		return false, err
	}
	at := 0
	for i, t := range e.towers {
		part := dst[at : at+t.Config().Dim]
		at += len(part)
		read := w.choose(t.Config())
		if len(read) == 0 {
			continue
		}
		if err := t.Encode(w.scratch[i], w.states[i], part, read, 0); err != nil {
			clear(dst)
			return false, fmt.Errorf("tower %d: %w", i, err)
		}
		kernel.Scale(part, e.towerScales[i])
	}
	for i := range e.heads {
		h := &e.heads[i]
		part := dst[at : at+h.Dim]
		at += h.Dim
		w.step(h)
		if _, err := h.User(part, w.texts, w.steps); err != nil {
			clear(dst)
			return false, fmt.Errorf("head %d: %w", i, err)
		}
		kernel.Scale(part, h.Scale)
	}
	return toUnit(dst)
}

// number gives the events their rows.
func (e *Encoder) number(w *workspace, events []Event) error {
	w.all, w.attract = w.all[:0], w.attract[:0]
	for i := range events {
		v := &events[i]
		if err := e.fitsText(v.Text); err != nil {
			return fmt.Errorf("event %d of %d: %w", i, len(events), err)
		}
		since := time.Duration(-1)
		if i > 0 && v.Time != 0 && events[i-1].Time != 0 {
			since = time.Duration(min(max(0, v.Time-events[i-1].Time), math.MaxInt64/1000)) * time.Microsecond
		}
		made := causal.Event{Item: e.row(v.Item), Text: v.Text, Gap: e.numbering.Gap(since), Value: e.numbering.Value(v.Weight)}
		if len(e.numbering.Types) > 0 {
			made.Type = -1
			if row, ok := e.numbering.Type(v.Type); ok {
				made.Type = row
			}
		}
		w.all, w.attract = append(w.all, made), append(w.attract, v.Weight > 0)
	}
	return nil
}

func (e *Encoder) fits(dst, text []float32) error {
	if len(dst) != e.dim {
		return fmt.Errorf("%w: room for %d components, a vector has %d", ErrEvent, len(dst), e.dim)
	}
	return e.fitsText(text)
}

func (e *Encoder) fitsText(text []float32) error {
	if e.textDim > 0 && len(text) > 0 && len(text) != e.textDim {
		return fmt.Errorf("%w: a text vector of %d components, the model was trained over %d", ErrEvent, len(text), e.textDim)
	}
	return nil
}
