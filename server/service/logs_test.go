package service_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"context"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/ranker"
)

func TestDecisionLogHoldsWhatWasShown(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	token := s.write(view("1", "u", "pen-1"), view("2", "v", "pen-2"), view("3", "v", "pen-3")).WriteToken
	begin := time.Now().Add(-time.Second)
	list := s.recommend(&kindredv1.RecommendRequest{
		Subject: user("u"), Surface: "home", Limit: 4, MinWriteToken: token, ContextItemIds: []string{"pen-2"}, Seed: 5,
	})
	rows := s.recommend(&kindredv1.RecommendRequest{Rows: []*kindredv1.RowRequest{{Surface: "a", Limit: 2}, {Surface: "b", Limit: 2}}})
	byID := map[string]*kindredv1.Decision{}
	for _, d := range s.decisions() {
		byID[d.RecommendationId] = d
	}
	d := byID[list.RecommendationId]
	if d == nil {
		t.Fatalf("the reply is not in the log: %v", byID)
	}
	if d.Surface != "home" || d.Seed != 5 || d.Tier != "personalized" || d.UserNumber == 0 || d.Generation != list.Info.Generation ||
		d.Policy != list.Info.Policy || d.ProfileToken != list.Info.ProfileToken || d.Candidates != list.Info.Candidates ||
		len(d.ContextItemIds) != 1 || len(d.Losers) == 0 || d.Time.AsTime().Before(begin) {
		t.Errorf("decision %v", d)
	}
	weights := ranker.DefaultWeights()
	for i, shown := range d.Items {
		it := list.Items[i]
		if shown.ItemId != it.ItemId || math.Abs(shown.Score-it.Score) > 1e-5 || shown.Propensity != it.Propensity || len(shown.Features) != len(d.FeatureNames) {
			t.Errorf("place %d: logged %v, shown %v", i, shown, it)
		}
		sum := 0.0
		for f, x := range shown.Features {
			feature, err := ranker.ParseFeature(d.FeatureNames[f])
			if err != nil {
				t.Fatal(err)
			}
			sum += weights[feature] * float64(x)
		}
		if math.Abs(sum-shown.Score) > 1e-4 {
			t.Errorf("place %d: the logged features make a score of %v, it is %v", i, sum, shown.Score)
		}
	}
	for _, lost := range d.Losers {
		if has(list.Items, lost.ItemId) {
			t.Errorf("%s was shown and stands among the losers", lost.ItemId)
		}
	}
	first, second := byID[rows.RecommendationId], byID[rows.RecommendationId+".1"]
	if first.GetSurface() != "a" || second.GetSurface() != "b" || len(second.GetItems()) != 2 {
		t.Errorf("the rows of a page are logged as %v and %v", first, second)
	}
	stream, err := s.admin.ExportDecisions(ctx(t), &kindredv1.ExportDecisionsRequest{UntilTime: timestamppb.New(begin)})
	for _, page := range all(t, stream, err) {
		t.Errorf("before the first: %v", page)
	}
}

func TestExportOfEventsContinuesByToken(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	want := map[string]*kindredv1.Event{}
	for i := range 25 {
		e := view(fmt.Sprint("e", i), fmt.Sprint("u", i%3), "pen-1")
		if i%5 == 0 {
			e.UserId, e.SessionId = "", fmt.Sprint("s", i%2)
		}
		e.Value, e.Text, e.Position, e.Surface = proto.Float64(2), "well", 3, "home"
		e.Context = map[string]string{"device": "phone"}
		want[e.Id] = e
		s.write(e)
		if i%7 == 0 {
			s.upsert(item(fmt.Sprint("between-", i), "Pen", "A")) // other entries of the log
		}
	}
	token, got := "", 0
	for {
		stream, err := s.admin.ExportEvents(ctx(t), &kindredv1.ExportEventsRequest{AfterWriteToken: token, Limit: 10})
		pages := all(t, stream, err)
		if len(pages) == 0 {
			break
		}
		for _, page := range pages {
			for _, e := range page.Events {
				if e.Id != fmt.Sprint("e", got) || !proto.Equal(e, want[e.Id]) {
					t.Errorf("event %d is %v, want %v", got, e, want[e.Id])
				}
				got++
			}
			token = page.WriteToken
		}
	}
	if got != 25 {
		t.Errorf("%d events, want 25", got)
	}
	stream, err := s.admin.ExportEvents(ctx(t), &kindredv1.ExportEventsRequest{Limit: -1})
	if err == nil {
		_, err = stream.Recv()
	}
	refused(t, err, "limit")
}

func TestStreamedEventsAreAnsweredOnceEachInOrder(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	stream, err := s.StreamEvents(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	const n = 100 // far more than the window, all sent before the first answer is read
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			events := []*kindredv1.Event{view(fmt.Sprint("a", i), "u", "pen-1"), view(fmt.Sprint("b", i), "u", "nowhere")}
			switch {
			case i%10 == 3:
				events[1].ItemId = "" // a bad row
			case i%10 == 5:
				events[0].Id = "a0" // other content only by its time, which is later: refused
			case i%10 == 7:
				events = events[:1]
				events[0].Type = 0 // no good row at all
			}
			if err := stream.Send(&kindredv1.StreamEventsRequest{Events: events}); err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseSend()
	}()
	last := ""
	for i := range int64(n) {
		reply, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		added, failed := int64(2), 0
		switch i % 10 {
		case 3, 5:
			added, failed = 1, 1
		case 7:
			added, failed = 0, 1
		}
		if reply.Request != i || reply.Added != added || len(reply.Errors) != failed {
			t.Errorf("answer %d: %v, want %d added and %d errors", i, reply, added, failed)
		}
		if i%10 == 3 && reply.Errors[0].Row != 1 {
			t.Errorf("answer %d names row %d of the request", i, reply.Errors[0].Row)
		}
		if reply.WriteToken != "" {
			last = reply.WriteToken
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last answer: %v", err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	list := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), MinWriteToken: last})
	if list.Tier != kindredv1.Tier_TIER_PERSONALIZED || list.Info.Lag != 0 {
		t.Errorf("after the stream: %v", list.Tier)
	}
}

func TestStreamOfAClientThatGoesAwayEndsAndWhatWasAnsweredStays(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	answered := 0
	for i := range 20 {
		c, cancel := context.WithCancel(ctx(t))
		stream, err := s.StreamEvents(c)
		if err != nil {
			t.Fatal(err)
		}
		for k := range 5 {
			if err := stream.Send(&kindredv1.StreamEventsRequest{Events: []*kindredv1.Event{view(fmt.Sprint(i, "/", k), "u", "pen-1")}}); err != nil {
				t.Fatal(err)
			}
		}
		for range i % 6 {
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
			answered++
		}
		cancel()
	}
	begin := time.Now()
	s.restart() // waits for the handlers
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("the stop took %v: a stream was still open", took)
	}
	if n := len(s.exported()); n < answered || n > 100 {
		t.Errorf("%d events in the log, %d were answered, 100 sent", n, answered)
	}
}

func TestEmptyRequestEndsAStreamAfterTheAnswersBefore(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	stream, err := s.StreamEvents(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	stream.Send(&kindredv1.StreamEventsRequest{Events: []*kindredv1.Event{view("1", "u", "pen-1")}})
	stream.Send(&kindredv1.StreamEventsRequest{})
	if reply, err := stream.Recv(); err != nil || reply.Added != 1 {
		t.Errorf("the good request: %v %v", reply, err)
	}
	_, err = stream.Recv()
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("the empty request: %v", err)
	}
}
