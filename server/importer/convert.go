package importer

import (
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func itemMessage(it dataset.Item) *kindredv1.Item {
	m := &kindredv1.Item{
		Id: it.ID, Title: it.Title, Description: it.Description,
		Categories: it.Categories, Tags: it.Tags,
		Brand: it.Brand, Seller: it.Seller, Language: it.Language,
		Stock:         it.Stock,
		AvailableFrom: timeMessage(it.AvailableFrom), AvailableUntil: timeMessage(it.AvailableUntil),
		CreateTime: timeMessage(it.Created), SourceTime: timeMessage(it.SourceTime),
		Hidden: it.Hidden, Url: it.URL, ImageUrl: it.ImageURL, VariantGroup: it.Group,
	}
	if it.Price.Has {
		m.Price = &kindredv1.Money{CurrencyCode: it.Price.Currency, Units: it.Price.Units, Nanos: it.Price.Nanos}
	}
	if len(it.Attributes) > 0 {
		m.Attributes = make(map[string]*kindredv1.Value, len(it.Attributes))
		for name, v := range it.Attributes {
			m.Attributes[name] = valueMessage(v)
		}
	}
	return m
}

func valueMessage(v dataset.Value) *kindredv1.Value {
	switch v.Kind {
	case dataset.KindString:
		return &kindredv1.Value{Kind: &kindredv1.Value_StringValue{StringValue: v.Text}}
	case dataset.KindNumber:
		return &kindredv1.Value{Kind: &kindredv1.Value_NumberValue{NumberValue: v.Number}}
	case dataset.KindBool:
		return &kindredv1.Value{Kind: &kindredv1.Value_BoolValue{BoolValue: v.Bool}}
	case dataset.KindTime:
		return &kindredv1.Value{Kind: &kindredv1.Value_TimeValue{TimeValue: timestamppb.New(v.Time)}}
	case dataset.KindStrings:
		return &kindredv1.Value{Kind: &kindredv1.Value_StringList{StringList: &kindredv1.StringList{Values: v.Strings}}}
	case dataset.KindNumbers:
		return &kindredv1.Value{Kind: &kindredv1.Value_NumberList{NumberList: &kindredv1.NumberList{Values: v.Numbers}}}
	}
	return &kindredv1.Value{} // the service names it as a value without a kind
}

// EventMessage is an event of a log as the wire has it.
func EventMessage(e dataset.Event) *kindredv1.Event {
	m := &kindredv1.Event{
		Id: e.ID, UserId: e.User, SessionId: e.Session, ItemId: e.Item,
		Text: e.Text, Time: timeMessage(e.Time), SyntheticTime: e.Synthetic,
		Surface: e.Surface, RecommendationId: e.RecommendationID, Position: position(e.Position),
		Context: e.Context,
	}
	if builtin, ok := builtinTypes[e.Type]; ok {
		m.Type = builtin
	} else {
		m.CustomType = e.Type
	}
	if e.HasValue {
		m.Value = proto.Float64(e.Value)
	}
	return m
}

// builtinTypes are the event types of the wire contract by the names that files use: "add_to_cart".
var builtinTypes = func() map[string]kindredv1.EventType {
	types := make(map[string]kindredv1.EventType, len(kindredv1.EventType_name))
	for number, name := range kindredv1.EventType_name {
		if number != int32(kindredv1.EventType_EVENT_TYPE_UNSPECIFIED) {
			types[strings.ToLower(strings.TrimPrefix(name, "EVENT_TYPE_"))] = kindredv1.EventType(number)
		}
	}
	return types
}()

// position keeps a slot that is out of all bounds out of bounds, for the service to refuse, instead of wrapping it around.
func position(slot int) int32 {
	return int32(max(math.MinInt32, min(slot, math.MaxInt32)))
}

func timeMessage(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
