package train

import (
	"github.com/kindred-rec/kindred/embed/train/sequence"
)

// known gives the data of the items that at least so many events of the sequences are
// of. Events of others are left out, and so are questions for them or after nothing else:
// what the transformer never saw must not be learned as what nobody wants.
func (d Data) known(least int) Data {
	counts := make([]int, len(d.Items))
	for events := range d.Sequences {
		for _, e := range events {
			if int(e.Item) < len(counts) {
				counts[e.Item]++
			}
		}
	}
	rows, out := make([]int32, len(counts)), d
	out.Items, out.Text = nil, nil
	for item, n := range counts {
		rows[item] = -1
		if n >= least {
			rows[item] = int32(len(out.Items))
			out.Items = append(out.Items, d.Items[item])
			out.Text = append(out.Text, d.Text[item*d.TextDim:(item+1)*d.TextDim]...)
		}
	}
	out.Sequences = func(yield func([]sequence.Event) bool) {
		var kept []sequence.Event
		for events := range d.Sequences {
			if kept = renumber(kept[:0], events, rows); len(kept) > 0 && !yield(kept) {
				return
			}
		}
	}
	out.Valid = nil
	for _, c := range d.Valid {
		history := renumber(nil, c.History, rows)
		if len(history) > 0 && int(c.Target) < len(rows) && rows[c.Target] >= 0 {
			out.Valid = append(out.Valid, sequence.Case{History: history, Target: uint32(rows[c.Target])})
		}
	}
	return out
}

func renumber(to, events []sequence.Event, rows []int32) []sequence.Event {
	for _, e := range events {
		if int(e.Item) < len(rows) && rows[e.Item] >= 0 {
			e.Item = uint32(rows[e.Item])
			to = append(to, e)
		}
	}
	return to
}
