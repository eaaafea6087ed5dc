package dataset

import (
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// eventSorter holds a log in memory, bounded, to give it back in time order.
type eventSorter struct {
	rows []sortedRow
	ids  map[string]string // one copy of each user and item id: a row's strings would keep its whole line alive
	max  int
}

// inTimeOrder merges ratings and comments of files into one log in time order. Row errors of all files come before the
// first event, since sorting reads them whole.
func inTimeOrder(opts Options, files ...iter.Seq2[Event, error]) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		sorted := newEventSorter(opts.MaxSortedEvents)
		for _, file := range files {
			for e, err := range file {
				if err == nil {
					err = sorted.add(e)
				}
				if err != nil && (!yield(Event{}, err) || !isRowError(err)) {
					return
				}
			}
		}
		sorted.each(opts, yield)
	}
}

// sortedRow is what the fields of a rating or a comment need, less than half the size of an Event.
type sortedRow struct {
	time             time.Time
	user, item, text string
	value            float64
	rating           bool
}

func newEventSorter(max int) *eventSorter {
	return &eventSorter{ids: map[string]string{}, max: max}
}

func (s *eventSorter) add(e Event) error {
	if len(s.rows) == s.max {
		return fmt.Errorf("dataset: %w: more than %d events to bring into time order; raise MaxSortedEvents, or sort the file by time and read it as csv",
			ErrLimit, s.max)
	}
	s.rows = append(s.rows, sortedRow{time: e.Time, user: s.one(e.User), item: s.one(e.Item), text: strings.Clone(e.Text),
		value: e.Value, rating: e.HasValue})
	return nil
}

func (s *eventSorter) one(id string) string {
	if kept, ok := s.ids[id]; ok {
		return kept
	}
	id = strings.Clone(id)
	s.ids[id] = id
	return id
}

func (s *eventSorter) each(opts Options, yield func(Event, error) bool) {
	s.ids = nil
	slices.SortStableFunc(s.rows, func(a, b sortedRow) int { return a.time.Compare(b.time) })
	ties := ordinals{max: opts.MaxTies}
	for _, r := range s.rows {
		e := Event{User: r.user, Item: r.item, Type: TypeComment, Text: r.text, Time: r.time}
		if r.rating {
			e.Type, e.Value, e.HasValue = TypeRating, r.value, true
		}
		err := ties.name(&e)
		if !yield(e, err) || err != nil {
			return
		}
	}
}

// ordinals gives ids to events and tells apart those alike in user, item, type and time. It remembers the events of one
// time only: equal rows with other times between them get one id, and count once.
type ordinals struct {
	now  time.Time
	seen map[[16]byte]uint32
	max  int
}

func (o *ordinals) name(e *Event) error {
	if o.seen == nil || !e.Time.Equal(o.now) {
		o.now = e.Time
		if o.seen == nil || len(o.seen) > 64 {
			o.seen = make(map[[16]byte]uint32) // clear keeps the room of the largest tie for ever
		} else {
			clear(o.seen)
		}
	}
	key := e.key(0)
	n, known := o.seen[key]
	if !known && len(o.seen) == o.max {
		*e = Event{}
		return fmt.Errorf("dataset: %w: more than %d events share the time %s; give events an id column or raise MaxTies",
			ErrLimit, o.max, o.now.Format(time.RFC3339Nano))
	}
	o.seen[key] = n + 1
	if n == 0 {
		e.ID = hex.EncodeToString(key[:])
	} else {
		e.ID = e.DeriveID(n)
	}
	return nil
}
