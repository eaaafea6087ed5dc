package causal

import (
	"errors"
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/embed/internal/kernel"
)

// ErrEvent is wrapped by errors about an event, an item or a vector that does not go with
// the encoder. The error names it.
var ErrEvent = errors.New("causal: bad event")

// Event is one act of a user.
type Event struct {
	// Item is the number of the item's residual. Below 0: it has none.
	Item int

	// Text is the vector of the item's text, [TextDim] float32. Nil: it has none. An item
	// with neither has a vector of zeros: leave its events out.
	Text []float32

	// Type, Gap and Value are the event's kind and its buckets of time since the event
	// before and of value, each below its number in the Config, or ignored if that is 0.
	Type, Gap, Value int
}

// Encoder computes vectors with a tower's weights, which it packs for products. It is
// immutable and safe for concurrent use; each call needs a [Scratch] of its own.
type Encoder struct {
	config     Config
	w          *Weights
	projection kernel.Panels // of an item's text
	layers     []packed
	columns    int // of a row of attention weights: Window, rounded up
}

// packed is one block. Queries come out divided by the root of the head's size.
type packed struct {
	query, keyValue, output, up, down kernel.Panels
	distance                          []float32 // [heads, window], the event itself last
	attentionNorm, norm               Norm
}

// NewEncoder packs a tower. It keeps the tower's tables, which must not change.
func NewEncoder(t Tower) (*Encoder, error) {
	if err := t.Weights.Validate(t.Config); err != nil {
		return nil, err
	}
	c := t.Config
	e := &Encoder{config: c, w: t.Weights, columns: (c.Window + lanes - 1) &^ (lanes - 1)}
	if c.TextDim > 0 {
		e.projection = kernel.Pack(t.Weights.Projection, c.Dim, c.TextDim, c.TextDim, nil)
	}
	for i := range t.Weights.Layers {
		e.layers = append(e.layers, pack(c, &t.Weights.Layers[i]))
	}
	return e, nil
}

func pack(c Config, l *Layer) packed {
	dim, wide := c.Dim, c.FeedForward
	scale := float32(1 / math.Sqrt(float64(c.HeadDim())))
	p := packed{
		query:    kernel.Pack(scaled(l.Input.Weight[:dim*dim], scale), dim, dim, dim, scaled(l.Input.Bias[:dim], scale)),
		keyValue: kernel.Pack(l.Input.Weight[dim*dim:], 2*dim, dim, dim, l.Input.Bias[dim:]),
		output:   kernel.Pack(l.Output.Weight, dim, dim, dim, l.Output.Bias),
		up:       kernel.Pack(l.Up.Weight, wide, dim, dim, l.Up.Bias),
		down:     kernel.Pack(l.Down.Weight, dim, wide, wide, l.Down.Bias),

		attentionNorm: l.AttentionNorm, norm: l.Norm,
	}
	for i := range l.Distance {
		head, back := i/c.Window, c.Window-1-i%c.Window
		p.distance = append(p.distance, l.Distance[head*c.Window+back])
	}
	return p
}

func scaled(x []float32, by float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = v * by
	}
	return y
}

// Config are the encoder's sizes.
func (e *Encoder) Config() Config { return e.config }

// Item writes an item's vector, [Dim] float32, as scores take it: of unit length if the
// Config has a Scale. Number is that of its residual, below 0 for none; text is the vector
// of its text, nil for none. With neither it writes zeros and returns false. The error
// wraps [ErrEvent] if something is of another size.
func (e *Encoder) Item(dst, text []float32, number int) (ok bool, err error) {
	if err := e.checkItem(Event{Item: number, Text: text}); err != nil {
		return false, err
	}
	if len(dst) != e.config.Dim {
		return false, fmt.Errorf("%w: room for %d components, a vector has %d", ErrEvent, len(dst), e.config.Dim)
	}
	if len(text) == 0 || e.config.TextDim == 0 {
		clear(dst)
	} else {
		e.projection.Multiply(dst, e.config.Dim, text, e.config.TextDim, 1, 0, e.projection.Count())
	}
	e.addResidual(dst, number)
	known := number >= 0 && e.config.Items > 0 || len(text) > 0 && e.config.TextDim > 0
	return known, e.finish(dst, 1)
}

// addResidual adds an item's, if it has one.
func (e *Encoder) addResidual(x []float32, number int) {
	if number >= 0 && e.config.Items > 0 {
		kernel.Axpy(x, e.w.Residual[number*e.config.Dim:][:e.config.Dim], 1)
	}
}

// finish makes of what was computed what the score is the inner product of: with a Scale,
// a vector of that length. Zeros stay zeros.
func (e *Encoder) finish(x []float32, length float32) error {
	var squares float64
	for _, v := range x {
		squares += float64(v) * float64(v)
	}
	if math.IsNaN(squares) || math.IsInf(squares, 0) {
		return fmt.Errorf("%w: the vector is not finite: the weights, or the text vectors, are too large", ErrEvent)
	}
	if e.config.Scale > 0 && squares > 0 {
		kernel.Scale(x, length/float32(math.Sqrt(squares)))
	}
	return nil
}

// checkItem refuses what would be read past the end of a table.
func (e *Encoder) checkItem(v Event) error {
	c := e.config
	switch {
	case c.Items > 0 && v.Item >= c.Items:
		return fmt.Errorf("%w: item number %d, there are %d", ErrEvent, v.Item, c.Items)
	case c.TextDim > 0 && len(v.Text) > 0 && len(v.Text) != c.TextDim:
		return fmt.Errorf("%w: a text vector of %d components, the encoder was trained over %d", ErrEvent, len(v.Text), c.TextDim)
	}
	return nil
}

func (e *Encoder) check(v Event) error {
	c := e.config
	switch {
	case c.Types > 0 && uint(v.Type) >= uint(c.Types):
		return fmt.Errorf("%w: type %d, there are %d", ErrEvent, v.Type, c.Types)
	case c.Gaps > 0 && uint(v.Gap) >= uint(c.Gaps):
		return fmt.Errorf("%w: gap %d, there are %d", ErrEvent, v.Gap, c.Gaps)
	case c.Values > 0 && uint(v.Value) >= uint(c.Values):
		return fmt.Errorf("%w: value %d, there are %d", ErrEvent, v.Value, c.Values)
	}
	return e.checkItem(v)
}
