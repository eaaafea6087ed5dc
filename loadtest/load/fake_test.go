package load

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// fake is a server whose speed and faults a test sets: the generator's own properties can be shown on nothing else, since
// a real server does not stall when told to. It keeps what it was sent.
type fake struct {
	kindredv1.UnimplementedCatalogServiceServer
	kindredv1.UnimplementedEventServiceServer
	kindredv1.UnimplementedRecommendationServiceServer

	before func(ctx context.Context) error // runs before each call is answered; nil: nothing
	items  int                             // in the catalog

	mu     sync.Mutex
	users  []string // of Recommend, in order of arrival
	events []*kindredv1.Event
	calls  [kinds]atomic.Int64
	keys   sync.Map // of authorization headers seen
	full   atomic.Int64
	added  []string // ids of items, in order
	asked  []*kindredv1.RecommendRequest
	server *grpc.Server
}

// serve starts the fake on loopback and returns a client of it. Both end with the test.
func (f *fake) serve(t testing.TB, target Target) *Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.start(t, listener)

	target.Addr = listener.Addr().String()
	if target.Connections == 0 {
		target.Connections = 2
	}
	if target.Timeout == 0 {
		target.Timeout = 5 * time.Second
	}
	client, err := Dial(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// start serves on a listener until the test ends or f.server is stopped.
func (f *fake) start(t testing.TB, listener net.Listener) {
	server := grpc.NewServer(grpc.UnaryInterceptor(f.intercept))
	f.server = server
	kindredv1.RegisterCatalogServiceServer(server, f)
	kindredv1.RegisterEventServiceServer(server, f)
	kindredv1.RegisterRecommendationServiceServer(server, f)
	healthpb.RegisterHealthServer(server, health.NewServer())
	var wait sync.WaitGroup
	wait.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() { server.Stop(); wait.Wait() })
}

func (f *fake) intercept(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, key := range md.Get("authorization") {
		f.keys.Store(key, true)
	}
	_, isCheck := request.(*healthpb.HealthCheckRequest)
	if isCheck {
		f.calls[KindEmpty].Add(1)
	}
	if !isCheck && f.before != nil {
		if err := f.before(ctx); err != nil {
			return nil, err
		}
	}
	return handler(ctx, request)
}

func (f *fake) Recommend(_ context.Context, request *kindredv1.RecommendRequest) (*kindredv1.RecommendResponse, error) {
	f.calls[KindRecommend].Add(1)
	f.mu.Lock()
	f.users = append(f.users, request.Subject.UserId)
	f.asked = append(f.asked, request)
	f.mu.Unlock()
	answer := &kindredv1.RecommendResponse{RecommendationId: "r", Tier: kindredv1.Tier_TIER_PERSONALIZED, Info: fakeInfo()}
	for i := range request.Limit {
		answer.Items = append(answer.Items, &kindredv1.RecommendedItem{ItemId: "i" + strconv.Itoa(int(i)), Score: 1, Propensity: 1})
	}
	return answer, nil
}

func fakeInfo() *kindredv1.ReplyInfo {
	return &kindredv1.ReplyInfo{Generation: "g", Lag: 3,
		StageTimes: &kindredv1.StageTimes{ProfileUs: 20, RetrieveUs: 300, RankUs: 50, TotalUs: 400}}
}

func (f *fake) SimilarItems(context.Context, *kindredv1.SimilarItemsRequest) (*kindredv1.SimilarItemsResponse, error) {
	f.calls[KindSimilar].Add(1)
	return &kindredv1.SimilarItemsResponse{Tier: kindredv1.Tier_TIER_ITEM_NEIGHBOURS, Info: fakeInfo()}, nil
}

func (f *fake) SearchItems(_ context.Context, request *kindredv1.SearchItemsRequest) (*kindredv1.SearchItemsResponse, error) {
	f.calls[KindSearch].Add(1)
	if request.Query == "" {
		return nil, status.Error(codes.InvalidArgument, "query is empty")
	}
	return &kindredv1.SearchItemsResponse{Info: fakeInfo()}, nil
}

func (f *fake) RankItems(_ context.Context, request *kindredv1.RankItemsRequest) (*kindredv1.RankItemsResponse, error) {
	f.calls[KindRank].Add(1)
	seen := map[string]bool{}
	for _, id := range request.ItemIds {
		if seen[id] {
			return nil, status.Errorf(codes.InvalidArgument, "item %s stands twice", id)
		}
		seen[id] = true
	}
	return &kindredv1.RankItemsResponse{Info: fakeInfo()}, nil
}

func (f *fake) PatchItems(context.Context, *kindredv1.PatchItemsRequest) (*kindredv1.PatchItemsResponse, error) {
	f.calls[KindPatch].Add(1)
	return &kindredv1.PatchItemsResponse{Errors: []*kindredv1.RowError{{Id: "x"}}}, nil
}

func (f *fake) UpsertItems(_ context.Context, request *kindredv1.UpsertItemsRequest) (*kindredv1.UpsertItemsResponse, error) {
	f.calls[KindAdd].Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, it := range request.Items {
		if it.Title == "" {
			return nil, status.Error(codes.InvalidArgument, "an item without a title")
		}
		f.added = append(f.added, it.Id)
	}
	return &kindredv1.UpsertItemsResponse{Counts: &kindredv1.RowCounts{Added: int64(len(request.Items))}}, nil
}

func (f *fake) ListItems(_ context.Context, request *kindredv1.ListItemsRequest) (*kindredv1.ListItemsResponse, error) {
	first, _ := strconv.Atoi(request.PageToken)
	answer := &kindredv1.ListItemsResponse{CatalogItems: int64(f.items)}
	for i := first; i < f.items && len(answer.Items) < int(request.PageSize); i++ {
		answer.Items = append(answer.Items, &kindredv1.Item{Id: fmt.Sprintf("i%04d", i), Title: fmt.Sprintf("Gel pen number %d, blue", i)})
	}
	if next := first + len(answer.Items); next < f.items {
		answer.NextPageToken = strconv.Itoa(next)
	}
	return answer, nil
}

func (f *fake) WriteEvents(_ context.Context, request *kindredv1.WriteEventsRequest) (*kindredv1.WriteEventsResponse, error) {
	f.calls[KindEvent].Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, request.Events...)
	return &kindredv1.WriteEventsResponse{Added: int64(len(request.Events)), WriteToken: strconv.Itoa(len(f.events))}, nil
}

// StreamEvents refuses every third request once, to see that it is sent again.
func (f *fake) StreamEvents(stream grpc.BidiStreamingServer[kindredv1.StreamEventsRequest, kindredv1.StreamEventsResponse]) error {
	for n := int64(0); ; n++ {
		request, err := stream.Recv()
		if err != nil {
			return nil
		}
		answer := &kindredv1.StreamEventsResponse{Request: n, RetryAfterMs: 1}
		if n%3 != 0 {
			f.mu.Lock()
			f.events = append(f.events, request.Events...)
			f.mu.Unlock()
			answer.RetryAfterMs, answer.Added = 0, int64(len(request.Events))
		} else {
			f.full.Add(1)
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}
