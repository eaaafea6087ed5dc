package transition

import (
	"errors"
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/embed/internal/kernel"
)

// Errors of this package, wrapped with what is wrong.
var (
	// ErrHead: sizes are out of range or do not go together, or a number is not finite.
	ErrHead = errors.New("transition: bad head")

	// ErrEvent: an item or a vector does not go with the head.
	ErrEvent = errors.New("transition: bad event")

	// ErrFormat: a file of heads is damaged, or is none.
	ErrFormat = errors.New("transition: bad file of heads")
)

// Head is what is learned of transitions. It must not change once it is in use, and is
// then safe for concurrent use.
type Head struct {
	Dim     int     // components of the vectors, 1 to 2^12
	Items   int     // rows of the tables, 0 to 2^26
	TextDim int     // components of a text vector, 0 to 2^14
	Decay   float32 // what an event counts relative to the one after it, above 0, to 1
	Recent  int     // how many of the last events count, 1 to 2^14

	Input, Output         []float32 // [items, dim]; nil: absent
	InputText, OutputText []float32 // [dim, textDim]; nil: absent
}

// Event is one act of a user.
type Event struct {
	Item int       // row of the tables; below 0: it has none
	Text []float32 // [TextDim]: the vector of the item's text; nil: it has none
}

// tensor is one named array of a head.
type tensor struct {
	name  string
	at    *[]float32
	shape []int
}

func (h *Head) tensors() []tensor {
	return []tensor{
		{"input", &h.Input, []int{h.Items, h.Dim}}, {"output", &h.Output, []int{h.Items, h.Dim}},
		{"input_text", &h.InputText, []int{h.Dim, h.TextDim}}, {"output_text", &h.OutputText, []int{h.Dim, h.TextDim}},
	}
}

// validateSizes checks everything but the tables.
func (h *Head) validateSizes() error {
	var errs []error
	for _, f := range []struct {
		name             string
		value, low, high int
	}{
		{"Dim", h.Dim, 1, 1 << 12}, {"Items", h.Items, 0, 1 << 26}, {"TextDim", h.TextDim, 0, 1 << 14}, {"Recent", h.Recent, 1, 1 << 14},
	} {
		if f.value < f.low || f.value > f.high {
			errs = append(errs, fmt.Errorf("%w: %s is %d, must be from %d to %d", ErrHead, f.name, f.value, f.low, f.high))
		}
	}
	if !(h.Decay > 0 && h.Decay <= 1) {
		errs = append(errs, fmt.Errorf("%w: Decay is %g, must be above 0, to 1 (all events count alike)", ErrHead, h.Decay))
	}
	return errors.Join(errs...)
}

// Validate returns an error that wraps [ErrHead] and names what is out of range, or nil.
// A head must have an input and an output.
func (h *Head) Validate() error {
	if err := h.validateSizes(); err != nil {
		return err
	}
	for _, t := range h.tensors() {
		if n := t.shape[0] * t.shape[1]; *t.at != nil && (len(*t.at) != n || n == 0) {
			return fmt.Errorf("%w: %s has %d elements, its shape %v needs %d", ErrHead, t.name, len(*t.at), t.shape, n)
		}
		for i, x := range *t.at {
			if math.Float32bits(x)&0x7f800000 == 0x7f800000 {
				return fmt.Errorf("%w: %s is %g at element %d, must be finite", ErrHead, t.name, x, i)
			}
		}
	}
	if h.Input == nil && h.InputText == nil || h.Output == nil && h.OutputText == nil {
		return fmt.Errorf("%w: there must be Input or InputText, and Output or OutputText", ErrHead)
	}
	return nil
}

// Item writes an item's output vector, [Dim] float32. Number is its row, below 0 for none;
// text is the vector of its text, nil for none. False: nothing is known of it, and what is
// written are zeros. The error wraps [ErrEvent] if something is of another size.
func (h *Head) Item(dst, text []float32, number int) (ok bool, err error) {
	if err := h.fits(dst, Event{number, text}); err != nil {
		return false, err
	}
	clear(dst)
	if len(text) > 0 && h.OutputText != nil {
		h.project(dst, h.OutputText, text)
		ok = true
	}
	if number >= 0 && h.Output != nil {
		kernel.Axpy(dst, h.Output[number*h.Dim:][:h.Dim], 1)
		ok = true
	}
	return ok, nil
}

// User writes a user's vector, [Dim] float32, from events, the newest last. Scratch is
// room for TextDim components. False: nothing is known of their items, and what is
// written are zeros. The error wraps [ErrEvent] if something is of another size.
func (h *Head) User(dst, scratch []float32, events []Event) (ok bool, err error) {
	if len(scratch) < h.TextDim {
		return false, fmt.Errorf("%w: room for %d components, a text vector has %d", ErrEvent, len(scratch), h.TextDim)
	}
	clear(dst)
	texts, read := scratch[:h.TextDim], false // the projection of a sum is the sum of projections
	clear(texts)
	events = events[max(0, len(events)-h.Recent):]
	share := float32(1)
	for i := len(events) - 1; i >= 0; i-- {
		v := &events[i]
		if err := h.fits(dst, *v); err != nil {
			return false, fmt.Errorf("event %d of the last %d: %w", i, len(events), err)
		}
		if len(v.Text) > 0 && h.InputText != nil {
			kernel.Axpy(texts, v.Text, share)
			read = true
		}
		if v.Item >= 0 && h.Input != nil {
			kernel.Axpy(dst, h.Input[v.Item*h.Dim:][:h.Dim], share)
			ok = true
		}
		share *= h.Decay
	}
	if read {
		h.project(dst, h.InputText, texts)
	}
	return ok || read, nil
}

// project adds a projection of a text vector.
func (h *Head) project(dst, projection, text []float32) {
	for i := range dst {
		dst[i] += kernel.Dot(projection[i*h.TextDim:][:h.TextDim], text)
	}
}

func (h *Head) fits(dst []float32, v Event) error {
	switch {
	case len(dst) != h.Dim:
		return fmt.Errorf("%w: room for %d components, a vector has %d", ErrEvent, len(dst), h.Dim)
	case (h.Input != nil || h.Output != nil) && v.Item >= h.Items:
		return fmt.Errorf("%w: item number %d, there are %d", ErrEvent, v.Item, h.Items)
	case (h.InputText != nil || h.OutputText != nil) && len(v.Text) > 0 && len(v.Text) != h.TextDim:
		return fmt.Errorf("%w: a text vector of %d components, the head was trained over %d", ErrEvent, len(v.Text), h.TextDim)
	}
	return nil
}
