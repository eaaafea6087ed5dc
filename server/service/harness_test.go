package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// client speaks to a running service as one caller.
type client struct {
	t    *testing.T
	key  string
	conn *grpc.ClientConn
	kindredv1.CatalogServiceClient
	kindredv1.EventServiceClient
	kindredv1.RecommendationServiceClient
	profiles kindredv1.ProfileServiceClient
	admin    kindredv1.AdminServiceClient
	models   kindredv1.ModelServiceClient
	policies kindredv1.PolicyServiceClient
	trials   kindredv1.ExperimentServiceClient
}

// shop is a running service with a client that may do all.
type shop struct {
	*client
	service *service.Service
	config  service.Config
	stopped bool
}

// start runs a service on a free port over a new directory.
func start(t *testing.T, edits ...func(*service.Config)) *shop {
	t.Helper()
	config := service.Config{Data: t.TempDir(), GRPC: "127.0.0.1:0", Store: store.DefaultOptions()}
	config.Store.Sync = false // tests of what a crash leaves turn it on
	config.Shop.MaxItems = 1 << 13
	config.Log = slog.New(faults{t})
	for _, edit := range edits {
		edit(&config)
	}
	s := &shop{config: config}
	s.run(t)
	t.Cleanup(s.stop)
	return s
}

func (s *shop) run(t *testing.T) {
	t.Helper()
	svc, err := service.Start(context.Background(), s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.service, s.stopped = svc, false
	s.client = dial(t, svc.Addr(), "")
}

func (s *shop) stop() {
	if s.stopped {
		return
	}
	s.stopped = true
	s.conn.Close()
	if err := s.service.Stop(); err != nil {
		s.t.Error("stop:", err)
	}
}

// restart stops the service and starts it on the same directory.
func (s *shop) restart() {
	s.t.Helper()
	t := s.t
	s.stop()
	s.run(t)
}

// dial connects to a service with a key; "" for none.
func dial(t *testing.T, addr, key string) *client {
	t.Helper()
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if key != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer(key)))
	}
	conn, err := grpc.NewClient(addr, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{
		t: t, key: key, conn: conn,
		CatalogServiceClient:        kindredv1.NewCatalogServiceClient(conn),
		EventServiceClient:          kindredv1.NewEventServiceClient(conn),
		RecommendationServiceClient: kindredv1.NewRecommendationServiceClient(conn),
		profiles:                    kindredv1.NewProfileServiceClient(conn),
		admin:                       kindredv1.NewAdminServiceClient(conn),
		models:                      kindredv1.NewModelServiceClient(conn),
		policies:                    kindredv1.NewPolicyServiceClient(conn),
		trials:                      kindredv1.NewExperimentServiceClient(conn),
	}
}

type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

// faults fails the test of a service that logs an error: none of these tests
// makes one happen without saying so.
type faults struct{ t *testing.T }

func (f faults) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (f faults) WithAttrs([]slog.Attr) slog.Handler               { return f }
func (f faults) WithGroup(string) slog.Handler                    { return f }
func (f faults) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	f.t.Error("the service logged:", text)
	return nil
}

func ctx(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return c
}

// must returns the reply of a call that has to work.
func must[T any](reply T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("call failed: %v", err))
	}
	return reply
}

// item is a row of the catalog for tests.
func item(id, title, category string) *kindredv1.Item {
	return &kindredv1.Item{
		Id: id, Title: title, Categories: []string{category}, Stock: proto.Int64(10),
		Price: &kindredv1.Money{CurrencyCode: "EUR", Units: 10},
	}
}

// shelf is a small catalog of two kinds of things, cheap ones first.
func shelf() []*kindredv1.Item {
	var items []*kindredv1.Item
	for i, title := range []string{
		"Gel pen, black", "Gel pen, blue", "Ballpoint pen, fine", "Fountain pen, medium nib", "Fineliner pen set", "Pencil, soft",
	} {
		it := item(fmt.Sprintf("pen-%d", i+1), title, "Office > Pens")
		it.Price.Units = int64(2 + i)
		items = append(items, it)
	}
	for i, title := range []string{
		"Garden hose, 20 m", "Watering can, green", "Garden shovel, steel", "Pruning shears for roses", "Flower pot, clay", "Rake for leaves",
	} {
		it := item(fmt.Sprintf("garden-%d", i+1), title, "Garden > Tools")
		it.Price.Units = int64(20 + i)
		items = append(items, it)
	}
	return items
}

// upsert writes items that must all land, and waits until they serve.
func (c *client) upsert(items ...*kindredv1.Item) string {
	c.t.Helper()
	reply, err := c.UpsertItems(ctx(c.t), &kindredv1.UpsertItemsRequest{Items: items})
	if err != nil || len(reply.Errors) > 0 {
		c.t.Fatalf("upsert: %v %v", err, reply.GetErrors())
	}
	c.applied(reply.WriteToken)
	return reply.WriteToken
}

// applied waits until a write serves.
func (c *client) applied(token string) {
	c.t.Helper()
	for range 20 {
		reply, err := c.Recommend(ctx(c.t), &kindredv1.RecommendRequest{
			Limit: 1, MinWriteToken: token, MaxWait: durationpb.New(2 * time.Second),
		})
		if err != nil {
			c.t.Fatal(err)
		}
		if reply.Info.Lag == 0 {
			return
		}
	}
	c.t.Fatal("a write does not come to serve")
}

// act is an event with an id of its own.
func act(id, user string, kind kindredv1.EventType, item string) *kindredv1.Event {
	return &kindredv1.Event{Id: id, UserId: user, Type: kind, ItemId: item, Time: timestamppb.New(time.Now().Add(-time.Minute))}
}

func view(id, user, item string) *kindredv1.Event {
	return act(id, user, kindredv1.EventType_EVENT_TYPE_VIEW, item)
}

// write writes events that must all land and returns their token.
func (c *client) write(events ...*kindredv1.Event) *kindredv1.WriteEventsResponse {
	c.t.Helper()
	reply, err := c.WriteEvents(ctx(c.t), &kindredv1.WriteEventsRequest{Events: events})
	if err != nil || len(reply.Errors) > 0 {
		c.t.Fatalf("events: %v %v", err, reply.GetErrors())
	}
	return reply
}

// recommend asks for a list that must come.
func (c *client) recommend(req *kindredv1.RecommendRequest) *kindredv1.RecommendResponse {
	c.t.Helper()
	if req.MaxWait == nil && req.PageToken == "" {
		req.MaxWait = durationpb.New(2 * time.Second)
	}
	reply, err := c.Recommend(ctx(c.t), req)
	if err != nil {
		c.t.Fatal(err)
	}
	return reply
}

func user(id string) *kindredv1.Subject    { return &kindredv1.Subject{UserId: id} }
func session(id string) *kindredv1.Subject { return &kindredv1.Subject{SessionId: id} }

func ids(items []*kindredv1.RecommendedItem) []string {
	list := make([]string, len(items))
	for i, it := range items {
		list[i] = it.ItemId
	}
	return list
}

func has(items []*kindredv1.RecommendedItem, id string) bool { return slices.Contains(ids(items), id) }

// refused checks that an error is INVALID_ARGUMENT that names a field, and returns
// what it says of it.
func refused(t *testing.T, err error, field string) string {
	t.Helper()
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("got %v, want INVALID_ARGUMENT for %s", err, field)
		return ""
	}
	for _, d := range status.Convert(err).Details() {
		bad, ok := d.(*errdetails.BadRequest)
		if !ok {
			continue
		}
		for _, v := range bad.FieldViolations {
			if v.Field == field {
				return v.Description
			}
		}
		t.Errorf("violations %v, want one of %s", bad.FieldViolations, field)
		return ""
	}
	t.Errorf("%v carries no field violations, want one of %s", err, field)
	return ""
}

func code(t *testing.T, err error, want codes.Code) {
	t.Helper()
	if status.Code(err) != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

// all reads a stream to its end.
func all[T any](t *testing.T, stream grpc.ServerStreamingClient[T], err error) []*T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var list []*T
	for {
		next, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, next)
	}
}

// exported reads the whole event log.
func (c *client) exported() []*kindredv1.Event {
	c.t.Helper()
	stream, err := c.admin.ExportEvents(ctx(c.t), &kindredv1.ExportEventsRequest{})
	var events []*kindredv1.Event
	for _, page := range all(c.t, stream, err) {
		events = append(events, page.Events...)
	}
	return events
}

func contains(t *testing.T, text, want string) {
	t.Helper()
	if !strings.Contains(text, want) {
		t.Errorf("%q does not say %q", text, want)
	}
}
