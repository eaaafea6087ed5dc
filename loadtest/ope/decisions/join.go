package decisions

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// joined counts what became of the events of rewarded types.
type joined struct {
	rewards, events               int
	unnamed, unknown, other, late int
	last                          time.Time // of all events
}

// join reads the events and rewards the rows.
func (r *reader) join() error {
	var j joined
	err := eachMessage(r.o.Events, func(line int64, message json.RawMessage) error {
		page := &kindredv1.ExportEventsResponse{}
		var err error
		if hasField(message, "events") {
			err = protojson.Unmarshal(message, page)
		} else {
			e := &kindredv1.Event{}
			err = protojson.Unmarshal(message, e)
			page.Events = append(page.Events, e)
		}
		if err != nil {
			r.faults.Add(r.o.Events, line, "", "", "%v", err)
			return nil
		}
		for _, e := range page.Events {
			if !e.Time.IsValid() {
				r.faults.Add(r.o.Events, line, "time", "", "of event %q is missing or out of range", e.Id)
				continue
			}
			r.reward(e, &j)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.faults.Err(); err != nil {
		return fmt.Errorf("decisions: %w", err)
	}
	r.note(j)
	return nil
}

// reward gives an event's row its reward.
func (r *reader) reward(e *kindredv1.Event, j *joined) {
	at := e.Time.AsTime()
	if at.After(j.last) {
		j.last = at
	}
	if !slices.Contains(r.o.Reward, typeName(e)) {
		return
	}
	j.events++
	if e.RecommendationId == "" {
		j.unnamed++
		return
	}
	number, known := r.log.index[e.RecommendationId]
	if !known {
		j.unknown++
		return
	}
	d := &r.log.decisions[number]
	row := int32(-1)
	if action, met := r.actions[e.ItemId]; met {
		row = r.log.rowOf(d, action)
	}
	switch since := at.Sub(d.time); {
	case row < 0:
		j.other++
	case since < 0 || since > r.o.Window:
		j.late++
	case r.log.Rows[row].Reward == 0:
		r.log.Rows[row].Reward = 1
		j.rewards++
	}
}

// rowOf finds an item's row in a decision; -1: it was not shown.
func (l *Log) rowOf(d *decision, action int32) int32 {
	for i := d.first; i < d.end; i++ {
		if l.Rows[i].Action == action {
			return i
		}
	}
	return -1
}

// typeName is how an event's type is named in Options.Reward.
func typeName(e *kindredv1.Event) string {
	if e.CustomType != "" {
		return e.CustomType
	}
	return strings.ToLower(strings.TrimPrefix(e.Type.String(), "EVENT_TYPE_"))
}

// note tells what did not join.
func (r *reader) note(j joined) {
	add := func(n int, text string, args ...any) {
		if n > 0 {
			r.log.Notes = append(r.log.Notes, fmt.Sprintf("%d %s", n, fmt.Sprintf(text, args...)))
		}
	}
	add(j.events, "events of %s gave %d rewards", strings.Join(r.o.Reward, ", "), j.rewards)
	add(j.unnamed, "of them name no recommendation and count for none")
	add(j.unknown, "of them name a recommendation that is not among the decisions")
	add(j.other, "of them name an item that their recommendation did not show")
	add(j.late, "of them happened before their recommendation or more than %v after it", r.o.Window)
	open := 0
	for i := range r.log.decisions {
		if r.log.decisions[i].time.Add(r.o.Window).After(j.last) {
			open++
		}
	}
	add(open, "of %d decisions are less than %v older than the last event: rewards may yet come", len(r.log.decisions), r.o.Window)
}
