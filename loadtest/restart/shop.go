package restart

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// The words that texts are made of: an adjective, a stuff and a thing in a title, more of them in a description.
var (
	looks  = strings.Fields("vintage modern rustic minimal compact sturdy colourful elegant classic sporty organic professional lightweight handmade industrial quiet")
	stuffs = strings.Fields("wood steel cotton leather glass bamboo ceramic plastic wool aluminium canvas copper rubber linen silicone cork")
	things = strings.Fields("kettle lamp chair tent knife guitar notebook spade helmet camera headphones puzzle leash desk yoga-mat teapot backpack blanket boots bicycle")
	about  = strings.Fields("for the kitchen garden office or journey keeps warm dry cool clean folds flat comes with cover strap box two year guarantee easy to wash store and carry made in small batches by hand tested daily")
)

// batchRows is how many rows a call writes.
const batchRows = 1000

// item number n, with texts as long as those of shops: about 300 bytes.
func item(n int) *kindredv1.Item {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	pick := func(words []string) string { return words[r.IntN(len(words))] }
	thing := pick(things)
	described := make([]string, 0, 40)
	for range 30 {
		described = append(described, pick(about))
	}
	return &kindredv1.Item{
		Id: itemID(n), Title: fmt.Sprintf("%s %s %s %d", pick(looks), pick(stuffs), thing, n), Categories: []string{thing},
		Brand: pick(looks) + " works", Description: pick(looks) + " " + strings.Join(described, " "),
	}
}

func itemID(n int) string { return fmt.Sprintf("item-%06d", n) }

// event number n: users come one after another and stay among items that lie near one another.
func event(n int, o Options) *kindredv1.Event {
	r := rand.New(rand.NewPCG(2, uint64(n)))
	user := n % o.Users
	types := [...]kindredv1.EventType{kindredv1.EventType_EVENT_TYPE_VIEW, kindredv1.EventType_EVENT_TYPE_VIEW, kindredv1.EventType_EVENT_TYPE_CLICK, kindredv1.EventType_EVENT_TYPE_PURCHASE}
	return &kindredv1.Event{
		Id: fmt.Sprintf("restart-%d", n), UserId: userID(user), Type: types[r.IntN(len(types))],
		ItemId: itemID((user*37 + r.IntN(200)) % o.Items), Surface: "home",
	}
}

func userID(n int) string { return fmt.Sprintf("user-%07d", n) }

// writers is how many batches of a kind are under way.
const writers = 4

// eachBatch calls write with the bounds of batches from a row to another, several at a time.
func eachBatch(ctx context.Context, from, to int, write func(ctx context.Context, from, to int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	next.Store(int64(from))
	var wait sync.WaitGroup
	for range writers {
		wait.Go(func() {
			for ctx.Err() == nil {
				at := int(next.Add(batchRows)) - batchRows
				if at >= to {
					return
				}
				if err := write(ctx, at, min(at+batchRows, to)); err != nil {
					cancel(err)
				}
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}

// writeItems writes the catalog.
func writeItems(ctx context.Context, conn grpc.ClientConnInterface, o Options) error {
	client := kindredv1.NewCatalogServiceClient(conn)
	err := eachBatch(ctx, 0, o.Items, func(ctx context.Context, from, to int) error {
		rows := make([]*kindredv1.Item, 0, to-from)
		for n := from; n < to; n++ {
			rows = append(rows, item(n))
		}
		reply, err := client.UpsertItems(ctx, &kindredv1.UpsertItemsRequest{Items: rows})
		return firstFault(err, reply.GetErrors())
	})
	if err != nil {
		return fmt.Errorf("restart: write the catalog: %w", err)
	}
	return nil
}

// writeEvents writes the events of a range.
func writeEvents(ctx context.Context, conn grpc.ClientConnInterface, from, to int, o Options) error {
	client := kindredv1.NewEventServiceClient(conn)
	err := eachBatch(ctx, from, to, func(ctx context.Context, from, to int) error {
		rows := make([]*kindredv1.Event, 0, to-from)
		for n := from; n < to; n++ {
			rows = append(rows, event(n, o))
		}
		reply, err := client.WriteEvents(ctx, &kindredv1.WriteEventsRequest{Events: rows})
		return firstFault(err, reply.GetErrors())
	})
	if err != nil {
		return fmt.Errorf("restart: write events: %w", err)
	}
	return nil
}

func firstFault(err error, rows []*kindredv1.RowError) error {
	if err == nil && len(rows) > 0 {
		err = fmt.Errorf("a good row is refused: %v", rows[0])
	}
	return err
}
