package client_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/client"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// pens runs a service with a small shop in this process, for the examples; they only need
// an address. done stops it.
func pens() (addr string, done func()) {
	dir, err := os.MkdirTemp("", "kindred-example-")
	if err != nil {
		panic(err)
	}
	config := service.Config{Data: dir, GRPC: "127.0.0.1:0", Store: store.DefaultOptions()}
	config.Shop.MaxItems = 1 << 10
	s, err := service.Start(context.Background(), config)
	if err != nil {
		panic(err)
	}
	c, err := client.Dial(s.Addr(), client.Options{Plaintext: true, Timeout: 30 * time.Second})
	if err != nil {
		panic(err)
	}
	defer c.Close()
	reply, err := c.Catalog.UpsertItems(context.Background(), &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{
		{Id: "gel", Title: "Gel pen, black"}, {Id: "ball", Title: "Ballpoint pen, blue"},
		{Id: "hose", Title: "Garden hose, 20 m"}, {Id: "can", Title: "Watering can for the garden"},
	}})
	if err != nil || len(reply.Errors) > 0 {
		panic(fmt.Sprint(err, reply.GetErrors()))
	}
	return s.Addr(), func() {
		if err := s.Stop(); err != nil {
			panic(err)
		}
		os.RemoveAll(dir)
	}
}

// What somebody did a moment ago shows in what they are shown.
func Example() {
	addr, done := pens()
	defer done()
	c, err := client.Dial(addr, client.Options{Plaintext: true, Timeout: 30 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	ctx := context.Background()
	ann := c.Visitor(&kindredv1.Subject{UserId: "ann"}, "")
	if _, err := ann.Write(ctx, &kindredv1.Event{ItemId: "hose", Type: kindredv1.EventType_EVENT_TYPE_PURCHASE}); err != nil {
		fmt.Println(err)
		return
	}
	page, err := ann.Recommend(ctx, &kindredv1.RecommendRequest{Limit: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(page.Tier, page.Items[0].ItemId, "lag", page.Info.Lag)
	// Output: TIER_PERSONALIZED can lag 0
}

// The token goes with the person, in a cookie or a session, from one web server to another.
func ExampleClient_Visitor() {
	addr, done := pens()
	defer done()
	options := client.Options{Plaintext: true, Timeout: 30 * time.Second}
	one, err := client.Dial(addr, options)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer one.Close()
	other, err := client.Dial(addr, options)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer other.Close()

	ctx := context.Background()
	session := &kindredv1.Subject{SessionId: "s-81"}
	here := one.Visitor(session, "")
	if _, err := here.Write(ctx, &kindredv1.Event{ItemId: "gel", Type: kindredv1.EventType_EVENT_TYPE_ADD_TO_CART}); err != nil {
		fmt.Println(err)
		return
	}
	cookie := here.Token()

	page, err := other.Visitor(session, cookie).Recommend(ctx, &kindredv1.RecommendRequest{ExcludeItemIds: []string{"gel"}, Limit: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(page.Tier, page.Items[0].ItemId)
	// Output: TIER_SESSION ball
}

// A request path offers events and goes on; the writer sends them in the background.
func ExampleWriter() {
	addr, done := pens()
	defer done()
	c, err := client.Dial(addr, client.Options{Plaintext: true, Timeout: 30 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	w, err := c.NewWriter(client.WriterOptions{
		Lost: func(e *kindredv1.Event, err error) { fmt.Println("lost:", err) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, item := range []string{"gel", "ball", "hose"} {
		e := &kindredv1.Event{UserId: "ben", ItemId: item, Type: kindredv1.EventType_EVENT_TYPE_VIEW}
		if err := w.Offer(e); err != nil { // never waits
			fmt.Println(err)
		}
	}
	if err := w.Offer(&kindredv1.Event{Id: "e-9", ItemId: "gel", Type: kindredv1.EventType_EVENT_TYPE_VIEW}); err != nil {
		fmt.Println(err)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := w.Close(ctx); err != nil { // sends what waits
		fmt.Println(err)
	}
	s := w.Stats()
	fmt.Println(s.Taken, "taken,", s.Added+s.Duplicates, "there,", s.Lost, "lost")
	// Output:
	// lost: event "e-9", field "events[3].user_id": is missing and so is session_id: give at least one
	// 4 taken, 3 there, 1 lost
}

// A filter that does not fit is refused with the place of its fault.
func ExampleDial() {
	addr, done := pens()
	defer done()
	c, err := client.Dial(addr, client.Options{Plaintext: true, Timeout: 30 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	_, err = c.Recommendations.Recommend(context.Background(), &kindredv1.RecommendRequest{Filter: "price <"})
	fmt.Println(status.Code(err))
	// Output: InvalidArgument
}
