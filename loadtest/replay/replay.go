package replay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// segments is how many equal parts of the asked log have figures of their own.
const segments = 10

// writeBatch is how many events one call writes at most: even with the longest texts it stays below what gRPC takes.
const writeBatch = 250

// Run replays the log of a source over a connection. An error means that the replay did not reach the end of the log.
func Run(ctx context.Context, conn grpc.ClientConnInterface, source dataset.Source, o Options) (*Result, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	log, err := readLog(source, o)
	if err != nil {
		return nil, err
	}
	r := newReplay(conn, log, o)
	if r.catalogSize, err = catalogSize(ctx, conn); err != nil {
		return nil, err
	}
	start := time.Now()
	if err := r.run(ctx); err != nil {
		return nil, fmt.Errorf("replay: after %d of %d events: %w", r.done, len(log), err)
	}
	return r.result(time.Since(start)), nil
}

// catalogSize is 0 where the key may not read the catalog: then coverage is a count alone.
func catalogSize(ctx context.Context, conn grpc.ClientConnInterface) (int64, error) {
	reply, err := kindredv1.NewCatalogServiceClient(conn).ListItems(ctx, &kindredv1.ListItemsRequest{PageSize: 1})
	if notAllowed(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("replay: ask for the size of the catalog: %w", err)
	}
	return reply.GetCatalogItems(), nil
}

// replay is one replay under way. All but ask runs on one goroutine.
type replay struct {
	Options
	log         []dataset.Event
	warmUp      int // events that are only written
	recommender kindredv1.RecommendationServiceClient
	events      kindredv1.EventServiceClient
	catalogSize int64

	done     int    // events written
	token    string // of the last write
	had      map[possession]struct{}
	shown    map[string]struct{} // items that stood in a first ten
	all      *sums
	tenths   [segments]*sums
	rejected int64
	reasons  []string // of the first rejected rows
}

// possession is an item that a person had to do with.
type possession struct {
	person
	item string
}

func newReplay(conn grpc.ClientConnInterface, log []dataset.Event, o Options) *replay {
	r := &replay{Options: o, log: log, warmUp: int(o.WarmUp * float64(len(log))),
		recommender: kindredv1.NewRecommendationServiceClient(conn), events: kindredv1.NewEventServiceClient(conn),
		had: map[possession]struct{}{}, shown: map[string]struct{}{}, all: newSums()}
	for i := range r.tenths {
		r.tenths[i] = newSums()
	}
	return r
}

func (r *replay) run(ctx context.Context) error {
	for from := 0; from < r.warmUp; from += writeBatch {
		batch := r.log[from:min(from+writeBatch, r.warmUp)]
		messages := make([]*kindredv1.Event, len(batch))
		for i, e := range batch {
			messages[i] = eventMessage(e, r.Surface, "", 0)
		}
		if err := r.write(ctx, batch, messages); err != nil {
			return err
		}
	}
	for from := r.warmUp; from < len(r.log); from += r.Window {
		window := r.log[from:min(from+r.Window, len(r.log))]
		for _, wave := range waves(window) {
			if err := r.wave(ctx, from, wave); err != nil {
				return err
			}
		}
	}
	return nil
}

// wave asks for every event of a wave, then writes them. from is the place of its window in the log.
func (r *replay) wave(ctx context.Context, from int, wave []int) error {
	answers := make([]answer, len(wave))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(r.Parallel)
	for i, at := range wave {
		if e := r.log[from+at]; e.Item != "" && slices.Contains(r.Ask, e.Type) {
			group.Go(func() (err error) {
				answers[i], err = r.ask(groupCtx, e, from+at)
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	batch := make([]dataset.Event, len(wave))
	messages := make([]*kindredv1.Event, len(wave))
	for i, at := range wave {
		batch[i] = r.log[from+at]
		shown := ""
		if answers[i].rank > 0 {
			shown = answers[i].recommendationID
		}
		messages[i] = eventMessage(batch[i], r.Surface, shown, answers[i].rank)
		r.count(from+at, batch[i], answers[i])
	}
	return r.write(ctx, batch, messages)
}

// ask recommends for the person of an event that is not yet revealed.
func (r *replay) ask(ctx context.Context, e dataset.Event, place int) (answer, error) {
	request := &kindredv1.RecommendRequest{
		Subject: &kindredv1.Subject{UserId: e.User, SessionId: e.Session}, Surface: r.Surface, Limit: int32(r.Limit), SeenPolicy: r.Seen,
		MinWriteToken: r.token, MaxWait: durationpb.New(r.MaxWait),
		Seed: rand.New(rand.NewPCG(r.Seed, uint64(place))).Uint64() | 1, // 0 would let the server draw one
	}
	start := time.Now()
	reply, err := again(ctx, r.RetryFor, func(ctx context.Context) (*kindredv1.RecommendResponse, error) {
		start = time.Now()
		return r.recommender.Recommend(ctx, request)
	})
	if err != nil {
		return answer{}, fmt.Errorf("ask for %s: %w", name(e), err)
	}
	a := answer{took: time.Since(start), lag: reply.GetInfo().GetLag(), recommendationID: reply.GetRecommendationId(),
		wait: time.Duration(reply.GetInfo().GetStageTimes().GetWaitUs()) * time.Microsecond}
	if t := reply.GetTier(); t > 0 && int(t) < len(r.all.tiers) {
		a.tier = t
	}
	for i, item := range reply.GetItems() {
		if i < cutoff {
			a.shown = append(a.shown, item.GetItemId())
		}
		if item.GetItemId() == e.Item && a.rank == 0 {
			a.rank = i + 1
		}
	}
	_, a.repeat = r.had[possession{personOf(e), e.Item}] // only read while asks are under way
	return a, nil
}

func name(e dataset.Event) string {
	if e.User != "" {
		return fmt.Sprintf("user %q", e.User)
	}
	return fmt.Sprintf("session %q", e.Session)
}

// count adds an answer to the figures; an empty one means that nothing was asked.
func (r *replay) count(place int, e dataset.Event, a answer) {
	if e.Item == "" || !slices.Contains(r.Ask, e.Type) {
		return
	}
	r.all.add(a)
	r.tenths[(place-r.warmUp)*segments/(len(r.log)-r.warmUp)].add(a)
	for _, id := range a.shown {
		r.shown[id] = struct{}{}
	}
}

// maxReasons is how many rejected rows are told in words.
const maxReasons = 5

// write reveals events and keeps the token of the write.
func (r *replay) write(ctx context.Context, batch []dataset.Event, messages []*kindredv1.Event) error {
	for len(messages) > 0 {
		n := min(writeBatch, len(messages))
		reply, err := again(ctx, r.RetryFor, func(ctx context.Context) (*kindredv1.WriteEventsResponse, error) {
			return r.events.WriteEvents(ctx, &kindredv1.WriteEventsRequest{Events: messages[:n]})
		})
		if err != nil {
			return fmt.Errorf("write %d events: %w", n, err)
		}
		if err := r.judge(reply); err != nil {
			return err
		}
		for _, e := range batch[:n] {
			r.had[possession{personOf(e), e.Item}] = struct{}{}
		}
		r.token = reply.GetWriteToken()
		r.done += n
		batch, messages = batch[n:], messages[n:]
		if r.Progress != nil {
			r.Progress(r.done, len(r.log))
		}
	}
	return nil
}

// judge looks at what the server did not take as new.
func (r *replay) judge(reply *kindredv1.WriteEventsResponse) error {
	known := reply.GetDuplicates()
	for _, row := range reply.GetErrors() {
		switch row.GetCode() {
		case kindredv1.RowErrorCode_ROW_ERROR_CODE_EXPIRED:
			return fmt.Errorf("%w: %s; give --key a key of role admin, so that the replay can let the clock of an empty tenant follow the log, or raise the tenant's retention", ErrTooOld, row.GetDescription())
		case kindredv1.RowErrorCode_ROW_ERROR_CODE_ALREADY_EXISTS:
			known++
		default:
			r.rejected++
			if len(r.reasons) < maxReasons {
				r.reasons = append(r.reasons, row.GetDescription())
			}
		}
	}
	if known > 0 && !r.AllowKnown {
		return fmt.Errorf("%w (%d of a batch): it has seen what it is to be asked for; replay into an empty store (server --data NEWDIR), or accept it with --allow-known", ErrKnown, known)
	}
	return nil
}
