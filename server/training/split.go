package training

import (
	"fmt"
	"slices"

	"github.com/kindred-rec/kindred/embed/train/history"
)

// maxAsked bounds the history of a case: no model reads further back, and what is hidden of
// it is what was touched lately.
const maxAsked = 2000

// cut draws the users whose last news is the validation, and reads their cases.
func (d *corpus) cut(o Options) (err error) {
	if d.draw, err = d.log.Draw(o.Cases, o.Seed); err != nil {
		return fmt.Errorf("reading the log: %w", err)
	}
	d.popular = make([]uint32, len(d.log.Items()))
	for h, err := range d.log.Users() {
		if err != nil {
			return fmt.Errorf("reading the log: %w", err)
		}
		kept, asked := d.split(h)
		history.Count(d.popular, kept)
		if asked != nil && len(d.asked) < o.Cases {
			asked.History = slices.Clone(asked.History[max(0, len(asked.History)-maxAsked):])
			d.asked = append(d.asked, *asked)
		}
	}
	return nil
}

// split parts a history in what is trained on and, of a user who was drawn, the case: the
// last event that speaks for an item which the user had not touched before. nil: there is
// none. Both share memory with the history.
func (d *corpus) split(h history.History) (kept []history.Event, asked *history.Query) {
	if d.draw.LastOf(h).Valid == nil {
		return h.Events, nil
	}
	first := make(map[uint32]int, len(h.Events))
	for i, e := range h.Events {
		if _, ok := first[e.Item]; !ok {
			first[e.Item] = i
		}
	}
	for i := len(h.Events) - 1; i > 0; i-- {
		e := h.Events[i]
		if !e.Attracts() || first[e.Item] != i {
			continue
		}
		if !slices.ContainsFunc(h.Events[:i], history.Event.Attracts) {
			break
		}
		return h.Events[:i:i], &history.Query{History: h.Events[:i:i], Target: e}
	}
	return h.Events, nil
}
