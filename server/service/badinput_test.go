package service_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/importer"
	"github.com/kindred-rec/kindred/server/service"
)

func TestBadRowIsNamedAndTheGoodRowsLand(t *testing.T) {
	s := start(t)
	cases := []struct {
		why   string
		edit  func(*kindredv1.Item)
		field string
	}{
		{"missing id", func(i *kindredv1.Item) { i.Id = "" }, "items[1].id"},
		{"over-long id", func(i *kindredv1.Item) { i.Id = strings.Repeat("x", 129) }, "items[1].id"},
		{"over-long text", func(i *kindredv1.Item) { i.Title = strings.Repeat("x", 1025) }, "items[1].title"},
		{"negative stock", func(i *kindredv1.Item) { i.Stock = proto.Int64(-1) }, "items[1].stock"},
		{"NaN in a vector", func(i *kindredv1.Item) { i.Vector = []float32{float32(math.NaN())} }, "items[1].vector[0]"},
		{"infinite number", func(i *kindredv1.Item) {
			i.Attributes = map[string]*kindredv1.Value{"w": {Kind: &kindredv1.Value_NumberValue{NumberValue: math.Inf(1)}}}
		}, `items[1].attributes["w"]`},
		{"vector of another dimension", func(i *kindredv1.Item) { i.Vector = []float32{1, 2, 3} }, "items[1].vector"},
		{"another currency", func(i *kindredv1.Item) { i.Price.CurrencyCode = "USD" }, "items[1].price.currency_code"},
		{"attribute of another type", func(i *kindredv1.Item) {
			i.Attributes = map[string]*kindredv1.Value{"size": {Kind: &kindredv1.Value_BoolValue{BoolValue: true}}}
		}, `items[1].attributes["size"]`},
		{"no time of the calendar", func(i *kindredv1.Item) {
			i.CreateTime = &timestamppb.Timestamp{Seconds: math.MaxInt64}
		}, "items[1].create_time"},
		{"no time of the calendar in an attribute", func(i *kindredv1.Item) {
			i.Attributes = map[string]*kindredv1.Value{"t": {Kind: &kindredv1.Value_TimeValue{TimeValue: &timestamppb.Timestamp{Nanos: -1}}}}
		}, `items[1].attributes["t"]`},
	}
	for i, c := range cases {
		before, after, bad := item(fmt.Sprint("before-", i), "Pen", "A"), item(fmt.Sprint("after-", i), "Pen", "A"), item("bad", "Pen", "A")
		before.Attributes = map[string]*kindredv1.Value{"size": {Kind: &kindredv1.Value_StringValue{StringValue: "S"}}}
		c.edit(bad)
		reply, err := s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{before, bad, after}})
		if err != nil {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		if len(reply.Errors) != 1 || reply.Errors[0].Field != c.field || reply.Errors[0].Row != 1 || reply.Errors[0].Description == "" ||
			reply.Errors[0].Code != kindredv1.RowErrorCode_ROW_ERROR_CODE_INVALID || reply.Counts.Added != 2 || reply.Counts.Rejected != 1 {
			t.Errorf("%s: got %v %v, want one error at %s and two rows added", c.why, reply.Errors, reply.Counts, c.field)
		}
		if _, err := s.GetItem(ctx(t), &kindredv1.GetItemRequest{Id: fmt.Sprint("after-", i)}); err != nil {
			t.Errorf("%s: the good row is gone: %v", c.why, err)
		}
		_, err = s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{bad}})
		refused(t, err, strings.Replace(c.field, "[1]", "[0]", 1))
	}
}

func TestBadEventIsNamedAndTheGoodEventsLand(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	cases := []struct {
		why   string
		edit  func(*kindredv1.Event)
		field string
	}{
		{"nobody", func(e *kindredv1.Event) { e.UserId = "" }, "events[1].user_id"},
		{"no type", func(e *kindredv1.Event) { e.Type = 0 }, "events[1].type"},
		{"type of another version", func(e *kindredv1.Event) { e.Type = 99 }, "events[1].type"},
		{"type not declared", func(e *kindredv1.Event) { e.Type, e.CustomType = 0, "wish" }, "events[1].custom_type"},
		{"both types", func(e *kindredv1.Event) { e.CustomType = "view" }, "events[1].custom_type"},
		{"no item", func(e *kindredv1.Event) { e.ItemId = "" }, "events[1].item_id"},
		{"NaN value", func(e *kindredv1.Event) { e.Value = proto.Float64(math.NaN()) }, "events[1].value"},
		{"infinite value", func(e *kindredv1.Event) { e.Value = proto.Float64(math.Inf(-1)) }, "events[1].value"},
		{"rating without a value", func(e *kindredv1.Event) { e.Type = kindredv1.EventType_EVENT_TYPE_RATING }, "events[1].value"},
		{"far in the future", func(e *kindredv1.Event) { e.Time = timestamppb.New(time.Now().Add(2 * time.Hour)) }, "events[1].time"},
		{"no time of the calendar", func(e *kindredv1.Event) { e.Time = &timestamppb.Timestamp{Seconds: math.MaxInt64} }, "events[1].time"},
		{"over-long text", func(e *kindredv1.Event) { e.Text = strings.Repeat("x", 8193) }, "events[1].text"},
	}
	for i, c := range cases {
		bad := view(fmt.Sprint("bad-", i), "u", "pen-1")
		c.edit(bad)
		good := []*kindredv1.Event{view(fmt.Sprint("a-", i), "u", "pen-1"), view(fmt.Sprint("b-", i), "u", "pen-2")}
		reply, err := s.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{good[0], bad, good[1]}})
		if err != nil {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		if len(reply.Errors) != 1 || reply.Errors[0].Field != c.field || reply.Errors[0].Row != 1 || reply.Added != 2 {
			t.Errorf("%s: got %v, %d added, want one error at %s", c.why, reply.Errors, reply.Added, c.field)
		}
		_, err = s.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{bad}})
		refused(t, err, strings.Replace(c.field, "[1]", "[0]", 1))
	}
	if n := len(s.exported()); n != 2*len(cases) {
		t.Errorf("%d events in the log, want %d", n, 2*len(cases))
	}
	old := view("old", "u", "pen-1")
	old.Time = timestamppb.New(time.Now().AddDate(-3, 0, 0))
	reply, err := s.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{old}})
	if err != nil || len(reply.Errors) != 1 || reply.Errors[0].Code != kindredv1.RowErrorCode_ROW_ERROR_CODE_EXPIRED {
		t.Errorf("an event older than the retention: %v %v", reply, err)
	}
}

// rawCodec sends bytes as they are, as a client in another language may.
type rawCodec struct{ encoding.Codec }

func (rawCodec) Name() string                    { return "proto" }
func (rawCodec) Marshal(v any) ([]byte, error)   { return v.([]byte), nil }
func (rawCodec) Unmarshal(b []byte, v any) error { *v.(*[]byte) = bytes.Clone(b); return nil }

func TestTextThatIsNotUTF8IsRefusedByFieldName(t *testing.T) {
	s := start(t)
	send := func(method string, message proto.Message) error {
		raw, err := proto.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		var reply []byte
		return s.conn.Invoke(ctx(t), method, bytes.ReplaceAll(raw, []byte("BAD!"), []byte("caf\xe9")), &reply, grpc.ForceCodec(rawCodec{}))
	}
	good, bad := item("a", "Pen", "A"), item("b", "BAD!", "A")
	err := send(kindredv1.CatalogService_UpsertItems_FullMethodName, &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{good, bad}})
	refused(t, err, "items[1].title")
	bad.Title, bad.Tags = "Pen", []string{"x", "BAD!"}
	err = send(kindredv1.CatalogService_UpsertItems_FullMethodName, &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{good, bad}})
	contains(t, refused(t, err, "items[1].tags[1]"), "UTF-8")
	bad.Tags, bad.Attributes = nil, map[string]*kindredv1.Value{"k": {Kind: &kindredv1.Value_StringValue{StringValue: "BAD!"}}}
	err = send(kindredv1.CatalogService_UpsertItems_FullMethodName, &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{bad}})
	refused(t, err, `items[0].attributes["k"].string_value`)
	err = send(kindredv1.RecommendationService_Recommend_FullMethodName, &kindredv1.RecommendRequest{Subject: user("BAD!")})
	refused(t, err, "subject.user_id")
	var reply []byte
	garbage := protowire.AppendTag(nil, 1, protowire.BytesType)
	err = s.conn.Invoke(ctx(t), kindredv1.CatalogService_UpsertItems_FullMethodName, append(garbage, 200), &reply, grpc.ForceCodec(rawCodec{}))
	code(t, err, codes.InvalidArgument)

	desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	stream, err := s.conn.NewStream(ctx(t), desc, kindredv1.EventService_StreamEvents_FullMethodName, grpc.ForceCodec(rawCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := proto.Marshal(&kindredv1.StreamEventsRequest{Events: []*kindredv1.Event{view("1", "BAD!", "a")}})
	if err := stream.SendMsg(bytes.ReplaceAll(raw, []byte("BAD!"), []byte("caf\xe9"))); err != nil {
		t.Fatal(err)
	}
	refused(t, stream.RecvMsg(&reply), "events[0].user_id")
}

func TestBatchOverTheLimitAndEmptyBatchWriteNothing(t *testing.T) {
	s := start(t)
	items := make([]*kindredv1.Item, 1001)
	events := make([]*kindredv1.Event, 1001)
	gone := make([]string, 1001)
	patches := make([]*kindredv1.ItemPatch, 1001)
	for i := range items {
		items[i], events[i] = item(fmt.Sprint(i), "Pen", "A"), view(fmt.Sprint(i), "u", fmt.Sprint(i))
		gone[i], patches[i] = fmt.Sprint(i), &kindredv1.ItemPatch{Id: fmt.Sprint(i)}
	}
	_, err := s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: items})
	contains(t, refused(t, err, "items"), "1001")
	_, err = s.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: events})
	contains(t, refused(t, err, "events"), "1001")
	_, err = s.DeleteItems(ctx(t), &kindredv1.DeleteItemsRequest{Ids: gone})
	refused(t, err, "ids")
	_, err = s.PatchItems(ctx(t), &kindredv1.PatchItemsRequest{Patches: patches})
	refused(t, err, "patches")
	_, err = s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{})
	refused(t, err, "items")
	_, err = s.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{})
	refused(t, err, "events")
	list := must(s.ListItems(ctx(t), &kindredv1.ListItemsRequest{}))
	if len(list.Items) > 0 || len(s.exported()) > 0 {
		t.Error("a refused batch left something behind")
	}
	if _, err := s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: items[:1000]}); err != nil {
		t.Errorf("a batch of the limit: %v", err)
	}
}

func TestDuplicateEventCountsOnceAndOtherContentIsRefused(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	first := view("e1", "u", "pen-1")
	s.write(first)
	again := s.write(first)
	if again.Added != 0 || again.Duplicates != 1 {
		t.Errorf("a true duplicate: %v", again)
	}
	other := view("e1", "u", "pen-2")
	reply := must(s.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{other}}))
	if len(reply.Errors) != 1 || reply.Errors[0].Code != kindredv1.RowErrorCode_ROW_ERROR_CODE_ALREADY_EXISTS || reply.Errors[0].Id != "e1" {
		t.Errorf("the same id with other content: %v", reply)
	}
	if log := s.exported(); len(log) != 1 || log[0].ItemId != "pen-1" {
		t.Errorf("the first does not stand: %v", log)
	}
}

func TestEventWithoutATimeSentTwiceIsADuplicate(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	e := view("e1", "u", "pen-1")
	e.Time = nil
	s.write(e)
	time.Sleep(2 * time.Millisecond)
	reply := must(s.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{e}}))
	if reply.Duplicates != 1 || len(reply.Errors) > 0 {
		t.Errorf("the retry of an event that the service stamped: %v", reply)
	}
}

func TestEventOfAnUnknownItemCountsWhenTheItemArrives(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	reply := s.write(view("1", "u", "later"), view("2", "v", "later"), view("3", "w", "later"), view("4", "w", "pen-1"))
	if reply.Added != 4 || reply.Unjoined != 3 {
		t.Fatalf("got %v, want 4 added, 3 unjoined", reply)
	}
	_, err := s.GetItem(ctx(t), &kindredv1.GetItemRequest{Id: "later"})
	code(t, err, codes.NotFound)
	if list := s.recommend(&kindredv1.RecommendRequest{MinWriteToken: reply.WriteToken}); has(list.Items, "later") {
		t.Error("an item that is not in the catalog is recommended")
	}
	s.upsert(item("later", "Stapler", "Office > Desk"))
	list := s.recommend(&kindredv1.RecommendRequest{})
	if list.Items[0].ItemId != "later" {
		t.Errorf("most popular is %s: the events before the item arrived do not count", list.Items[0].ItemId)
	}
}

func TestUnknownItemsAreNamedNotFailed(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	token := s.write(view("1", "u", "pen-1"), view("2", "u", "mentioned")).WriteToken
	s.applied(token)
	for _, id := range []string{"nowhere", "mentioned"} {
		similar := must(s.SimilarItems(ctx(t), &kindredv1.SimilarItemsRequest{ItemId: id}))
		if similar.Tier != kindredv1.Tier_TIER_POPULAR || len(similar.Items) == 0 {
			t.Errorf("SimilarItems of %s: %v with %d items", id, similar.Tier, len(similar.Items))
		}
		contains(t, similar.TierReason, id)
		list := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), ContextItemIds: []string{"pen-2", id}})
		contains(t, list.TierReason, id)
		why := must(s.Explain(ctx(t), &kindredv1.ExplainRequest{
			Request: &kindredv1.RecommendRequest{ContextItemIds: []string{id}}, ItemIds: []string{id},
		}))
		contains(t, why.TierReason, id)
		if why.Explanations[0].Verdict != kindredv1.Verdict_VERDICT_UNKNOWN {
			t.Errorf("Explain of %s: %v", id, why.Explanations[0])
		}
		_, err := s.GetItem(ctx(t), &kindredv1.GetItemRequest{Id: id})
		code(t, err, codes.NotFound)
	}
	list := s.recommend(&kindredv1.RecommendRequest{Subject: user("stranger")})
	if list.Tier != kindredv1.Tier_TIER_POPULAR || len(list.Items) != 10 {
		t.Errorf("an unknown user: %v, %d items", list.Tier, len(list.Items))
	}
	_, err := s.profiles.GetProfile(ctx(t), &kindredv1.GetProfileRequest{Subject: user("stranger")})
	code(t, err, codes.NotFound)
	reply := must(s.DeleteItems(ctx(t), &kindredv1.DeleteItemsRequest{Ids: []string{"nowhere", "pen-6"}}))
	if reply.Counts.Removed != 1 || len(reply.Errors) != 1 || reply.Errors[0].Code != kindredv1.RowErrorCode_ROW_ERROR_CODE_NOT_FOUND {
		t.Errorf("deleting an unknown item: %v", reply)
	}
	_, err = s.DeleteItems(ctx(t), &kindredv1.DeleteItemsRequest{Ids: []string{"", strings.Repeat("x", 129)}})
	refused(t, err, "ids[0]")
}

func TestUnknownUserOnAnEmptyCatalogGetsAnEmptyListWithItsTier(t *testing.T) {
	s := start(t)
	list := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Paginate: true})
	if len(list.Items) != 0 || list.Tier != kindredv1.Tier_TIER_POPULAR || list.TierReason == "" || list.RecommendationId == "" {
		t.Errorf("got %v", list)
	}
	if got := must(s.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{Query: "pen"})); len(got.Items) != 0 || got.Method == "" {
		t.Errorf("search: %v", got)
	}
	if got := must(s.SimilarItems(ctx(t), &kindredv1.SimilarItemsRequest{ItemId: "a"})); len(got.Items) != 0 {
		t.Errorf("similar: %v", got)
	}
	got := must(s.RankItems(ctx(t), &kindredv1.RankItemsRequest{ItemIds: []string{"a"}}))
	if len(got.Items) != 0 || len(got.LeftOut) != 1 || got.LeftOut[0].Verdict != kindredv1.Verdict_VERDICT_UNKNOWN {
		t.Errorf("rank: %v", got)
	}
}

func TestLimitsAndMalformedRequestsNameTheirField(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	if n := len(s.recommend(&kindredv1.RecommendRequest{Limit: 0}).Items); n != 10 {
		t.Errorf("limit 0 gives %d items, want the default of 10", n)
	}
	many := make([]string, 10_001)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	cases := []struct {
		why   string
		req   *kindredv1.RecommendRequest
		field string
	}{
		{"limit 10,001", &kindredv1.RecommendRequest{Limit: 10_001}, "limit"},
		{"limit below 0", &kindredv1.RecommendRequest{Limit: -1}, "limit"},
		{"over-long user", &kindredv1.RecommendRequest{Subject: user(strings.Repeat("x", 129))}, "subject.user_id"},
		{"over-long surface", &kindredv1.RecommendRequest{Surface: strings.Repeat("x", 64)}, "surface"},
		{"NaN diversity", &kindredv1.RecommendRequest{Diversity: proto.Float64(math.NaN())}, "diversity"},
		{"seen policy of another version", &kindredv1.RecommendRequest{SeenPolicy: 9}, "seen_policy"},
		{"empty context id", &kindredv1.RecommendRequest{ContextItemIds: []string{"pen-1", ""}}, "context_item_ids[1]"},
		{"too many excluded", &kindredv1.RecommendRequest{ExcludeItemIds: many[:1001]}, "exclude_item_ids"},
		{"rows beside a limit", &kindredv1.RecommendRequest{Limit: 3, Rows: []*kindredv1.RowRequest{{}}}, "rows"},
		{"too many rows", &kindredv1.RecommendRequest{Rows: make([]*kindredv1.RowRequest, 17)}, "rows"},
		{"too many items in rows", &kindredv1.RecommendRequest{Rows: []*kindredv1.RowRequest{{Limit: 900}, {Limit: 101}}}, "rows"},
		{"filter of a row", &kindredv1.RecommendRequest{Rows: []*kindredv1.RowRequest{{}, {Filter: "prise < 3.0"}}}, "rows[1].filter"},
		{"malformed token", &kindredv1.RecommendRequest{MinWriteToken: "xyz"}, "min_write_token"},
		{"malformed page token", &kindredv1.RecommendRequest{PageToken: "xyz"}, "page_token"},
		{"as_of outside the calendar", &kindredv1.RecommendRequest{AsOf: &timestamppb.Timestamp{Nanos: -1}}, "as_of"},
	}
	for _, c := range cases {
		_, err := s.Recommend(ctx(t), c.req)
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		refused(t, err, c.field)
	}
	_, err := s.RankItems(ctx(t), &kindredv1.RankItemsRequest{ItemIds: many})
	refused(t, err, "item_ids")
	_, err = s.RankItems(ctx(t), &kindredv1.RankItemsRequest{ItemIds: []string{"a", "a"}})
	refused(t, err, "item_ids")
	if _, err = s.RankItems(ctx(t), &kindredv1.RankItemsRequest{ItemIds: many[:10_000]}); err != nil {
		t.Errorf("a list of the limit: %v", err)
	}
	_, err = s.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{})
	refused(t, err, "query")
	_, err = s.PatchItems(ctx(t), &kindredv1.PatchItemsRequest{Patches: []*kindredv1.ItemPatch{
		{Id: "pen-1", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"title"}}},
	}})
	refused(t, err, "patches[0].update_mask")
}

func TestFilterFaultsNameTheirPosition(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	for filter, want := range map[string][]string{
		"price < 5.0 && colour == 'red'": {"colour", "column 16"},
		"price < 'cheap'":                {"column 9"},
		"price <":                        {"column 8"},
	} {
		_, err := s.Recommend(ctx(t), &kindredv1.RecommendRequest{Filter: filter})
		text := refused(t, err, "filter")
		for _, w := range want {
			contains(t, text, w)
		}
		_, err = s.ListItems(ctx(t), &kindredv1.ListItemsRequest{Filter: filter})
		refused(t, err, "filter")
	}
}

func TestPageTokenOfAnotherIsRefused(t *testing.T) {
	s := start(t, func(c *service.Config) { c.Store.ListTTL = time.Second })
	s.upsert(shelf()...)
	first := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Limit: 3, Paginate: true})
	if first.NextPageToken == "" {
		t.Fatal("no second page")
	}
	page := func(sub *kindredv1.Subject, token string) error {
		_, err := s.Recommend(ctx(t), &kindredv1.RecommendRequest{Subject: sub, PageToken: token})
		return err
	}
	refused(t, page(user("v"), first.NextPageToken), "page_token")
	refused(t, page(session("u"), first.NextPageToken), "page_token")
	refused(t, page(nil, first.NextPageToken), "page_token")
	for i := range first.NextPageToken {
		tampered := []byte(first.NextPageToken)
		tampered[i] ^= 1
		if err := page(user("u"), string(tampered)); status.Code(err) != codes.InvalidArgument {
			t.Fatalf("token changed at %d: %v", i, err)
		}
	}
	_, err := s.Recommend(ctx(t), &kindredv1.RecommendRequest{Subject: user("u"), PageToken: first.NextPageToken, Filter: "in_stock"})
	refused(t, err, "page_token")
	if err := page(user("u"), first.NextPageToken); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2100 * time.Millisecond)
	contains(t, refused(t, page(user("u"), first.NextPageToken), "page_token"), "expired")
}

func TestBrokenRowInTheMiddleOfACSVIsRejectedAndTheRestLands(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	file := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file("items.csv", "id,title,price,currency\na,Gel pen,2.50,EUR\nb,\"unbalanced,3.00,EUR\nc,Ruler,x,EUR\nd,Eraser,1.00,EUR\n")
	file("events.csv", "user_id,item_id,type,timestamp\nu,a,view,1700000000\nu,d,view,soon\nv,d,view,1700000100\n")
	options := importer.Options{Format: dataset.CSV, Data: dir, Addr: s.service.Addr()}
	sum, err := importer.Run(ctx(t), options, nil)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Rejected() == 0 {
		t.Error("no row was rejected")
	}
	if _, err := s.GetItem(ctx(t), &kindredv1.GetItemRequest{Id: "a"}); err != nil {
		t.Errorf("the row before the broken one: %v", err)
	}
	events := len(s.exported())
	if events == 0 {
		t.Error("no good event landed")
	}
	if _, err = importer.Run(ctx(t), options, nil); err != nil {
		t.Fatal(err)
	}
	if again := len(s.exported()); again != events {
		t.Errorf("a second import makes %d events of %d", again, events)
	}
}

func TestItemDeletedWhileItIsRecommended(t *testing.T) {
	s := start(t)
	items := shelf()
	s.upsert(items...)
	s.applied(s.write(view("1", "u", "pen-1"), view("2", "u", "pen-3"), view("3", "v", "pen-1"), view("4", "v", "pen-2")).WriteToken)
	stop := make(chan struct{})
	var asking sync.WaitGroup
	for w := range 3 {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				list, err := s.Recommend(ctx(t), &kindredv1.RecommendRequest{Subject: user("u"), IncludeItems: w%2 == 0, Explain: true, Paginate: w == 1})
				if err != nil {
					t.Errorf("recommend: %v", err)
					return
				}
				for _, it := range list.Items {
					if it.ItemId == "" || w%2 == 0 && it.Item == nil {
						t.Errorf("a reply with a broken item: %v", it)
					}
				}
				if _, err := s.SimilarItems(ctx(t), &kindredv1.SimilarItemsRequest{ItemId: "pen-2"}); err != nil {
					t.Errorf("similar: %v", err)
				}
				if _, err := s.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{Query: "pen", IncludeItems: true}); err != nil {
					t.Errorf("search: %v", err)
				}
			}
		})
	}
	for range 15 {
		reply := must(s.DeleteItems(ctx(t), &kindredv1.DeleteItemsRequest{Ids: []string{"pen-2", "pen-4", "garden-1"}}))
		if reply.Counts.Removed != 3 {
			t.Errorf("delete: %v", reply)
		}
		if list := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Limit: 50}); has(list.Items, "pen-2") || len(list.Items) != 9 {
			t.Errorf("after the delete was answered: %v", ids(list.Items))
		}
		s.upsert(items[1], items[3], items[6])
	}
	close(stop)
	asking.Wait()
}
