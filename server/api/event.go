package api

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
)

// typeName returns the domain name of a built-in type: "add_to_cart" for
// EVENT_TYPE_ADD_TO_CART; "" for unset and unknown ones.
func typeName(t kindredv1.EventType) string {
	name, ok := kindredv1.EventType_name[int32(t)]
	if !ok || t == kindredv1.EventType_EVENT_TYPE_UNSPECIFIED {
		return ""
	}
	return strings.ToLower(strings.TrimPrefix(name, "EVENT_TYPE_"))
}

// domainTypes and wireTypes are typeName both ways, so that no name is built on the
// path of an event.
var domainTypes, wireTypes = typeNames()

func typeNames() (domain map[kindredv1.EventType]string, wire map[string]kindredv1.EventType) {
	domain, wire = map[kindredv1.EventType]string{}, map[string]kindredv1.EventType{}
	for n := range kindredv1.EventType_name {
		t := kindredv1.EventType(n)
		if name := typeName(t); name != "" {
			domain[t], wire[name] = name, t
		}
	}
	return domain, wire
}

// newEventID makes an id for an event that came without one.
func newEventID() string {
	var raw [16]byte
	rand.Read(raw[:])
	return "auto-" + hex.EncodeToString(raw[:])
}

// eventFromWire converts and checks one event.
func eventFromWire(w *kindredv1.Event, now time.Time) (*record.Event, []record.Violation) {
	if w == nil {
		return nil, []record.Violation{{Field: "id", Description: "the row is empty: give an event"}}
	}
	e := &record.Event{
		ID: w.Id, User: w.UserId, Session: w.SessionId, Item: w.ItemId, Type: w.CustomType,
		Value: w.GetValue(), HasValue: w.Value != nil, Text: w.Text, Time: now, Stamped: true, Synthetic: w.SyntheticTime,
		RecommendationID: w.RecommendationId, Position: w.Position, Surface: w.Surface, Context: w.Context,
	}
	var faults []record.Violation
	if w.Type != kindredv1.EventType_EVENT_TYPE_UNSPECIFIED {
		if w.CustomType != "" {
			faults = append(faults, record.Violation{Field: "custom_type", Description: "is set beside type: set one of them"})
		}
		e.Type = domainTypes[w.Type]
		if e.Type == "" {
			faults = append(faults, record.Violation{Field: "type", Description: fmt.Sprintf("%d is no event type of this version", w.Type)})
			e.Type = record.TypeView // the fault is named already
		}
	}
	if w.Time != nil {
		if w.Time.CheckValid() != nil {
			return e, append(faults, badTimes(map[string]*timestamppb.Timestamp{"time": w.Time})...)
		}
		e.Time, e.Stamped = w.Time.AsTime(), false
	}
	if e.ID == "" {
		e.ID = newEventID()
	}
	return e, append(faults, e.Validate(now)...)
}

func eventToWire(e *record.Event) *kindredv1.Event {
	w := &kindredv1.Event{
		Id: e.ID, UserId: e.User, SessionId: e.Session, ItemId: e.Item, Type: wireTypes[e.Type],
		Text: e.Text, Time: timestamppb.New(e.Time), RecommendationId: e.RecommendationID,
		Position: e.Position, Surface: e.Surface, Context: e.Context, SyntheticTime: e.Synthetic,
	}
	if w.Type == kindredv1.EventType_EVENT_TYPE_UNSPECIFIED {
		w.CustomType = e.Type
	}
	if e.HasValue {
		v := e.Value
		w.Value = &v
	}
	return w
}
