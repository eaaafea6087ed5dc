package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// NoGap is the Gap of an event whose distance to the one before it is not known: the first
// of a user, and all without a real time.
const NoGap = time.Duration(-1)

// NoTime is the Time of an event that has none, or a synthetic one.
const NoTime = math.MinInt64

// Event is one act in a user's history.
type Event struct {
	Item   uint32        // number of the item: Log.Items()[Item] is its id
	Type   uint8         // index into Options.Types
	Gap    time.Duration // since the user's event before it; NoGap: not known
	Time   int64         // Unix microseconds; NoTime: not known
	Value  float32       // as it was sent, 0 if there was none
	Weight float32       // how much it attracts; below 0 it repels
}

// Attracts reports whether the act speaks for the item.
func (e Event) Attracts() bool { return e.Weight > 0 }

// History is what one user did, oldest first.
type History struct {
	User   string
	Events []Event
}

// Flags of a stored event.
const flagTimed = 1

// appendHistory writes a history as a record: user, number of events, events.
func appendHistory(to []byte, h History) []byte {
	to = binary.AppendUvarint(to, uint64(len(h.User)))
	to = append(to, h.User...)
	to = binary.AppendUvarint(to, uint64(len(h.Events)))
	last := int64(0)
	for _, e := range h.Events {
		to = binary.AppendUvarint(to, uint64(e.Item))
		flags := byte(0)
		if e.Time != NoTime {
			flags = flagTimed
		}
		to = append(to, e.Type, flags)
		if flags == flagTimed {
			to = binary.AppendVarint(to, e.Time-last)
			last = e.Time
		}
		to = binary.LittleEndian.AppendUint32(to, math.Float32bits(e.Value))
		to = binary.LittleEndian.AppendUint32(to, math.Float32bits(e.Weight))
	}
	return to
}

// errRecord: the bytes are no history. Their checksum is right, so that it is a mistake of this package.
var errRecord = errors.New("history: a record that cannot be read")

// parseHistory reads a record; events are appended to into.
func parseHistory(record []byte, into []Event) (History, error) {
	n, size := binary.Uvarint(record)
	if size <= 0 || n > uint64(len(record)-size) {
		return History{}, errRecord
	}
	h := History{User: string(record[size : size+int(n)])}
	record = record[size+int(n):]
	count, size := binary.Uvarint(record)
	if size <= 0 || count > uint64(len(record)) {
		return History{}, errRecord
	}
	record = record[size:]
	h.Events = into[:0]
	base, before := int64(0), int64(NoTime) // what times are told from; the time of the event directly before
	for range count {
		e, rest, err := parseEvent(record, base)
		if err != nil {
			return History{}, fmt.Errorf("%w: event %d of %q", err, len(h.Events), h.User)
		}
		if e.Time != NoTime {
			base = e.Time
			if before != NoTime {
				e.Gap = time.Duration(min(e.Time-before, math.MaxInt64/1000)) * time.Microsecond
			}
		}
		before, record = e.Time, rest
		h.Events = append(h.Events, e)
	}
	return h, nil
}

// parseEvent reads one event, whose time is told from base; its gap is for the caller.
func parseEvent(record []byte, base int64) (Event, []byte, error) {
	item, size := binary.Uvarint(record)
	if size <= 0 || item > math.MaxUint32 || len(record) < size+2 {
		return Event{}, nil, errRecord
	}
	e := Event{Item: uint32(item), Type: record[size], Gap: NoGap, Time: NoTime}
	timed := record[size+1] == flagTimed
	record = record[size+2:]
	if timed {
		delta, size := binary.Varint(record)
		if size <= 0 {
			return Event{}, nil, errRecord
		}
		e.Time = base + delta
		record = record[size:]
	}
	if len(record) < 8 {
		return Event{}, nil, errRecord
	}
	e.Value = math.Float32frombits(binary.LittleEndian.Uint32(record))
	e.Weight = math.Float32frombits(binary.LittleEndian.Uint32(record[4:]))
	return e, record[8:], nil
}
