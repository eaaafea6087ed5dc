package service_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/static"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
)

// gated is the embedded encoder, which waits before the text "wait" as long as a
// test wants it to.
type gated struct {
	embed.Encoder
	waiting chan struct{} // one value for each that waits
	release chan struct{} // closed to let them go
}

func newGated(t *testing.T) *gated {
	inner, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	return &gated{Encoder: inner, waiting: make(chan struct{}, 100), release: make(chan struct{})}
}

func (g *gated) Immediate() bool { return true }

func (g *gated) Encode(ctx context.Context, texts []string, out []float32) error {
	if len(texts) == 1 && texts[0] == "wait" {
		g.waiting <- struct{}{}
		<-g.release
	}
	return g.Encoder.Encode(ctx, texts, out)
}

// hold keeps n requests under way until the encoder is released.
func (s *shop) hold(g *gated, n int) *sync.WaitGroup {
	held := new(sync.WaitGroup)
	for range n {
		held.Go(func() {
			if _, err := s.SearchItems(context.Background(), &kindredv1.SearchItemsRequest{Query: "wait"}); err != nil {
				s.t.Errorf("a request that holds a permit: %v", err)
			}
		})
		<-g.waiting
	}
	return held
}

func TestPastThePermitsTheAnswerIsPopularAndPastTheBoundRefused(t *testing.T) {
	g := newGated(t)
	s := start(t, func(c *service.Config) { c.Shop.Encoder, c.Shop.Permits, c.Shop.Bound = g, 2, 4 })
	s.upsert(shelf()...)
	s.applied(s.write(view("1", "u", "pen-1")).WriteToken)
	held := s.hold(g, 2)
	list := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Filter: "price < 5.0"})
	if list.Tier != kindredv1.Tier_TIER_POPULAR || len(list.Items) != 3 {
		t.Errorf("past the permits: %v with %v", list.Tier, ids(list.Items))
	}
	contains(t, list.TierReason, "permit")
	more := s.hold(g, 2)
	_, err := s.Recommend(ctx(t), &kindredv1.RecommendRequest{Subject: user("u")})
	code(t, err, codes.ResourceExhausted)
	retry := time.Duration(0)
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			retry = info.RetryDelay.AsDuration()
		}
	}
	if retry <= 0 {
		t.Errorf("no RetryInfo in %v", err)
	}
	if _, err := s.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{view("2", "u", "pen-1")}}); err != nil {
		t.Errorf("events have a bound of their own: %v", err)
	}
	close(g.release)
	held.Wait()
	more.Wait()
	if list := s.recommend(&kindredv1.RecommendRequest{Subject: user("u")}); list.Tier != kindredv1.Tier_TIER_PERSONALIZED {
		t.Errorf("after the load: %v", list.Tier)
	}
}

func TestLagIsReportedWhenTheWaitPassesAndWaitersHoldNoPermit(t *testing.T) {
	g := newGated(t)
	s := start(t, func(c *service.Config) { c.Shop.Encoder, c.Shop.Permits = g, 2 })
	s.upsert(shelf()...)
	// An item whose text takes long holds up what serves, not the disk.
	slow := &kindredv1.Item{Id: "slow", Title: "wait"}
	token := must(s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{slow}})).WriteToken
	<-g.waiting
	token = s.write(view("1", "u", "pen-1")).WriteToken
	var asking sync.WaitGroup
	for range 5 { // more than there are permits
		asking.Go(func() {
			list, err := s.Recommend(ctx(t), &kindredv1.RecommendRequest{Subject: user("x"), MinWriteToken: token, MaxWait: durationpb.New(500 * time.Millisecond)})
			if err != nil || list.Info.Lag < 1 || list.Info.StageTimes.WaitUs < 400_000 || len(list.Items) == 0 {
				t.Errorf("a reply that cannot reflect the write: %v %v", list.GetInfo(), err)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	list := s.recommend(&kindredv1.RecommendRequest{Subject: user("u")})
	if list.Tier == kindredv1.Tier_TIER_POPULAR {
		t.Errorf("those who wait keep others from being ranked: %s", list.TierReason)
	}
	none := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), MinWriteToken: token, MaxWait: durationpb.New(0)})
	if none.Info.Lag < 1 || none.Info.StageTimes.WaitUs > 100_000 {
		t.Errorf("max_wait 0: %v", none.Info)
	}
	asking.Wait()
	close(g.release)
	s.applied(token)
	_, err := s.Recommend(ctx(t), &kindredv1.RecommendRequest{MinWriteToken: token, MaxWait: durationpb.New(3 * time.Second)})
	refused(t, err, "max_wait")
}

func TestStopLetsCallsUnderWayEnd(t *testing.T) {
	g := newGated(t)
	s := start(t, func(c *service.Config) { c.Shop.Encoder = g })
	s.upsert(shelf()...)
	held := s.hold(g, 3)
	stopped := make(chan error, 1)
	go func() { stopped <- s.service.Stop() }()
	time.Sleep(100 * time.Millisecond)
	select {
	case err := <-stopped:
		t.Fatalf("stopped with calls under way: %v", err)
	default:
	}
	if _, err := dial(t, s.service.Addr(), "").Recommend(ctx(t), &kindredv1.RecommendRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("a new call during the stop: %v", err)
	}
	close(g.release)
	held.Wait() // without an error
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	s.stopped = true
}

func TestStopCutsOffWhatDoesNotEndAndStillClosesWell(t *testing.T) {
	s := start(t, func(c *service.Config) { c.Drain = 300 * time.Millisecond })
	s.upsert(shelf()...)
	stream, err := s.StreamEvents(ctx(t)) // a client that never closes
	if err != nil {
		t.Fatal(err)
	}
	stream.Send(&kindredv1.StreamEventsRequest{Events: []*kindredv1.Event{view("1", "u", "pen-1")}})
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if err := s.service.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := stream.Recv(); err == nil {
		t.Error("the stream goes on after the stop")
	}
	s.stopped = true
	s.run(t)
	if n := len(s.exported()); n != 1 {
		t.Errorf("%d events, want the one that was answered", n)
	}
}

func TestEveryItemThatIsTakenIsServedUpToTheBound(t *testing.T) {
	s := start(t, func(c *service.Config) { c.Shop.MaxItems = 10 })
	reply := must(s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: shelf()}))
	if reply.Counts.Added != 10 || reply.Counts.Rejected != 2 || reply.Errors[0].Code != kindredv1.RowErrorCode_ROW_ERROR_CODE_LIMIT {
		t.Fatalf("12 items for 10 places: %v %v", reply.Counts, reply.Errors)
	}
	s.applied(reply.WriteToken)
	if n := len(s.recommend(&kindredv1.RecommendRequest{Limit: 50}).Items); n != 10 {
		t.Errorf("%d of 10 items are served", n)
	}
}

func TestFullDiskIsSaidAndReadsGoOn(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.applied(s.write(view("1", "u", "pen-1")).WriteToken)
	s.stop()
	s.config.Store.Reserve = 1 << 50
	s.config.Log = nil // it says what cannot be written
	s.run(t)
	if list := s.recommend(&kindredv1.RecommendRequest{Subject: user("u")}); list.Tier != kindredv1.Tier_TIER_PERSONALIZED {
		t.Errorf("reads: %v", list.Tier)
	}
	_, err := s.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{view("2", "u", "pen-1")}})
	code(t, err, codes.Unavailable)
	stream, err := s.StreamEvents(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	// The client keeps its side open: the answer must come all the same.
	if err := stream.Send(&kindredv1.StreamEventsRequest{Events: []*kindredv1.Event{view("3", "u", "pen-1")}}); err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	code(t, err, codes.Unavailable)
	_, err = s.admin.CreateTenant(ctx(t), &kindredv1.CreateTenantRequest{Tenant: &kindredv1.Tenant{Name: "more"}})
	code(t, err, codes.Unavailable)
}
