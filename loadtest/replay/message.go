package replay

import (
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// builtinTypes are the event types of the wire by the names that files use.
var builtinTypes = func() map[string]kindredv1.EventType {
	types := map[string]kindredv1.EventType{}
	for number, name := range kindredv1.EventType_name {
		if number != 0 {
			types[strings.ToLower(strings.TrimPrefix(name, "EVENT_TYPE_"))] = kindredv1.EventType(number)
		}
	}
	return types
}()

// eventMessage is an event as the wire has it. shownBy names the reply that showed its item, in the slot rank; empty: none
// did. Where the log itself names a reply, that stands.
func eventMessage(e dataset.Event, surface, shownBy string, rank int) *kindredv1.Event {
	m := &kindredv1.Event{
		Id: e.ID, UserId: e.User, SessionId: e.Session, ItemId: e.Item, Text: e.Text, SyntheticTime: e.Synthetic,
		Surface: surface, RecommendationId: shownBy, Position: int32(rank),
	}
	if e.Surface != "" {
		m.Surface = e.Surface
	}
	if e.RecommendationID != "" {
		m.RecommendationId, m.Position = e.RecommendationID, int32(e.Position)
	}
	if !e.Time.IsZero() {
		m.Time = timestamppb.New(e.Time)
	}
	if builtin, ok := builtinTypes[e.Type]; ok {
		m.Type = builtin
	} else {
		m.CustomType = e.Type
	}
	if e.HasValue {
		m.Value = &e.Value
	}
	return m
}
