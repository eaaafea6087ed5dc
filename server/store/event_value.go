package store

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// Field numbers of storepb.Event that the committer appends.
const (
	eventOwner    = 12
	eventSession  = 13
	eventItem     = 14
	eventReceived = 15
)

// eventTail is the most that appendEventTail adds: three fixed64 and a fixed32
// with tags of one byte each.
const eventTail = 3*9 + 5

// eventSize bounds the bytes of an event's value without its tail.
func eventSize(e *record.Event) int {
	n := headerLen + 96 + len(e.ID) + len(e.Item) + len(e.Type) + len(e.Text) + len(e.RecommendationID) + len(e.Surface)
	for k, v := range e.Context {
		n += len(k) + len(v) + 16
	}
	return n
}

// appendEvent appends the value of an event but for what only the committer
// knows. It runs in the caller, so that many writers share the work. m is
// scratch.
func appendEvent(b []byte, m *storepb.Event, e *record.Event) ([]byte, error) {
	m.Id, m.Type, m.TimeNs, m.Synthetic = e.ID, e.Type, e.Time.UnixNano(), e.Synthetic
	m.Value = nil
	if e.HasValue {
		m.Value = &e.Value
	}
	m.Text, m.RecommendationId, m.Position, m.Surface = e.Text, e.RecommendationID, e.Position, e.Surface
	m.ItemId, m.Context, m.UserGiven = e.Item, e.Context, e.User != ""
	m.Stamped = e.Stamped
	return proto.MarshalOptions{}.MarshalAppend(append(b, format, valueEvent), m)
}

// appendEventTail completes an event's value: protobuf takes fields in any order.
func appendEventTail(b []byte, owner, session uint64, item uint32, received int64) []byte {
	b = protowire.AppendFixed64(protowire.AppendTag(b, eventOwner, protowire.Fixed64Type), owner)
	if session != 0 {
		b = protowire.AppendFixed64(protowire.AppendTag(b, eventSession, protowire.Fixed64Type), session)
	}
	if item != record.NoItem {
		b = protowire.AppendFixed32(protowire.AppendTag(b, eventItem, protowire.Fixed32Type), item+1)
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, eventReceived, protowire.Fixed64Type), uint64(received))
}

// eventContent hashes everything that a caller says in an event. Two sends of
// one id with equal hashes are one event. Received is not among the fields, nor is
// a time that the service gave: they differ between an event and its repetition.
func eventContent(scratch []byte, e *record.Event) (uint64, []byte) {
	b := scratch[:0]
	for _, s := range [...]string{e.ID, e.User, e.Session, e.Item, e.Type, e.Text, e.RecommendationID, e.Surface} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	b = binary.AppendVarint(b, int64(e.Position))
	flags := byte(0)
	if e.Synthetic {
		flags |= 1
	}
	if e.HasValue {
		flags |= 2
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(e.Value))
	}
	if e.Stamped {
		flags |= 4
	} else {
		b = binary.LittleEndian.AppendUint64(b, uint64(e.Time.UnixNano()))
	}
	b = append(b, flags)
	if len(e.Context) > 0 {
		names := make([]string, 0, len(e.Context))
		for k := range e.Context {
			names = append(names, k)
		}
		slices.Sort(names)
		for _, k := range names {
			b = append(binary.AppendUvarint(b, uint64(len(k))), k...)
			b = append(binary.AppendUvarint(b, uint64(len(e.Context[k]))), e.Context[k]...)
		}
	}
	return xxhash.Sum64(b), b
}

// earliest and latest bound what UnixNano can express, with room for a retention.
var (
	earliest = time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2150, 1, 1, 0, 0, 0, 0, time.UTC)
)
