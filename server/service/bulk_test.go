package service_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// bulk reads all of a call that must end well.
func (c *client) bulk(req *kindredv1.RecommendBulkRequest) (results []*kindredv1.BulkResult, cursors []string) {
	c.t.Helper()
	stream, err := c.RecommendBulk(ctx(c.t), req)
	for _, page := range all(c.t, stream, err) {
		if len(page.Results) > 100 {
			c.t.Errorf("a message has %d results", len(page.Results))
		}
		results, cursors = append(results, page.Results...), append(cursors, page.Cursor)
	}
	return results, cursors
}

func people(n int) []*kindredv1.Subject {
	list := make([]*kindredv1.Subject, n)
	for i := range list {
		list[i] = user(fmt.Sprintf("u%03d", i))
	}
	return list
}

func TestBulkGivesEachTheListThatTheyWouldHave(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.applied(s.write(view("1", "u000", "pen-1"), view("2", "u000", "pen-2"), view("3", "u001", "garden-1"), view("4", "u001", "garden-2")).WriteToken)
	req := &kindredv1.RecommendBulkRequest{Request: &kindredv1.RecommendRequest{Surface: "mail", Limit: 3, Filter: "price < 25.0"}, Subjects: people(250)}
	got, cursors := s.bulk(req)
	if len(got) != 250 || cursors[len(cursors)-1] != "" {
		t.Fatalf("%d results, the last cursor is %q", len(got), cursors[len(cursors)-1])
	}
	for i, r := range got {
		if r.Subject.UserId != req.Subjects[i].UserId || len(r.Items) != 3 || r.Policy != "default/1" || !r.DecisionLogged {
			t.Fatalf("result %d is %v", i, r)
		}
	}
	for i := range 3 {
		one := s.recommend(&kindredv1.RecommendRequest{Surface: "mail", Limit: 3, Filter: "price < 25.0", Subject: req.Subjects[i]})
		if !slices.Equal(ids(one.Items), ids(got[i].Items)) || one.Tier != got[i].Tier {
			t.Errorf("%s has %v (%v) alone, %v (%v) among many", req.Subjects[i].UserId, ids(one.Items), one.Tier, ids(got[i].Items), got[i].Tier)
		}
	}
	logged := 0
	for _, d := range s.decisions() {
		if d.Kind == kindredv1.DecisionKind_DECISION_KIND_BULK {
			logged++
		}
	}
	if logged != 250 {
		t.Errorf("%d decisions of the call are logged", logged)
	}
}

// TestBulkGoesOnFromACursor takes results in several calls, with a restart between.
func TestBulkGoesOnFromACursor(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	for _, segment := range []bool{false, true} {
		req := &kindredv1.RecommendBulkRequest{Request: &kindredv1.RecommendRequest{Limit: 2, Seed: 7}, MaxResults: 100}
		if segment {
			var events []*kindredv1.Event
			for i, who := range people(250) {
				events = append(events, view(fmt.Sprint("v", i), who.UserId, "pen-1"))
			}
			s.applied(s.write(events...).WriteToken)
			req.Segment = &kindredv1.Segment{MinEvents: 1}
		} else {
			req.Subjects = people(250)
		}
		var names []string
		seeds := map[uint64]bool{}
		for call := 0; ; call++ {
			got, cursors := s.bulk(req)
			for _, r := range got {
				names = append(names, r.Subject.UserId)
				seeds[r.Seed] = true
			}
			if req.Cursor = cursors[len(cursors)-1]; req.Cursor == "" || call > 5 {
				break
			}
			s.restart()
		}
		var want []string
		for _, who := range people(250) {
			want = append(want, who.UserId)
		}
		if !slices.Equal(names, want) || len(seeds) != 250 {
			t.Errorf("segment %v: %d results of 250 people, %d seeds", segment, len(names), len(seeds))
		}
	}
}

func TestSegmentIsByWhatPeopleDid(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	old := view("5", "old", "pen-1")
	old.Time = timestamppb.New(time.Now().Add(-48 * time.Hour))
	s.applied(s.write(
		view("1", "writer", "pen-1"), view("2", "writer", "pen-2"), view("3", "gardener", "garden-1"), old,
		&kindredv1.Event{Id: "4", SessionId: "nobody", Type: kindredv1.EventType_EVENT_TYPE_VIEW, ItemId: "pen-1", Time: timestamppb.Now()},
	).WriteToken)
	for _, c := range []struct {
		why     string
		segment *kindredv1.Segment
		want    []string
	}{
		{"all users", &kindredv1.Segment{}, []string{"gardener", "old", "writer"}},
		{"active", &kindredv1.Segment{ActiveSince: timestamppb.New(time.Now().Add(-time.Hour))}, []string{"gardener", "writer"}},
		{"with two acts", &kindredv1.Segment{MinEvents: 2}, []string{"writer"}},
		{"of an item", &kindredv1.Segment{ItemIds: []string{"garden-1", "none"}}, []string{"gardener"}},
		{"of a category", &kindredv1.Segment{Filter: `"Pens" in categories`}, []string{"old", "writer"}},
		{"of none", &kindredv1.Segment{ItemIds: []string{"none"}}, nil},
	} {
		got, _ := s.bulk(&kindredv1.RecommendBulkRequest{Segment: c.segment})
		var names []string
		for _, r := range got {
			names = append(names, r.Subject.UserId)
		}
		if !slices.Equal(names, c.want) {
			t.Errorf("%s: %v, want %v", c.why, names, c.want)
		}
	}
}

func TestBadBulkInput(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	for _, c := range []struct {
		req   *kindredv1.RecommendBulkRequest
		field string
	}{
		{&kindredv1.RecommendBulkRequest{}, "subjects"},
		{&kindredv1.RecommendBulkRequest{Subjects: people(1), Segment: &kindredv1.Segment{}}, "subjects"},
		{&kindredv1.RecommendBulkRequest{Subjects: make([]*kindredv1.Subject, 100_001)}, "subjects"},
		{&kindredv1.RecommendBulkRequest{Subjects: []*kindredv1.Subject{user("u"), {}}}, "subjects[1]"},
		{&kindredv1.RecommendBulkRequest{Subjects: people(1), Request: &kindredv1.RecommendRequest{Subject: user("u")}}, "request"},
		{&kindredv1.RecommendBulkRequest{Subjects: people(1), Request: &kindredv1.RecommendRequest{Paginate: true}}, "request"},
		{&kindredv1.RecommendBulkRequest{Subjects: people(1), Request: &kindredv1.RecommendRequest{Limit: -1}}, "request.limit"},
		{&kindredv1.RecommendBulkRequest{Subjects: people(1), Request: &kindredv1.RecommendRequest{Filter: "price <"}}, "filter"},
		{&kindredv1.RecommendBulkRequest{Subjects: people(1), Request: &kindredv1.RecommendRequest{Policy: "none"}}, "policy"},
		{&kindredv1.RecommendBulkRequest{Subjects: people(1), Cursor: "x"}, "cursor"},
		{&kindredv1.RecommendBulkRequest{Subjects: people(1), MaxResults: -1}, "max_results"},
		{&kindredv1.RecommendBulkRequest{Segment: &kindredv1.Segment{Filter: "colour == 1"}}, "segment.filter"},
		{&kindredv1.RecommendBulkRequest{Segment: &kindredv1.Segment{MinEvents: 1000}}, "segment.min_events"},
	} {
		stream, err := s.RecommendBulk(ctx(t), c.req)
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		refused(t, err, c.field)
	}
	stream, err := s.RecommendBulk(ctx(t), &kindredv1.RecommendBulkRequest{Subjects: people(2), MaxResults: 1})
	pages := all(t, stream, err)
	stream, err = s.RecommendBulk(ctx(t), &kindredv1.RecommendBulkRequest{Subjects: people(3), Cursor: pages[0].Cursor})
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	refused(t, err, "cursor")
}

// TestRecommendIsNotDegradedUnderBulk has a bulk call under way, and others wait, while
// single requests are answered as ever. Calls past the bound are refused, and a cancelled
// one ends.
func TestRecommendIsNotDegradedUnderBulk(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.applied(s.write(view("1", "ann", "pen-1"), view("2", "ann", "pen-2")).WriteToken)
	ctxBulk, cancel := context.WithCancel(ctx(t))
	defer cancel()
	many := make([]*kindredv1.Subject, 100_000)
	for i := range many {
		many[i] = user("ann")
	}
	running, err := s.RecommendBulk(ctxBulk, &kindredv1.RecommendBulkRequest{Subjects: many})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := running.Recv(); err != nil { // it is under way
		t.Fatal(err)
	}
	go func() {
		for {
			if _, err := running.Recv(); err != nil {
				return
			}
		}
	}()
	// Two more may wait; of three, one is refused at once.
	ended := make(chan error, 3)
	for range 3 {
		go func() {
			stream, err := s.RecommendBulk(ctxBulk, &kindredv1.RecommendBulkRequest{Subjects: many})
			if err == nil {
				_, err = stream.Recv()
			}
			ended <- err
		}()
	}
	code(t, <-ended, codes.ResourceExhausted)
	for i := range 300 {
		reply := s.recommend(&kindredv1.RecommendRequest{Subject: user("ann"), Limit: 3, Seed: uint64(i + 1)})
		if reply.Tier != kindredv1.Tier_TIER_PERSONALIZED || len(reply.Items) != 3 {
			t.Fatalf("request %d: tier %v (%s), %d items", i, reply.Tier, reply.TierReason, len(reply.Items))
		}
	}
	cancel()
	for range 2 {
		code(t, <-ended, codes.Canceled)
	}
	// The turn is free again, as soon as the service has noticed.
	for until := ctx(t); ; {
		stream, err := s.RecommendBulk(until, &kindredv1.RecommendBulkRequest{Subjects: many[:3]})
		if err != nil {
			t.Fatal(err)
		}
		page, err := stream.Recv()
		if status.Code(err) == codes.ResourceExhausted {
			continue
		}
		if err != nil || len(page.Results) != 3 {
			t.Errorf("after the others ended: %v %v", page, err)
		}
		break
	}
}
