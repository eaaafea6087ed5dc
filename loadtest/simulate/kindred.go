package simulate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/loadtest/internal/retry"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/importer"
)

// kindred asks a running server. What happens is written back with the id of the reply that showed it; the next visits are
// answered from a state that has it.
type kindred struct {
	w         *World
	o         ServerOptions
	conn      grpc.ClientConnInterface
	recommend kindredv1.RecommendationServiceClient
	events    kindredv1.EventServiceClient
	catalog   kindredv1.CatalogServiceClient

	token    string // of the last write
	lagging  int    // replies that did not reflect it
	replies  int
	tiers    map[string]int
	training []Training
}

// ServerOptions say how the server is used.
type ServerOptions struct {
	Surface  string        // named in asks and events; at most 63 bytes
	Parallel int           // asks under way at once, 1 to 256
	MaxWait  time.Duration // how long an ask may wait for the last write to count, 0 to 2 s
	RetryFor time.Duration // how long a call is tried again while the server is away or has no room, at least 0

	// TrainEvery trains on the server's log after so many days, and at the end of the history, and promotes; 0: not.
	TrainEvery int
	TrainDim   int // components, 32 to 512, a multiple of 32
	Epochs     int // at most, 1 to 1,000

	// Policy, if not nil, is put into the tenant and serves the lists; its name is required.
	Policy *kindredv1.Policy
}

// DefaultServerOptions train nothing.
func DefaultServerOptions() ServerOptions {
	return ServerOptions{Surface: "home", Parallel: 8, MaxWait: 2 * time.Second, RetryFor: 30 * time.Second, TrainDim: 64, Epochs: 20}
}

func (o ServerOptions) validate() error {
	switch {
	case len(o.Surface) > 63:
		return bad("surface %q: must be at most 63 bytes", o.Surface)
	case o.Parallel < 1 || o.Parallel > 256:
		return bad("parallel %d: must be 1 to 256", o.Parallel)
	case o.MaxWait < 0 || o.MaxWait > 2*time.Second:
		return bad("longest wait %v: must be 0 to 2s", o.MaxWait)
	case o.RetryFor < 0 || o.TrainEvery < 0:
		return bad("retries for %v, training every %d days: must be at least 0", o.RetryFor, o.TrainEvery)
	case o.TrainDim < 32 || o.TrainDim > 512 || o.TrainDim%32 != 0:
		return bad("training dimension %d: must be a multiple of 32 from 32 to 512", o.TrainDim)
	case o.Epochs < 1 || o.Epochs > 1000:
		return bad("epochs %d: must be 1 to 1,000", o.Epochs)
	case o.Policy != nil && o.Policy.Name == "":
		return bad("the policy has no name: it serves by its name, such as \"explore\"")
	}
	return nil
}

// newKindred takes an empty tenant and lets its clock follow the simulated days. The key must be of role admin.
func newKindred(ctx context.Context, w *World, conn grpc.ClientConnInterface, o ServerOptions) (*kindred, error) {
	admin := kindredv1.NewAdminServiceClient(conn)
	reply, err := admin.GetTenant(ctx, &kindredv1.GetTenantRequest{})
	if err != nil {
		return nil, fmt.Errorf("simulate: %w: show the tenant: %w", ErrServer, err)
	}
	if s := reply.GetStatus(); s.GetItems() > 0 || s.GetEvents() > 0 {
		return nil, fmt.Errorf("simulate: %w: %q has %d items and %d events; give an empty one, such as that of server --data NEWDIR, or --self", ErrNotEmpty,
			reply.GetTenant().GetName(), s.GetItems(), s.GetEvents())
	}
	_, err = admin.UpdateTenant(ctx, &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{
		Clock: kindredv1.Clock_CLOCK_LOG, Retention: durationpb.New(100 * 365 * 24 * time.Hour)}})
	if err != nil {
		return nil, fmt.Errorf("simulate: %w: let the tenant's clock follow the simulated days (the key must be of role admin): %w", ErrServer, err)
	}
	if o.Policy != nil {
		// Its rules are checked here, before days pass.
		if _, err := kindredv1.NewPolicyServiceClient(conn).PutPolicy(ctx, &kindredv1.PutPolicyRequest{Policy: o.Policy}); err != nil {
			return nil, fmt.Errorf("simulate: %w: put policy %q: %w", ErrServer, o.Policy.Name, err)
		}
	}
	return &kindred{w: w, o: o, conn: conn, recommend: kindredv1.NewRecommendationServiceClient(conn), events: kindredv1.NewEventServiceClient(conn),
		catalog: kindredv1.NewCatalogServiceClient(conn), tiers: map[string]int{}}, nil
}

// Name implements Policy.
func (*kindred) Name() string { return string(PolicyKindred) }

const (
	itemBatch  = 500
	eventBatch = 500
)

// Arrive implements Policy.
func (k *kindred) Arrive(ctx context.Context, from, until int) error {
	for ; from < until; from += itemBatch {
		batch := make([]*kindredv1.Item, 0, itemBatch)
		for n := from; n < min(from+itemBatch, until); n++ {
			batch = append(batch, itemMessage(k.w.Row(k.w.Item(n))))
		}
		reply, err := retry.Until(ctx, k.o.RetryFor, func(ctx context.Context) (*kindredv1.UpsertItemsResponse, error) {
			return k.catalog.UpsertItems(ctx, &kindredv1.UpsertItemsRequest{Items: batch})
		})
		if err != nil {
			return fmt.Errorf("%w: bring %d items: %w", ErrServer, len(batch), err)
		}
		if e := reply.GetErrors(); len(e) > 0 {
			return fmt.Errorf("%w: it rejects %d items, the first is %s: %s", ErrServer, len(e), e[0].GetId(), e[0].GetDescription())
		}
		k.token = reply.GetWriteToken()
	}
	return nil
}

func itemMessage(row dataset.Item) *kindredv1.Item {
	return &kindredv1.Item{
		Id: row.ID, Title: row.Title, Description: row.Description, Categories: row.Categories, Tags: row.Tags, Brand: row.Brand,
		Seller: row.Seller, Language: row.Language, VariantGroup: row.Group, CreateTime: timestamppb.New(row.Created),
		Price: &kindredv1.Money{CurrencyCode: row.Price.Currency, Units: row.Price.Units, Nanos: row.Price.Nanos},
	}
}

// Show implements Policy.
func (k *kindred) Show(ctx context.Context, asks []Ask) ([]Shown, error) {
	replies := make([]*kindredv1.RecommendResponse, len(asks))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(k.o.Parallel)
	for i, a := range asks {
		group.Go(func() (err error) {
			d := keyed(k.w.Seed, forAsk, a.Visit.key(), 0)
			request := &kindredv1.RecommendRequest{
				Subject: &kindredv1.Subject{UserId: UserID(a.Visit.User)}, Surface: k.o.Surface, Limit: int32(k.w.Limit),
				Seed: d.bits() | 1, MinWriteToken: k.token, MaxWait: durationpb.New(k.o.MaxWait), Policy: k.o.Policy.GetName(),
			}
			replies[i], err = retry.Until(groupCtx, k.o.RetryFor, func(ctx context.Context) (*kindredv1.RecommendResponse, error) {
				return k.recommend.Recommend(ctx, request)
			})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("%w: ask for a list: %w", ErrServer, err)
	}
	all := make([]Shown, len(asks))
	for i, reply := range replies {
		shown, err := k.read(reply, k.w.OnShelf(asks[i].Visit.Day))
		if err != nil {
			return nil, err
		}
		all[i] = shown
	}
	return all, nil
}

func (k *kindred) read(reply *kindredv1.RecommendResponse, onShelf int) (Shown, error) {
	k.replies++
	if reply.GetInfo().GetLag() > 0 {
		k.lagging++
	}
	k.tiers[strings.ToLower(strings.TrimPrefix(reply.GetTier().String(), "TIER_"))]++
	shown := Shown{ID: reply.GetRecommendationId()}
	for _, item := range reply.GetItems() {
		n, ok := ItemNumber(item.GetItemId())
		if !ok || n >= onShelf {
			return shown, fmt.Errorf("%w: it shows item %q, which this world does not have on its %d shelves", ErrServer, item.GetItemId(), onShelf)
		}
		shown.Items = append(shown.Items, n)
	}
	if len(shown.Items) > k.w.Limit {
		return shown, fmt.Errorf("%w: it shows %d items where %d were asked for", ErrServer, len(shown.Items), k.w.Limit)
	}
	return shown, nil
}

// Learn implements Policy.
func (k *kindred) Learn(ctx context.Context, acts []Act) error {
	for len(acts) > 0 {
		batch := make([]*kindredv1.Event, 0, eventBatch)
		for i := range acts[:min(eventBatch, len(acts))] {
			batch = append(batch, importer.EventMessage(acts[i].Event))
		}
		reply, err := retry.Until(ctx, k.o.RetryFor, func(ctx context.Context) (*kindredv1.WriteEventsResponse, error) {
			return k.events.WriteEvents(ctx, &kindredv1.WriteEventsRequest{Events: batch})
		})
		if err != nil {
			return fmt.Errorf("%w: write %d events: %w", ErrServer, len(batch), err)
		}
		if e := reply.GetErrors(); len(e) > 0 {
			return fmt.Errorf("%w: it rejects %d events, the first is %s: %s", ErrServer, len(e), e[0].GetId(), e[0].GetDescription())
		}
		k.token = reply.GetWriteToken()
		acts = acts[len(batch):]
	}
	return nil
}
