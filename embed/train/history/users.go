package history

import (
	"context"
	"iter"
	"time"

	"github.com/kindred-rec/kindred/embed/train/history/internal/spill"
)

// userWriter turns sorted acts into histories, one user after another.
type userWriter struct {
	o       Options
	report  *Report
	cleaner *cleaner
	counts  []uint32 // kept events that attract, by item
	seen    []bool   // items in a history
	file    *spill.Writer

	user   string
	acts   []kept // of the user, at most MaxUserActs
	count  int    // of the user, all
	record []byte // scratch
	events []Event
}

// all writes all users.
func (w *userWriter) all(ctx context.Context, records iter.Seq2[[]byte, error]) error {
	n := 0
	for record, err := range records {
		if err != nil {
			return err
		}
		if n++; n%checkEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		user, k, err := parseAct(record)
		if err != nil {
			return err
		}
		if w.count == 0 || string(user) != w.user {
			if err := w.finish(); err != nil {
				return err
			}
			w.user = string(user)
		}
		w.count++
		if w.count <= w.o.MaxUserActs {
			w.acts = append(w.acts, k)
		}
	}
	return w.finish()
}

// finish cleans and writes the user whose acts are gathered.
func (w *userWriter) finish() error {
	defer func() { w.acts, w.count = w.acts[:0], 0 }()
	switch {
	case w.count == 0:
		return nil
	case w.count > w.o.MaxUserActs:
		w.report.Oversized++
		w.report.OversizedActs += int64(w.count)
		return nil
	case !w.cleaner.clean(w.acts, w.report):
		return nil
	}
	w.events = w.events[:0]
	for _, a := range w.acts {
		if !a.duplicate {
			w.events = append(w.events, w.event(a))
		}
	}
	w.report.Users++
	w.report.Kept += int64(len(w.events))
	w.record = appendHistory(w.record[:0], History{w.user, w.events})
	return w.file.Append(w.record)
}

// event is a kept act as an event; it is counted.
func (w *userWriter) event(a kept) Event {
	e := Event{Item: a.item, Type: a.kind, Time: NoTime, Value: a.value, Weight: a.weight}
	r := w.report
	if a.timed {
		e.Time = a.order
		at := time.UnixMicro(a.order).UTC()
		if r.First.IsZero() || at.Before(r.First) {
			r.First = at
		}
		if r.Last.IsZero() || at.After(r.Last) {
			r.Last = at
		}
	} else {
		r.Untimed++
	}
	if a.weight < 0 {
		r.Repelling++
	}
	w.seen[a.item] = true
	if e.Attracts() {
		w.counts[a.item]++
	}
	return e
}
