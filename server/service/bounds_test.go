package service_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/service"
)

func TestLoweredLimitsRefuseByNameAndValue(t *testing.T) {
	s := start(t, func(c *service.Config) {
		c.Bounds = api.Bounds{Rows: 3, List: 4, Candidates: 2, Context: 1, Exclude: 2, Page: 5, SearchText: 8, Attributes: 1, Elements: 2, String: 6, Description: 20, Comment: 10}
	})
	shelf := shelf()
	for at := 0; at < len(shelf); at += 3 {
		s.upsert(shelf[at:min(at+3, len(shelf))]...)
	}
	ids := []string{"pen-1", "pen-2", "pen-3"}
	for want, call := range map[string]func() error{
		"items: has 4 rows, at most 3 are taken (max-rows)": func() error {
			_, err := s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: shelf[:4]})
			return err
		},
		"ids: has 4 rows, at most 3 are taken (max-rows)": func() error {
			_, err := s.DeleteItems(ctx(t), &kindredv1.DeleteItemsRequest{Ids: []string{"a", "b", "c", "d"}})
			return err
		},
		"limit: is 5: give 1 to 4 (max-list)": func() error {
			_, err := s.Recommend(ctx(t), &kindredv1.RecommendRequest{Limit: 5})
			return err
		},
		"rows: ask for 6 items in all, at most 4 (max-list) are returned": func() error {
			_, err := s.Recommend(ctx(t), &kindredv1.RecommendRequest{Rows: []*kindredv1.RowRequest{{Limit: 3}, {Limit: 3}}})
			return err
		},
		"item_ids: has 3 ids, at most 2 (max-candidates) are taken": func() error {
			_, err := s.RankItems(ctx(t), &kindredv1.RankItemsRequest{ItemIds: ids})
			return err
		},
		"context_item_ids: has 3 ids, at most 1 (max-context) are taken": func() error {
			_, err := s.Recommend(ctx(t), &kindredv1.RecommendRequest{ContextItemIds: ids})
			return err
		},
		"exclude_item_ids: has 3 ids, at most 2 (max-exclude) are taken": func() error {
			_, err := s.Recommend(ctx(t), &kindredv1.RecommendRequest{ExcludeItemIds: ids})
			return err
		},
		"page_size: is 6: give 1 to 5 (max-page)": func() error {
			_, err := s.ListItems(ctx(t), &kindredv1.ListItemsRequest{PageSize: 6})
			return err
		},
		"query: is 9 bytes, at most 8 (max-search-text) are taken": func() error {
			_, err := s.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{Query: "nine byte"})
			return err
		},
	} {
		err := call()
		bad := ""
		for _, d := range status.Convert(err).Details() {
			if b, ok := d.(*errdetails.BadRequest); ok {
				bad = fmt.Sprintf("%s: %s", b.FieldViolations[0].Field, b.FieldViolations[0].Description)
			}
		}
		if !strings.HasPrefix(bad, want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if n := len(s.recommend(&kindredv1.RecommendRequest{}).Items); n != 4 {
		t.Errorf("a list whose limit nobody gave has %d items, want the bound, 4", n)
	}
	if n := len(must(s.ListItems(ctx(t), &kindredv1.ListItemsRequest{})).Items); n != 5 {
		t.Errorf("a page whose size nobody gave has %d rows, want the bound, 5", n)
	}

	// Of rows, those past a bound are told and the others land.
	text := func(words ...string) *kindredv1.Value {
		if len(words) == 1 {
			return &kindredv1.Value{Kind: &kindredv1.Value_StringValue{StringValue: words[0]}}
		}
		return &kindredv1.Value{Kind: &kindredv1.Value_StringList{StringList: &kindredv1.StringList{Values: words}}}
	}
	good := item("good", "Good", "Office")
	good.Attributes = map[string]*kindredv1.Value{"size": text("small")}
	for want, spoil := range map[string]func(*kindredv1.Item){
		"has 21 bytes, at most 20 are taken (max-description)": func(it *kindredv1.Item) { it.Description = strings.Repeat("x", 21) },
		"has 2 entries, at most 1 are taken (max-attributes)": func(it *kindredv1.Item) {
			it.Attributes = map[string]*kindredv1.Value{"a": text("b"), "c": text("d")}
		},
		"has 3 elements, at most 2 are taken (max-elements)": func(it *kindredv1.Item) {
			it.Attributes = map[string]*kindredv1.Value{"sizes": text("a", "b", "c")}
		},
		"has 7 bytes, at most 6 are taken (max-string)": func(it *kindredv1.Item) {
			it.Attributes = map[string]*kindredv1.Value{"size": text("seven77")}
		},
	} {
		bad := item("bad", "Bad", "Office")
		spoil(bad)
		reply := must(s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{bad, good}}))
		if reply.Counts.Rejected != 1 || reply.Counts.Added+reply.Counts.Changed+reply.Counts.Unchanged != 1 || reply.Errors[0].Row != 0 || reply.Errors[0].Description != want {
			t.Errorf("%v, want %q", reply, want)
		}
	}
	long := view("e1", "u", "pen-1")
	long.Text = "eleven byte"
	reply := must(s.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{long, view("e2", "u", "pen-1")}}))
	if reply.Added != 1 || len(reply.Errors) != 1 || reply.Errors[0].Description != "has 11 bytes, at most 10 are taken (max-comment)" {
		t.Errorf("an event with a long text: %v", reply)
	}
}

func TestLimitsAboveTheContractAreTheContracts(t *testing.T) {
	s := start(t, func(c *service.Config) { c.Bounds = api.Bounds{Rows: 1 << 20, List: 1 << 20} })
	_, err := s.Recommend(ctx(t), &kindredv1.RecommendRequest{Limit: 1001})
	refused(t, err, "limit")
	_, err = s.DeleteItems(ctx(t), &kindredv1.DeleteItemsRequest{Ids: make([]string, 1001)})
	refused(t, err, "ids")
}

func TestConnectionWithoutCallsIsEndedInOrder(t *testing.T) {
	s := start(t, func(c *service.Config) {
		c.Keepalive = service.Keepalive{Idle: 20 * time.Millisecond, Grace: 10 * time.Millisecond}
	})
	conn, err := net.Dial("tcp", s.service.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("no word of why before the end: %v", err)
		}
		if away, ok := frame.(*http2.GoAwayFrame); ok {
			if away.ErrCode != http2.ErrCodeNo {
				t.Errorf("it is told %v", away)
			}
			return
		}
	}
}
