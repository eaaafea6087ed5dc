package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// line is one connection to a service.
type line struct {
	*grpc.ClientConn
	recommend kindredv1.RecommendationServiceClient
	events    kindredv1.EventServiceClient
	catalog   kindredv1.CatalogServiceClient
	profiles  kindredv1.ProfileServiceClient
	admin     kindredv1.AdminServiceClient
	whole     kindredv1.OperationsServiceClient
}

func newLine(conn *grpc.ClientConn) *line {
	return &line{
		conn, kindredv1.NewRecommendationServiceClient(conn), kindredv1.NewEventServiceClient(conn), kindredv1.NewCatalogServiceClient(conn),
		kindredv1.NewProfileServiceClient(conn), kindredv1.NewAdminServiceClient(conn), kindredv1.NewOperationsServiceClient(conn),
	}
}

// bustle is load on a service: people who ask and click, a shop that changes its catalog and
// its profiles, and an admin. It keeps its own journal of what was answered.
type bustle struct {
	t      *testing.T
	line   *line
	people int
	stop   chan struct{}
	all    sync.WaitGroup
	n      atomic.Int64 // of events, for their ids

	lists, written, rows, settings atomic.Int64

	mu      sync.Mutex
	journal map[string][]worded // of items and profiles, in the order of the log
	names   map[string]bool     // of keys
}

// worded is one wording of something and the place in the log that brought it.
type worded struct {
	seq  uint64
	text string
}

func newBustle(t *testing.T, l *line) *bustle {
	return &bustle{t: t, line: l, people: 60, journal: map[string][]worded{}, names: map[string]bool{}}
}

// begin lets it loose until end.
func (c *bustle) begin() {
	c.stop = make(chan struct{})
	for _, act := range []func(int) error{c.ask, c.click, c.change, c.importRows, c.administer} {
		c.all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-c.stop:
					return
				default:
				}
				if err := act(i); err != nil {
					c.t.Error(err)
					return
				}
			}
		})
	}
}

func (c *bustle) end() {
	close(c.stop)
	c.all.Wait()
}

func person(i int) string { return fmt.Sprint("person-", i) }

func (c *bustle) ask(i int) error {
	_, err := c.line.recommend.Recommend(context.Background(), &kindredv1.RecommendRequest{
		Subject: &kindredv1.Subject{UserId: person(i % c.people)}, Limit: 5, Paginate: i%4 == 0,
	})
	c.lists.Add(1)
	return err
}

func (c *bustle) click(i int) error {
	var batch []*kindredv1.Event
	for k := range 5 {
		batch = append(batch, c.event(person((i+k)%c.people), i+k))
	}
	return c.write(batch)
}

// event is of a person on an item of the ring.
func (c *bustle) event(user string, i int) *kindredv1.Event {
	return &kindredv1.Event{
		Id: fmt.Sprint(user, "-e", c.n.Add(1)), UserId: user, ItemId: fmt.Sprint("i", i%len(ringWords)),
		Type: kindredv1.EventType_EVENT_TYPE_VIEW, Time: timestamppb.Now(),
	}
}

func (c *bustle) write(batch []*kindredv1.Event) error {
	reply, err := c.line.events.WriteEvents(context.Background(), &kindredv1.WriteEventsRequest{Events: batch})
	if err == nil && len(reply.Errors) > 0 {
		err = fmt.Errorf("events: %v", reply.Errors)
	}
	c.written.Add(int64(len(batch)))
	return err
}

// change gives an item another title, and a profile another attribute.
func (c *bustle) change(i int) error {
	id, text := fmt.Sprint("changing-", i%7), fmt.Sprint("A chair, version ", i)
	reply, err := c.line.catalog.UpsertItems(context.Background(), &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{{Id: id, Title: text}}})
	if err != nil || len(reply.Errors) > 0 {
		return errors.Join(err, fmt.Errorf("item: %v", reply.GetErrors()))
	}
	if err := c.note("item "+id, reply.WriteToken, text); err != nil {
		return err
	}
	who := person(i % 5)
	profile, err := c.line.profiles.UpsertProfile(context.Background(), &kindredv1.UpsertProfileRequest{Profile: &kindredv1.Profile{
		UserId: who, Attributes: map[string]*kindredv1.Value{"version": {Kind: &kindredv1.Value_StringValue{StringValue: text}}},
	}})
	if err != nil {
		return err
	}
	c.rows.Add(2)
	return c.note("profile "+who, profile.WriteToken, text)
}

func (c *bustle) note(what, token, text string) error {
	at, _, err := tokenOf(token)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.journal[what] = append(c.journal[what], worded{at.Seq, text})
	return err
}

// asOf is the text that a thing had when the log was so far; "": none yet.
func (c *bustle) asOf(what string, head uint64) (text string) {
	for _, v := range c.journal[what] {
		if v.seq <= head {
			text = v.text
		}
	}
	return text
}

// importRows streams a part of the catalog.
func (c *bustle) importRows(i int) error {
	stream, err := c.line.catalog.ImportItems(context.Background())
	if err != nil {
		return err
	}
	var items []*kindredv1.Item
	for k := range 40 {
		items = append(items, &kindredv1.Item{Id: fmt.Sprint("imported-", (i*40+k)%400), Title: fmt.Sprint("Imported lamp, round ", i)})
	}
	_ = stream.Send(&kindredv1.ImportItemsRequest{Part: &kindredv1.ImportItemsRequest_Options{Options: &kindredv1.ImportOptions{}}})
	if err := stream.Send(&kindredv1.ImportItemsRequest{Part: &kindredv1.ImportItemsRequest_Items{Items: &kindredv1.ItemBatch{Items: items}}}); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	c.rows.Add(40)
	_, err = stream.CloseAndRecv()
	c.sleep(20 * time.Millisecond)
	return err
}

// administer makes keys and changes settings.
func (c *bustle) administer(i int) error {
	name := fmt.Sprint("key ", i)
	if _, err := c.line.admin.CreateKey(context.Background(), &kindredv1.CreateKeyRequest{Role: kindredv1.Role_ROLE_MERCHANT, Name: name}); err != nil {
		return err
	}
	c.mu.Lock()
	c.names[name] = true
	c.mu.Unlock()
	_, err := c.line.admin.UpdateTenant(context.Background(), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{
		Surfaces: []*kindredv1.SurfaceSettings{{Name: "home", Limit: int32(5 + i%20)}},
	}})
	c.settings.Add(2)
	c.sleep(100 * time.Millisecond)
	return err
}

// sleep waits, but not beyond the end.
func (c *bustle) sleep(d time.Duration) {
	select {
	case <-c.stop:
	case <-time.After(d):
	}
}
