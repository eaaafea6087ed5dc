package client_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/kindred-rec/kindred/client"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// startService runs a real service over a directory; "" addr for a free port.
func startService(t testing.TB, dir, addr string) *service.Service {
	t.Helper()
	config := service.Config{Data: dir, GRPC: addr, Store: store.DefaultOptions()}
	config.Store.Sync = false // no crash is tested here
	config.Shop.MaxItems = 1 << 10
	s, err := service.Start(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stopService(t testing.TB, s *service.Service) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Error("stop:", err)
	}
}

// dial calls an address in the clear.
func dial(t testing.TB, addr string, edit ...func(*client.Options)) *client.Client {
	t.Helper()
	o := client.Options{Plaintext: true, Timeout: 30 * time.Second}
	for _, e := range edit {
		e(&o)
	}
	c, err := client.Dial(addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// shop is a real service and a client of it.
func shop(t testing.TB) (*service.Service, *client.Client) {
	t.Helper()
	s := startService(t, t.TempDir(), "127.0.0.1:0")
	t.Cleanup(func() { stopService(t, s) })
	return s, dial(t, s.Addr())
}

// view is somebody looking at an item.
func view(user, item string) *kindredv1.Event {
	return &kindredv1.Event{UserId: user, ItemId: item, Type: kindredv1.EventType_EVENT_TYPE_VIEW}
}

// eventsOf counts the events that the service keeps of a user.
func eventsOf(t testing.TB, c *client.Client, user string) int {
	t.Helper()
	n, token := 0, ""
	for {
		reply, err := c.Profiles.ListEvents(context.Background(), &kindredv1.ListEventsRequest{
			Subject: &kindredv1.Subject{UserId: user}, PageToken: token,
		})
		if err != nil {
			t.Fatal(err)
		}
		n += len(reply.Events)
		if token = reply.NextPageToken; token == "" {
			return n
		}
	}
}

// script is a service that answers as it is told; it counts the calls.
type script struct {
	kindredv1.UnimplementedEventServiceServer
	kindredv1.UnimplementedRecommendationServiceServer
	kindredv1.UnimplementedCatalogServiceServer

	// answer is asked for the outcome of call number n, from 1.
	answer func(ctx context.Context, n int) error

	mu    sync.Mutex
	calls int
	ids   [][]string // of each WriteEvents
}

func (s *script) next(ctx context.Context) error {
	s.mu.Lock()
	s.calls++
	n := s.calls
	s.mu.Unlock()
	return s.answer(ctx, n)
}

func (s *script) called() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func (s *script) WriteEvents(ctx context.Context, r *kindredv1.WriteEventsRequest) (*kindredv1.WriteEventsResponse, error) {
	var ids []string
	for _, e := range r.Events {
		ids = append(ids, e.Id)
	}
	s.mu.Lock()
	s.ids = append(s.ids, ids)
	s.mu.Unlock()
	return &kindredv1.WriteEventsResponse{Added: int64(len(r.Events))}, s.next(ctx)
}

func (s *script) Recommend(ctx context.Context, r *kindredv1.RecommendRequest) (*kindredv1.RecommendResponse, error) {
	return &kindredv1.RecommendResponse{}, s.next(ctx)
}

func (s *script) UpsertItems(ctx context.Context, r *kindredv1.UpsertItemsRequest) (*kindredv1.UpsertItemsResponse, error) {
	return &kindredv1.UpsertItemsResponse{}, s.next(ctx)
}

// play serves a script on a free port.
func play(t testing.TB, s *script, options ...grpc.ServerOption) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	kindredv1.RegisterEventServiceServer(server, s)
	kindredv1.RegisterRecommendationServiceServer(server, s)
	kindredv1.RegisterCatalogServiceServer(server, s)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); <-ended })
	return l.Addr().String()
}

// wire is a network between a client and a service, whose answers can be swallowed.
type wire struct {
	listener net.Listener
	to       string
	running  sync.WaitGroup

	mu    sync.Mutex
	deaf  bool
	conns []net.Conn
}

func newWire(t testing.TB, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, to: to}
	w.running.Go(w.accept)
	t.Cleanup(func() { l.Close(); w.cut(); w.running.Wait() })
	return w
}

func (w *wire) accept() {
	for {
		from, err := w.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", w.to)
		if err != nil {
			from.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, from, to)
		w.mu.Unlock()
		w.running.Go(func() { io.Copy(to, from); to.Close() })
		w.running.Go(func() { io.Copy(answers{w, from}, to); from.Close() })
	}
}

// swallow drops what the service says from now on, or ends that.
func (w *wire) swallow(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deaf = on
}

// cut ends all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

// answers is the way back to the client.
type answers struct {
	wire *wire
	to   net.Conn
}

func (a answers) Write(b []byte) (int, error) {
	a.wire.mu.Lock()
	deaf := a.wire.deaf
	a.wire.mu.Unlock()
	if deaf {
		return len(b), nil
	}
	return a.to.Write(b)
}
