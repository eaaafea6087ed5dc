package store_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store"
)

func Example() {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	s, err := store.Open(dir, store.DefaultOptions())
	if err != nil {
		panic(err)
	}
	defer s.Close()
	ctx := context.Background()
	if _, err := s.CreateTenant(ctx, record.Tenant{Name: "shop"}); err != nil {
		panic(err)
	}
	shop, err := s.Tenant("shop")
	if err != nil {
		panic(err)
	}
	batch := []record.Mutation{
		{Item: &record.Item{ID: "pen", Title: "Fountain pen"}},
		{Event: &record.Event{ID: "e1", User: "ann", Item: "pen", Type: record.TypeView, Time: time.Now()}},
		{Event: &record.Event{ID: "e2", User: "ann", Item: "ink", Type: record.TypeView, Time: time.Now()}},
	}
	for range 2 { // the second time nothing is new
		outcomes, token, err := shop.Append(ctx, batch)
		if err != nil {
			panic(err)
		}
		for _, o := range outcomes {
			fmt.Print(o.Status, " at ", o.Seq, "; ")
		}
		fmt.Println("up to", token.Seq)
	}
	ann, _ := shop.UserNumber("ann", "")
	history, err := shop.History(ann, 0, 10)
	if err != nil {
		panic(err)
	}
	for _, e := range history {
		fmt.Println(e.Item, e.ItemNumber)
	}
	// Output:
	// added at 1; added at 2; added at 3; up to 3
	// unchanged at 1; unchanged at 2; unchanged at 3; up to 3
	// ink 1
	// pen 0
}
