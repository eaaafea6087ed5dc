package api

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// fullItem has a value in every field, which wholeness checks.
func fullItem() *kindredv1.Item {
	at := timestamppb.New(time.Date(2026, 3, 1, 10, 0, 0, 5000, time.UTC))
	return &kindredv1.Item{
		Id: "a", Title: "Gel pen", Description: "Writes.", Categories: []string{"Office > Pens"}, Tags: []string{"ink"}, Brand: "Graf",
		Seller: "Shop", Language: "en", Price: &kindredv1.Money{CurrencyCode: "EUR", Units: 2, Nanos: 500_000_000}, Stock: proto.Int64(0),
		AvailableFrom: at, AvailableUntil: timestamppb.New(at.AsTime().Add(time.Hour)), Hidden: true, Url: "u", ImageUrl: "i",
		CreateTime: at, SourceTime: at, VariantGroup: "g", Vector: []float32{1, 2},
		Attributes: map[string]*kindredv1.Value{
			"s":  {Kind: &kindredv1.Value_StringValue{StringValue: "x"}},
			"n":  {Kind: &kindredv1.Value_NumberValue{NumberValue: 1.5}},
			"b":  {Kind: &kindredv1.Value_BoolValue{BoolValue: true}},
			"t":  {Kind: &kindredv1.Value_TimeValue{TimeValue: at}},
			"sl": {Kind: &kindredv1.Value_StringList{StringList: &kindredv1.StringList{Values: []string{"x", "y"}}}},
			"nl": {Kind: &kindredv1.Value_NumberList{NumberList: &kindredv1.NumberList{Values: []float64{1, 2}}}},
			"bl": {Kind: &kindredv1.Value_BoolList{BoolList: &kindredv1.BoolList{Values: []bool{true, false}}}},
			"tl": {Kind: &kindredv1.Value_TimeList{TimeList: &kindredv1.TimeList{Values: []*timestamppb.Timestamp{at}}}},
		},
	}
}

// whole fails for a message with a field that is not set: a field that is new to the
// contract must join these tests.
func whole(t *testing.T, m proto.Message, except ...protoreflect.Name) {
	t.Helper()
	fields := m.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		skip := false
		for _, name := range except {
			skip = skip || f.Name() == name
		}
		if !skip && !m.ProtoReflect().Has(f) {
			t.Errorf("%s.%s is not set in this test", m.ProtoReflect().Descriptor().Name(), f.Name())
		}
	}
}

func TestItemsEventsAndTenantsComeBackAsTheyWent(t *testing.T) {
	w := fullItem()
	whole(t, w)
	it, faults := itemFromWire(w)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if back := itemToWire(it); !proto.Equal(back, w) {
		t.Errorf("item came back as %v", back)
	}
	if kinds := (&kindredv1.Value{}).ProtoReflect().Descriptor().Fields().Len(); kinds != len(w.Attributes) {
		t.Errorf("%d kinds of values in the contract, %d in this test", kinds, len(w.Attributes))
	}
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	e := &kindredv1.Event{
		Id: "e", UserId: "u", SessionId: "s", ItemId: "a", Type: kindredv1.EventType_EVENT_TYPE_RATING, Value: proto.Float64(0),
		Text: "good", Time: timestamppb.New(now), RecommendationId: "r", Position: 3, Surface: "home",
		Context: map[string]string{"k": "v"}, SyntheticTime: true,
	}
	whole(t, e, "custom_type")
	stored, faults := eventFromWire(e, now)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if back := eventToWire(stored); !proto.Equal(back, e) {
		t.Errorf("event came back as %v", back)
	}
	e.Type, e.CustomType = 0, "wish"
	if stored, _ = eventFromWire(e, now); !proto.Equal(eventToWire(stored), e) {
		t.Errorf("event of a declared type came back as %v", eventToWire(stored))
	}
	tenant := &kindredv1.Tenant{
		Name: "shop", CurrencyCode: "EUR", Clock: kindredv1.Clock_CLOCK_LOG, Retention: durationpb.New(48 * time.Hour), RemovalShare: 0.5,
		Kept: &kindredv1.KeptSettings{
			Decisions: durationpb.New(time.Hour), PageLists: durationpb.New(2 * time.Minute), UnusedVectors: durationpb.New(3 * time.Hour),
			Audit: durationpb.New(31 * 24 * time.Hour), CatalogBefore: durationpb.New(5 * time.Hour),
		},
		EventTypes: []*kindredv1.EventTypeSettings{{Name: "wish", Weight: 2, NeedsItem: true}},
		Surfaces:   []*kindredv1.SurfaceSettings{{Name: "home", Limit: 3, SeenPolicy: "keep", Diversity: 0.5, Filter: "in_stock"}},
		Attributes: []*kindredv1.AttributeDeclaration{{Name: "size", Kind: kindredv1.AttributeKind_ATTRIBUTE_KIND_TIME, List: true}},
	}
	whole(t, tenant, "create_time")
	domain, faults := tenantFromWire(tenant)
	if faults = append(faults, domain.Validate()...); len(faults) > 0 {
		t.Fatal(faults)
	}
	if back := tenantToWire(&domain); !proto.Equal(back, tenant) {
		t.Errorf("tenant came back as %v", back)
	}
}
