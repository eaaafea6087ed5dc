package store

import (
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/kindred-rec/kindred/server/record"
)

// eventRow is a decoded event with what names its persons by number.
type eventRow struct {
	record.Stored
	session   uint64 // number of the session the caller named; 0: none
	userGiven bool
}

// words shares the strings that repeat from event to event, so that a replay
// does not allocate them a million times. It is bounded and not synchronised.
type words map[string]string

const maxWords = 1024

func (w words) of(b []byte) string {
	if s, ok := w[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(w) < maxWords && len(s) <= record.MaxTypeName {
		w[s] = s
	}
	return s
}

// decodeEvent reads an event's value. It takes what proto.Unmarshal takes for
// storepb.Event (a test holds the two together), at about a quarter of the time:
// a replay reads millions.
func decodeEvent(v []byte, w words, row *eventRow) error {
	kind, b, err := body(v)
	if err != nil {
		return err
	}
	if kind != valueEvent {
		return fmt.Errorf("store: a value has kind %d in place of an event: %w", kind, record.ErrCorrupt)
	}
	*row = eventRow{}
	row.ItemNumber = record.NoItem
	row.Time, row.Received = time.Unix(0, 0).UTC(), time.Unix(0, 0).UTC()
	for len(b) > 0 {
		n := row.field(b, w)
		if n <= 0 {
			return fmt.Errorf("store: an event ends in the middle of a field: %w", record.ErrCorrupt)
		}
		b = b[n:]
	}
	return nil
}

// field reads one field and returns its length, or less than 1 if it is broken.
func (row *eventRow) field(b []byte, w words) int {
	number, kind, n := protowire.ConsumeTag(b)
	if n < 0 {
		return n
	}
	var m int
	switch kind {
	case protowire.BytesType:
		var s []byte
		if s, m = protowire.ConsumeBytes(b[n:]); m >= 0 && !row.setBytes(number, s, w) {
			return -1
		}
	case protowire.Fixed64Type:
		var x uint64
		if x, m = protowire.ConsumeFixed64(b[n:]); m >= 0 {
			row.setFixed64(number, x)
		}
	case protowire.Fixed32Type:
		var x uint32
		if x, m = protowire.ConsumeFixed32(b[n:]); m >= 0 && number == eventItem {
			row.ItemNumber = x - 1
		}
	case protowire.VarintType:
		var x uint64
		if x, m = protowire.ConsumeVarint(b[n:]); m >= 0 {
			row.setVarint(number, x)
		}
	default:
		m = protowire.ConsumeFieldValue(number, kind, b[n:])
	}
	if m < 0 {
		return m
	}
	return n + m
}

func (row *eventRow) setBytes(number protowire.Number, s []byte, w words) bool {
	switch number {
	case 1:
		row.ID = string(s)
	case 2:
		row.Type = w.of(s)
	case 6:
		row.Text = string(s)
	case 7:
		row.RecommendationID = string(s)
	case 9:
		row.Surface = w.of(s)
	case 10:
		row.Item = string(s)
	case 16:
		return row.setPair(s, w)
	}
	return true
}

func (row *eventRow) setFixed64(number protowire.Number, x uint64) {
	switch number {
	case 3:
		row.Time = time.Unix(0, int64(x)).UTC()
	case 5:
		row.Value, row.HasValue = math.Float64frombits(x), true
	case eventOwner:
		row.UserNumber = x
	case eventSession:
		row.session = x
	case eventReceived:
		row.Received = time.Unix(0, int64(x)).UTC()
	}
}

func (row *eventRow) setVarint(number protowire.Number, x uint64) {
	switch number {
	case 4:
		row.Synthetic = protowire.DecodeBool(x)
	case 8:
		row.Position = int32(x)
	case 11:
		row.userGiven = protowire.DecodeBool(x)
	case 17:
		row.Stamped = protowire.DecodeBool(x)
	}
}

// setPair reads one entry of the context: a message of key 1 and value 2.
func (row *eventRow) setPair(b []byte, w words) bool {
	var key, value string
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		m := 0
		if kind == protowire.BytesType && (number == 1 || number == 2) {
			var s []byte
			if s, m = protowire.ConsumeBytes(b[n:]); m >= 0 {
				if number == 1 {
					key = w.of(s)
				} else {
					value = string(s)
				}
			}
		} else {
			m = protowire.ConsumeFieldValue(number, kind, b[n:])
		}
		if m < 0 {
			return false
		}
		b = b[n+m:]
	}
	if row.Context == nil {
		row.Context = make(map[string]string)
	}
	row.Context[key] = value
	return true
}
