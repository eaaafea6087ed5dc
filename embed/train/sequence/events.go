package sequence

import (
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
)

// ErrData is wrapped by errors about what a model is to be trained on.
var ErrData = errors.New("sequence: bad training data")

// Event is one act of a user on an item.
type Event struct {
	Item uint32 // below Config.Items

	// Weight is what the loss of predicting this event counts, at least 0. An event of
	// weight 0 is not learned to be predicted; it still is what later ones follow from.
	Weight float32

	// Type, Gap and Value are the event's kind and its buckets of time since the event
	// before and of value, each below its number in the Config, or ignored if that is 0.
	Type, Gap, Value uint16
}

// Items are events of weight 1 on these items.
func Items(items ...uint32) []Event {
	events := make([]Event, len(items))
	for i, item := range items {
		events[i] = Event{Item: item, Weight: 1}
	}
	return events
}

// Case is a question to a model: what comes after this history?
type Case struct {
	History []Event // oldest first, at least one
	Target  uint32
}

// Data is what a model is trained on and judged by. Nothing of it is changed; Text and
// Valid must stay as they are while training runs.
type Data struct {
	// Text are the items' text vectors, [items, textDim] of the Config. An item without a
	// text has zeros. Nil if TextDim is 0.
	Text []float32

	// Sequences are what each user did, oldest first; each is read before the next is asked
	// for, once. Those of fewer than two events teach nothing and are counted apart.
	Sequences iter.Seq[[]Event]

	// Valid are the questions that decide when to stop and which weights are best. They
	// must not be in Sequences. With none, training runs through all epochs and the last
	// weights count as best.
	Valid []Case

	// HideSeen ranks only items that are not in a question's history.
	HideSeen bool
}

// corpus is the training sequences, end to end.
type corpus struct {
	events []Event
	ends   []int // of each sequence
	short  int   // sequences of fewer than two events
}

func (c *corpus) len() int { return len(c.ends) }

func (c *corpus) sequence(i int) []Event {
	from := 0
	if i > 0 {
		from = c.ends[i-1]
	}
	return c.events[from:c.ends[i]]
}

// gather reads the sequences, the last longest events of each.
func gather(d Data, c causal.Config, longest, most int) (*corpus, error) {
	g := &corpus{}
	if d.Sequences == nil {
		return nil, fmt.Errorf("%w: Sequences is nil", ErrData)
	}
	number, targets := 0, 0
	for events := range d.Sequences {
		events = events[max(0, len(events)-longest):]
		if err := checkEvents(events, c); err != nil {
			return nil, fmt.Errorf("sequence %d: %w", number, err)
		}
		number++
		if len(events) < 2 {
			g.short++
			continue
		}
		if len(g.events)+len(events) > most {
			return nil, fmt.Errorf("%w: more than %d events; raise Options.MaxEvents (16 bytes each) or train on fewer", ErrData, most)
		}
		g.events = append(g.events, events...)
		g.ends = append(g.ends, len(g.events))
		for _, e := range events[1:] {
			if e.Weight > 0 {
				targets++
			}
		}
	}
	if targets == 0 {
		return nil, fmt.Errorf("%w: %d sequences, and in none an event of a weight above 0 follows another: there is nothing to learn", ErrData, number)
	}
	return g, nil
}

func checkEvents(events []Event, c causal.Config) error {
	for i, e := range events {
		switch {
		case int(e.Item) >= c.Items:
			return fmt.Errorf("%w: event %d is on item %d; Config.Items is %d", ErrData, i, e.Item, c.Items)
		case !(e.Weight >= 0) || math.IsInf(float64(e.Weight), 0):
			return fmt.Errorf("%w: event %d has weight %g, must be finite and at least 0", ErrData, i, e.Weight)
		case c.Types > 0 && int(e.Type) >= c.Types:
			return fmt.Errorf("%w: event %d is of type %d; Config.Types is %d", ErrData, i, e.Type, c.Types)
		case c.Gaps > 0 && int(e.Gap) >= c.Gaps:
			return fmt.Errorf("%w: event %d has gap %d; Config.Gaps is %d", ErrData, i, e.Gap, c.Gaps)
		case c.Values > 0 && int(e.Value) >= c.Values:
			return fmt.Errorf("%w: event %d has value %d; Config.Values is %d", ErrData, i, e.Value, c.Values)
		}
	}
	return nil
}

// check looks at what is not read in passing.
func (d Data) check(c causal.Config) error {
	if len(d.Text) != c.Items*c.TextDim {
		return fmt.Errorf("%w: Text has %d numbers; %d items of %d components need %d", ErrData, len(d.Text), c.Items, c.TextDim, c.Items*c.TextDim)
	}
	for i, x := range d.Text {
		if math.Float32bits(x)&0x7f800000 == 0x7f800000 {
			return fmt.Errorf("%w: component %d of the text vector of item %d is %g, must be finite", ErrData, i%c.TextDim, i/c.TextDim, x)
		}
	}
	for i, v := range d.Valid {
		if len(v.History) == 0 {
			return fmt.Errorf("%w: validation case %d has no history", ErrData, i)
		}
		if err := checkEvents(v.History, c); err != nil {
			return fmt.Errorf("history of validation case %d: %w", i, err)
		}
		if int(v.Target) >= c.Items {
			return fmt.Errorf("%w: validation case %d asks for item %d; Config.Items is %d", ErrData, i, v.Target, c.Items)
		}
	}
	return nil
}
