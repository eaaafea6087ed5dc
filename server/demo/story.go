package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
	"google.golang.org/grpc"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Options say how the story is told. The zero value is right but for Addr.
type Options struct {
	Shop Config // which shop
	// Addr is where the service can be asked by others, for the lines to try at the end. Empty: no such lines.
	Addr string
	// Train trains a model of what the shoppers did, and has it serve.
	Train bool
	// Stays says that the service keeps running after the story.
	Stays bool
	Color Color
}

// Color says whether the story is printed in colour.
type Color uint8

// The choices of colour.
const (
	ColorAuto   Color = iota // on a terminal, unless NO_COLOR is set
	ColorNever               // plain text
	ColorAlways              // whatever the output is
)

// Visit is what one person of the story was shown.
type Visit struct {
	Subject       *kindredv1.Subject
	Before, After *kindredv1.RecommendResponse
	// Clicks are the events between the two, as they were sent.
	Clicks []*kindredv1.Event
}

// Outcome is what the story found, for those who check it.
type Outcome struct {
	Shop     *Shop
	Uploaded Uploaded
	Learned  *Learned // nil without Options.Train
	// Visits are those of a regular, an anonymous session and a new user, in that order.
	Visits []Visit
	// SoldOut is the item that was sold out in the course of the story, and Without the reply right after.
	SoldOut string
	Without *kindredv1.RecommendResponse
	// Filtered is the reply to Filter.
	Filter   string
	Filtered *kindredv1.RecommendResponse
	// Similar and Together are the neighbours of Anchor.
	Anchor            string
	Similar, Together *kindredv1.SimilarItemsResponse
}

// errBroken: the service did not keep a promise that the story relies on.
var errBroken = errors.New("the service broke a promise")

// Tell uploads the shop over conn and tells the story to out. It is for a fresh tenant: who is new in the story is taken to
// be new there. The error is the first that a call or out gave, or says which promise the service broke; the story up to
// there has been printed.
func Tell(ctx context.Context, conn grpc.ClientConnInterface, out io.Writer, opts Options) (Outcome, error) {
	shop, err := Generate(opts.Shop)
	if err != nil {
		return Outcome{}, err
	}
	t := &teller{
		screen: &screen{out: out, color: wantsColor(out, opts.Color), titles: map[string]string{}},
		opts:   opts, shop: shop, conn: conn,
		recommend: kindredv1.NewRecommendationServiceClient(conn),
		events:    kindredv1.NewEventServiceClient(conn),
		catalog:   kindredv1.NewCatalogServiceClient(conn),
		stem:      fmt.Sprintf("story-%x", time.Now().UnixNano()), // a second telling has clicks of its own
		outcome:   Outcome{Shop: shop},
	}
	for _, item := range shop.Items {
		t.titles[item.GetId()] = item.GetTitle()
	}
	for _, part := range []func(context.Context) error{t.open, t.learn, t.regular, t.anonymous, t.newcomer, t.shelvesChange, t.neighbours, t.close} {
		if err := part(ctx); err != nil {
			return t.outcome, err
		}
		if t.screen.err != nil {
			return t.outcome, fmt.Errorf("demo: printing the story: %w", t.screen.err)
		}
	}
	return t.outcome, nil
}

func wantsColor(out io.Writer, c Color) bool {
	f, ok := out.(*os.File)
	return c == ColorAlways || c == ColorAuto && ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""
}

type teller struct {
	*screen
	opts      Options
	shop      *Shop
	conn      grpc.ClientConnInterface
	recommend kindredv1.RecommendationServiceClient
	events    kindredv1.EventServiceClient
	catalog   kindredv1.CatalogServiceClient
	stem      string          // of the ids of clicks
	clicks    int             // so far
	anchor    *kindredv1.Item // the item that part 5 is about
	outcome   Outcome
}

// open uploads the shop.
func (t *teller) open(ctx context.Context) error {
	up, err := Upload(ctx, t.conn, t.shop)
	if err != nil {
		return err
	}
	t.outcome.Uploaded = up
	start := time.Now()
	engine, err := serving(ctx, t.conn)
	if err != nil {
		return err
	}
	built := time.Since(start)
	t.line("%s", t.bold("A small shop, uploaded over gRPC"))
	t.line("")
	t.line("   catalog  %6s items in %d departments                        %6.2f s", grouped(len(t.shop.Items)), len(departments), up.ItemsTime.Seconds())
	t.line("   events   %6s of %s shoppers, each on disk when answered    %6.2f s", grouped(len(t.shop.Events)), grouped(len(t.shop.Users)), up.EventTime.Seconds())
	if engine != "" {
		t.line("   serving  %-54s  %6.2f s", engine, built.Seconds())
	}
	return nil
}
