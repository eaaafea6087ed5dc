package causal

import (
	"fmt"

	"github.com/kindred-rec/kindred/embed/internal/kernel"
)

// State is what is kept of one user's history, so that one more event costs one row:
// the events' vectors, and the keys and values of each block. Its memory is
// [Config.StateBytes]. Only one call may use it at a time; [State.Reset] makes it ready
// for another user.
type State struct {
	of       *Encoder
	total    int         // events that the history ever had
	rows     int         // events that are in the state, the last ones
	events   []float32   // [window, dim]: sums of an event's vectors, before position and norm
	keyValue [][]float32 // of each block, [window, 2 dim]: keys first
}

// NewState returns the state of an empty history.
func (e *Encoder) NewState() *State {
	c := e.config
	s := &State{of: e, events: make([]float32, c.Window*c.Dim), keyValue: make([][]float32, c.Layers)}
	for i := range s.keyValue {
		s.keyValue[i] = make([]float32, c.Window*2*c.Dim)
	}
	return s
}

// StateBytes is the memory of a [State].
func (c Config) StateBytes() int { return 4 * c.Window * c.Dim * (1 + 2*c.Layers) }

// Reset empties the history.
func (s *State) Reset() { s.total, s.rows = 0, 0 }

// Total is the number of events that the history ever had.
func (s *State) Total() int { return s.total }

// Scratch is the memory of one call, for any number of calls one after the other.
type Scratch struct {
	of      *Encoder
	x       []float32 // [window, dim]: what one block hands to the next
	in      []float32 // [rowsAtATime, dim]: what a product gets, after a norm
	unit    []float32 // [dim]
	query   []float32 // [rowsAtATime, dim]
	context []float32 // [rowsAtATime, dim]: what attention gathered
	more    []float32 // [rowsAtATime, dim]: what a part of a block adds
	wide    []float32 // [rowsAtATime, feedForward]
	text    []float32 // [rowsAtATime, textDim]
	weights []float32 // [columns]: of attention, of one row
}

// rowsAtATime is how many events pass a block's products together: enough to pay for the
// weights' way from memory, few enough for what lies between to stay in the cache.
const rowsAtATime = 64

// NewScratch returns memory for calls of this encoder.
func (e *Encoder) NewScratch() *Scratch {
	c := e.config
	rows := min(rowsAtATime, c.Window)
	s := &Scratch{of: e}
	for _, part := range []struct {
		at *[]float32
		n  int
	}{
		{&s.x, c.Window * c.Dim}, {&s.in, rows * c.Dim}, {&s.unit, c.Dim}, {&s.query, rows * c.Dim},
		{&s.context, rows * c.Dim}, {&s.more, rows * c.Dim}, {&s.wide, rows * c.FeedForward},
		{&s.text, rows * c.TextDim}, {&s.weights, e.columns},
	} {
		*part.at = make([]float32, part.n)
	}
	return s
}

// First is the number, from 0, of the first event that counts in a history of so many: 0
// until it has more than Window, and then the next multiple of a quarter of Window
// such that at most Window follow. It depends on nothing else, so that what was encoded
// event by event and what is encoded at once from the same history are the same.
func (c Config) First(total int) int {
	if total <= c.Window {
		return 0
	}
	step := max(1, c.Window/4)
	return (total - c.Window + step - 1) / step * step
}

// Encode sets the state to a history's and writes the user's vector, [Dim] float32: that
// of the last event, whose inner product with items' vectors are their scores. Events are
// oldest first, at least one; before is how many came before the first of them. Those
// before the one that [Config.First] names do not count and may be left out; where later
// ones are left out too, those that are given count. The error wraps [ErrEvent], and the
// state is then empty.
func (e *Encoder) Encode(s *Scratch, st *State, dst []float32, events []Event, before int) error {
	st.Reset()
	if err := e.fits(s, st, dst); err != nil {
		return err
	}
	if len(events) == 0 || before < 0 {
		return fmt.Errorf("%w: a history of %d events after %d others; at least one must be given", ErrEvent, len(events), before)
	}
	total := before + len(events)
	events = events[max(0, e.config.First(total)-before):]
	for i := range events {
		if err := e.check(events[i]); err != nil {
			return fmt.Errorf("event %d of the last %d: %w", i, len(events), err)
		}
	}
	for from := 0; from < len(events); from += rowsAtATime {
		to := min(from+rowsAtATime, len(events))
		e.sum(s, st.events[from*e.config.Dim:], events[from:to])
	}
	st.total, st.rows = total, len(events)
	return e.compute(s, st, dst, 0)
}

// Append adds one event to the history and writes the user's vector, as [Encoder.Encode]
// of all the events would, to the bit. It computes one row; after each quarter of Window
// past the first Window events, and always where positions are from the end, all.
// The error wraps [ErrEvent]. An event that is out of range leaves the state as it was; a
// result that is not finite empties it.
func (e *Encoder) Append(s *Scratch, st *State, dst []float32, event Event) error {
	if err := e.fits(s, st, dst); err != nil {
		return err
	}
	if err := e.check(event); err != nil {
		return err
	}
	dim := e.config.Dim
	first := st.rows
	if gone := e.config.First(st.total+1) - (st.total - st.rows); gone > 0 && st.rows > 0 {
		copy(st.events, st.events[gone*dim:st.rows*dim])
		st.rows -= gone
		first = 0
	}
	if e.config.Position == FromEnd {
		first = 0
	}
	e.sum(s, st.events[st.rows*dim:], []Event{event})
	st.rows++
	st.total++
	return e.compute(s, st, dst, first)
}

// fits refuses memory that was not made for the encoder.
func (e *Encoder) fits(s *Scratch, st *State, dst []float32) error {
	if s.of != e || st.of != e {
		return fmt.Errorf("%w: a Scratch or State of another encoder", ErrEvent)
	}
	if len(dst) != e.config.Dim {
		return fmt.Errorf("%w: room for %d components, a vector has %d", ErrEvent, len(dst), e.config.Dim)
	}
	return nil
}

// sum writes the sums of the vectors of at most rowsAtATime events, [events, dim].
func (e *Encoder) sum(s *Scratch, to []float32, events []Event) {
	dim, textDim := e.config.Dim, e.config.TextDim
	if textDim == 0 {
		clear(to[:len(events)*dim])
	} else {
		for i := range events {
			row := s.text[i*textDim:][:textDim]
			clear(row[copy(row, events[i].Text):])
		}
		e.projection.Multiply(to, dim, s.text, textDim, len(events), 0, e.projection.Count())
	}
	for i := range events {
		v, x := &events[i], to[i*dim:][:dim]
		e.addResidual(x, v.Item)
		addRow(x, e.w.Types, v.Type)
		addRow(x, e.w.Gaps, v.Gap)
		addRow(x, e.w.Values, v.Value)
	}
}

// addRow adds a row of a table, if there is one.
func addRow(x, table []float32, row int) {
	if len(table) > 0 {
		kernel.Axpy(x, table[row*len(x):][:len(x)], 1)
	}
}
