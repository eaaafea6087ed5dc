package importer

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// memory is what a service keeps: it outlives the servers that a test stops and starts.
type memory struct {
	mu     sync.Mutex
	items  map[string]*kindredv1.Item
	events map[string]*kindredv1.Event
	// arrived are the ids of events in the order in which they were first taken.
	arrived []*kindredv1.Event
	tenant  *kindredv1.Tenant

	// What the last ImportItems said, and the largest message of any.
	options      *kindredv1.ImportOptions
	largestBatch int
	mostBytes    int
	streams      int // of events
	updates      int // of the tenant
}

func newMemory() *memory {
	return &memory{items: map[string]*kindredv1.Item{}, events: map[string]*kindredv1.Event{}, tenant: &kindredv1.Tenant{Name: "default"}}
}

// service is the wire contract over a memory, as far as an import goes, with faults that a test asks for.
type service struct {
	kindredv1.UnimplementedCatalogServiceServer
	kindredv1.UnimplementedEventServiceServer
	kindredv1.UnimplementedAdminServiceServer
	*memory

	key string // wanted; empty: none

	// onEvents is asked before each request of events is taken; a reply or an error stands for the answer.
	onEvents func(*kindredv1.StreamEventsRequest) (*kindredv1.StreamEventsResponse, error)
	// afterEvents is asked after a request was taken and before it is answered.
	afterEvents func() error
	// onItems is asked at each batch of items.
	onItems func() error
	// admin refuses settings.
	adminErr error
}

// serve starts the service at addr, "" for any free port of loopback, and returns the address and what stops it at once.
func serve(t *testing.T, s *service, addr string) (string, func()) {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.StreamInterceptor(func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		if err := s.admit(ss.Context()); err != nil {
			return err
		}
		return next(srv, ss)
	}))
	kindredv1.RegisterCatalogServiceServer(server, s)
	kindredv1.RegisterEventServiceServer(server, s)
	kindredv1.RegisterAdminServiceServer(server, s)
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	stop := sync.OnceFunc(func() { server.Stop(); <-done })
	t.Cleanup(stop)
	return listener.Addr().String(), stop
}

func (s *service) admit(ctx context.Context) error {
	if s.key == "" {
		return nil
	}
	if got := metadata.ValueFromIncomingContext(ctx, "authorization"); len(got) != 1 || got[0] != "Bearer "+s.key {
		return status.Error(codes.Unauthenticated, "this service wants a key")
	}
	return nil
}

func (s *service) ImportItems(stream grpc.ClientStreamingServer[kindredv1.ImportItemsRequest, kindredv1.ImportItemsResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	options := first.GetOptions()
	s.mu.Lock()
	s.options = options
	s.mu.Unlock()
	reply := &kindredv1.ImportItemsResponse{Counts: &kindredv1.RowCounts{}}
	present := map[string]bool{}
	for row := int64(0); ; {
		m, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if s.onItems != nil {
			if err := s.onItems(); err != nil {
				return err
			}
		}
		s.mu.Lock()
		s.measure(len(m.GetItems().GetItems()), m)
		for _, item := range m.GetItems().GetItems() {
			present[item.GetId()] = true
			s.takeItem(row, item, options.GetDryRun(), reply)
			row++
		}
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if options.GetMode() == kindredv1.ImportMode_IMPORT_MODE_REPLACE && reply.Counts.Rejected > 0 {
		return status.Errorf(codes.FailedPrecondition, "%d rows had errors, so nothing was removed", reply.Counts.Rejected)
	}
	if options.GetMode() == kindredv1.ImportMode_IMPORT_MODE_REPLACE {
		for id := range s.items {
			if !present[id] {
				delete(s.items, id)
				reply.Counts.Removed++
			}
		}
	}
	reply.CatalogItems = int64(len(s.items))
	return stream.SendAndClose(reply)
}

// takeItem rejects what has the title "reject me".
func (s *service) takeItem(row int64, item *kindredv1.Item, dry bool, reply *kindredv1.ImportItemsResponse) {
	if item.GetTitle() == "reject me" {
		reply.Counts.Rejected++
		if len(reply.Errors) == 1000 {
			reply.ErrorsOmitted++
			return
		}
		reply.Errors = append(reply.Errors, &kindredv1.RowError{Row: row, Id: item.GetId(), Field: fmt.Sprintf("items[%d].title", row), Description: "is not wanted",
			Code: kindredv1.RowErrorCode_ROW_ERROR_CODE_INVALID})
		return
	}
	old, known := s.items[item.GetId()]
	switch {
	case !known:
		reply.Counts.Added++
	case proto.Equal(old, item):
		reply.Counts.Unchanged++
	default:
		reply.Counts.Changed++
	}
	if !dry {
		s.items[item.GetId()] = item
	}
}

func (s *service) StreamEvents(stream grpc.BidiStreamingServer[kindredv1.StreamEventsRequest, kindredv1.StreamEventsResponse]) error {
	s.mu.Lock()
	s.streams++
	s.mu.Unlock()
	for request := int64(0); ; request++ {
		m, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var reply *kindredv1.StreamEventsResponse
		if s.onEvents != nil {
			if reply, err = s.onEvents(m); err != nil {
				return err
			}
		}
		if reply == nil {
			reply = s.takeEvents(m)
			if s.afterEvents != nil {
				if err := s.afterEvents(); err != nil {
					return err
				}
			}
		}
		reply.Request = request
		if err := stream.Send(reply); err != nil {
			return err
		}
	}
}

// takeEvents rejects what is of the custom type "reject_me".
func (s *service) takeEvents(m *kindredv1.StreamEventsRequest) *kindredv1.StreamEventsResponse {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measure(len(m.GetEvents()), m)
	reply := &kindredv1.StreamEventsResponse{}
	for row, e := range m.GetEvents() {
		old, known := s.events[e.GetId()]
		switch {
		case e.GetCustomType() == "reject_me":
			reply.Errors = append(reply.Errors, &kindredv1.RowError{Row: int64(row), Id: e.GetId(), Field: fmt.Sprintf("events[%d].custom_type", row),
				Description: "is not declared", Code: kindredv1.RowErrorCode_ROW_ERROR_CODE_INVALID})
		case known && proto.Equal(old, e):
			reply.Duplicates++
		case known:
			reply.Errors = append(reply.Errors, &kindredv1.RowError{Row: int64(row), Id: e.GetId(), Description: "other content",
				Code: kindredv1.RowErrorCode_ROW_ERROR_CODE_ALREADY_EXISTS})
		default:
			s.events[e.GetId()] = e
			s.arrived = append(s.arrived, e)
			reply.Added++
			if s.items[e.GetItemId()] == nil {
				reply.Unjoined++
			}
		}
	}
	return reply
}

func (s *service) measure(rows int, m proto.Message) {
	s.largestBatch = max(s.largestBatch, rows)
	s.mostBytes = max(s.mostBytes, proto.Size(m))
}

func (s *service) GetTenant(context.Context, *kindredv1.GetTenantRequest) (*kindredv1.GetTenantResponse, error) {
	if s.adminErr != nil {
		return nil, s.adminErr
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &kindredv1.GetTenantResponse{Tenant: s.tenant, Status: &kindredv1.TenantStatus{Events: int64(len(s.events))}}, nil
}

func (s *service) UpdateTenant(_ context.Context, r *kindredv1.UpdateTenantRequest) (*kindredv1.UpdateTenantResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updates++
	s.tenant.Clock, s.tenant.Retention = r.GetTenant().GetClock(), r.GetTenant().GetRetention()
	return &kindredv1.UpdateTenantResponse{Tenant: s.tenant}, nil
}

// shop writes a csv shop of so many items and, for each user in turn, so many events, and returns its directory. The times
// end an hour ago, so that no retention is in the way.
func shop(t *testing.T, items, users, eventsEach int) string {
	t.Helper()
	dir := t.TempDir()
	var rows strings.Builder
	rows.WriteString("id,title,price,currency\n")
	for i := range items {
		fmt.Fprintf(&rows, "i%d,Thing %d,%d.50,EUR\n", i, i, i+1)
	}
	write(t, filepath.Join(dir, "items.csv"), rows.String())
	rows.Reset()
	rows.WriteString("user,item,type,time\n")
	start := time.Now().Add(-time.Hour - time.Duration(users*eventsEach)*time.Second).UTC().Truncate(time.Second)
	for k := range eventsEach {
		for u := range users {
			fmt.Fprintf(&rows, "u%d,i%d,view,%s\n", u, (u+k)%items, start.Add(time.Duration(k*users+u)*time.Second).Format(time.RFC3339))
		}
	}
	write(t, filepath.Join(dir, "events.csv"), rows.String())
	return dir
}
