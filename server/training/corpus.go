package training

import (
	"fmt"
	"iter"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/train"
	"github.com/kindred-rec/kindred/embed/train/history"
	"github.com/kindred-rec/kindred/embed/train/sequence"
)

// corpus is a cleaned log on the way to a trainer.
type corpus struct {
	log   *history.Log
	types []history.Type

	numbering learned.Numbering
	rows      []uint16 // of the numbering, by type of the log
	names     []string // when served, by type of the log
	attracts  int64
	users     int // with two such events
	seen      int // items with an event

	draw    history.Draw
	asked   []history.Query
	popular []uint32 // events that speak for each item in the training part

	texts   []float32 // [items of the log, textDim]
	textDim int
	answers map[uint32]bool // items that cases ask for
	failed  error           // of reading the log while training
}

// survey reads the log once: whether there is enough of it, and how events are numbered.
func (d *corpus) survey() error {
	repel, types := false, make([]bool, len(d.types))
	items := make([]bool, len(d.log.Items()))
	for h, err := range d.log.Users() {
		if err != nil {
			return fmt.Errorf("reading the log: %w", err)
		}
		n := 0
		for _, e := range h.Events {
			types[e.Type] = true
			if !e.Attracts() {
				repel = repel || d.types[e.Type].Weight > 0
				continue
			}
			n++
			if !items[e.Item] {
				items[e.Item] = true
				d.seen++
			}
		}
		d.attracts += int64(n)
		if n >= 2 {
			d.users++
		}
	}
	if err := d.enough(); err != nil {
		return err
	}
	d.number(types, repel)
	return nil
}

// enough refuses a log that nothing can be learned from.
func (d *corpus) enough() error {
	const way = "wait until more has happened"
	switch {
	case d.attracts < MinEvents:
		return fmt.Errorf("%w: %d events speak for an item, at least %d are needed: %s", ErrTooLittle, d.attracts, MinEvents, way)
	case d.users < MinUsers:
		return fmt.Errorf("%w: %d users have two events or more, at least %d are needed: %s", ErrTooLittle, d.users, MinUsers, way)
	case d.seen < MinItems:
		return fmt.Errorf("%w: %d item has events, at least %d are needed: %s", ErrTooLittle, d.seen, MinItems, way)
	}
	return nil
}

// number chooses the numbering. Names of types come in the order of the log's types.
func (d *corpus) number(present []bool, repel bool) {
	d.names, d.rows = make([]string, len(d.types)), make([]uint16, len(d.types))
	rows := map[string]uint16{}
	var names []string
	for i, t := range d.types {
		d.names[i] = served(t)
		if !present[i] {
			continue
		}
		if _, ok := rows[d.names[i]]; !ok {
			rows[d.names[i]] = uint16(len(names))
			names = append(names, d.names[i])
		}
		d.rows[i] = rows[d.names[i]]
	}
	if len(names) > 1 {
		d.numbering.Types = names
		if repel {
			d.numbering.Values = []float32{0}
		}
	}
	if r := d.log.Report(); 2*r.Untimed < r.Kept {
		d.numbering.Gaps = train.GapBounds()
	}
}

// sequences are what is trained on.
func (d *corpus) sequences() iter.Seq[[]sequence.Event] {
	return func(yield func([]sequence.Event) bool) {
		var events []sequence.Event
		for h, err := range d.log.Users() {
			if err != nil {
				d.failed = fmt.Errorf("reading the log: %w", err)
				return
			}
			kept, _ := d.split(h)
			if events = d.convert(events[:0], kept); len(events) > 0 && !yield(events) {
				return
			}
		}
	}
}

// convert appends events as the trainer reads them. Those that speak against an item are
// read where there are types; where there are none, a service leaves them out, too.
func (d *corpus) convert(to []sequence.Event, events []history.Event) []sequence.Event {
	last, first := uint32(0), true
	gap := history.NoGap
	for _, e := range events {
		gap = together(gap, e.Gap, first)
		if !e.Attracts() && len(d.numbering.Types) == 0 {
			continue
		}
		s := sequence.Event{Item: e.Item, Type: d.rows[e.Type], Gap: uint16(d.numbering.Gap(gap)), Value: uint16(d.numbering.Value(e.Weight))}
		if e.Attracts() && (first || e.Item != last) {
			s.Weight = 1 // what comes next counts alike, a look as a purchase: both were wanted
		}
		to, last, first, gap = append(to, s), e.Item, false, 0
	}
	return to
}

// together adds the time since the last event that was kept.
func together(sum, gap time.Duration, first bool) time.Duration {
	if first || sum < 0 || gap < 0 {
		return history.NoGap
	}
	return sum + gap
}

// data is all that the trainer reads.
func (d *corpus) data() train.Data {
	out := train.Data{
		Items: d.log.Items(), Text: d.texts, TextDim: d.textDim, Sequences: d.sequences(), HideSeen: true, Numbering: d.numbering,
	}
	for _, q := range d.asked {
		if history := d.convert(nil, q.History); len(history) > 0 {
			out.Valid = append(out.Valid, sequence.Case{History: history, Target: q.Target.Item})
		}
	}
	return out
}
