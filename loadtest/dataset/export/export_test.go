package export

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// admin is a service with a log and decisions. Each stream breaks after so many messages, while there are breaks left.
type admin struct {
	kindredv1.UnimplementedAdminServiceServer
	events    []*kindredv1.Event
	decisions []*kindredv1.Decision
	breaks    int
	refuse    error

	mu sync.Mutex
}

const perMessage = 3

func (a *admin) broken(sent int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if sent == 2 && a.breaks > 0 {
		a.breaks--
		return status.Error(codes.Unavailable, "connection reset")
	}
	return nil
}

func (a *admin) ExportEvents(request *kindredv1.ExportEventsRequest, stream kindredv1.AdminService_ExportEventsServer) error {
	if a.refuse != nil {
		return a.refuse
	}
	from := 0
	if request.AfterWriteToken != "" {
		if _, err := fmt.Sscan(request.AfterWriteToken, &from); err != nil {
			return err
		}
	}
	for sent := 0; from < len(a.events); sent++ {
		if err := a.broken(sent); err != nil {
			return err
		}
		until := min(from+perMessage, len(a.events))
		if err := stream.Send(&kindredv1.ExportEventsResponse{Events: a.events[from:until], WriteToken: fmt.Sprint(until)}); err != nil {
			return err
		}
		from = until
	}
	return nil
}

func (a *admin) ExportDecisions(request *kindredv1.ExportDecisionsRequest, stream kindredv1.AdminService_ExportDecisionsServer) error {
	page, sent := &kindredv1.ExportDecisionsResponse{}, 0
	for i, d := range a.decisions {
		if request.FromTime == nil || !d.Time.AsTime().Before(request.FromTime.AsTime()) {
			page.Decisions = append(page.Decisions, d)
		}
		if len(page.Decisions) == perMessage || i == len(a.decisions)-1 {
			if err := a.broken(sent); err != nil {
				return err
			}
			if err := stream.Send(page); err != nil {
				return err
			}
			page, sent = &kindredv1.ExportDecisionsResponse{}, sent+1
		}
	}
	return nil
}

func (a *admin) serve(t *testing.T) grpc.ClientConnInterface {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	kindredv1.RegisterAdminServiceServer(server, a)
	var wait sync.WaitGroup
	wait.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() { server.Stop(); wait.Wait() })
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

var morning = time.Date(2025, 5, 1, 8, 0, 0, 123, time.UTC)

// decision is the n-th reply: n%4 items, the k-th called n-k, and one loser, with two features.
func decision(n int) *kindredv1.Decision {
	d := &kindredv1.Decision{RecommendationId: fmt.Sprintf("r%d", n), Time: timestamppb.New(morning.Add(time.Duration(n/2) * time.Minute)), UserNumber: 1 << 63,
		Surface: "home", Tier: "popular", Candidates: int32(n), FeatureNames: []string{"price", fmt.Sprintf("only_%d", n%2)}, Kind: kindredv1.DecisionKind_DECISION_KIND_PAGE}
	for k := range n % 4 {
		d.ContextItemIds = append(d.ContextItemIds, fmt.Sprint(k))
		d.Items = append(d.Items, &kindredv1.ShownItem{ItemId: fmt.Sprintf("%d-%d", n, k), Score: float64(k), Propensity: 0.5, Features: []float32{float32(n), float32(k)}})
	}
	if n%3 == 0 {
		d.Assignment = &kindredv1.Assignment{Experiment: "tea", Variant: "green"}
	}
	d.Losers = []*kindredv1.ShownItem{{ItemId: "lost", Features: []float32{1, 2}}}
	return d
}

func decisions(n int) (list []*kindredv1.Decision) {
	for i := range n {
		list = append(list, decision(i))
	}
	return list
}

func options(t *testing.T, what What) Options {
	o := DefaultOptions()
	o.What, o.Dir, o.GroupRows = what, t.TempDir(), 4
	return o
}

type shownRow struct {
	ItemID     string    `parquet:"item_id"`
	Score      float64   `parquet:"score"`
	Propensity float64   `parquet:"propensity"`
	Features   []float32 `parquet:"features"`
}

type decisionRow struct {
	ID         string     `parquet:"recommendation_id"`
	Time       int64      `parquet:"time,optional,timestamp(nanosecond)"`
	User       uint64     `parquet:"user_number"`
	Context    []string   `parquet:"context_item_ids"`
	Kind       string     `parquet:"kind"`
	Candidates int32      `parquet:"candidates"`
	Items      []shownRow `parquet:"items"`
	Losers     []shownRow `parquet:"losers"`
	Names      []string   `parquet:"feature_names"`
	Assignment *struct {
		Experiment string `parquet:"experiment"`
		Variant    string `parquet:"variant"`
	} `parquet:"assignment,optional"`
}

// What parquet's own reader puts together again is what was taken apart, lists within lists and all, over broken streams.
func TestDecisionsAreReadAgainFromTheirColumns(t *testing.T) {
	a := &admin{decisions: decisions(25), breaks: 3}
	o := options(t, Decisions)
	r, err := Run(t.Context(), a.serve(t), o)
	if err != nil || r.Rows != 25 || a.breaks != 0 {
		t.Fatalf("%+v, %d breaks left, error %v", r, a.breaks, err)
	}
	rows, err := parquet.ReadFile[decisionRow](r.File)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 25 {
		t.Fatalf("%d rows", len(rows))
	}
	shown := func(list []*kindredv1.ShownItem) (rows []shownRow) {
		for _, s := range list {
			rows = append(rows, shownRow{s.ItemId, s.Score, s.Propensity, s.Features})
		}
		return rows
	}
	empty := cmp.FilterValues(func(a, b []string) bool { return len(a) == 0 && len(b) == 0 }, cmp.Comparer(func(_, _ []string) bool { return true }))
	for i, d := range a.decisions {
		want := decisionRow{ID: d.RecommendationId, Time: d.Time.AsTime().UnixNano(), User: d.UserNumber, Context: d.ContextItemIds, Kind: "page",
			Candidates: d.Candidates, Items: shown(d.Items), Losers: shown(d.Losers), Names: d.FeatureNames}
		if d.Assignment != nil {
			want.Assignment = &struct {
				Experiment string `parquet:"experiment"`
				Variant    string `parquet:"variant"`
			}{d.Assignment.Experiment, d.Assignment.Variant}
		}
		if len(rows[i].Items) == 0 {
			rows[i].Items = nil
		}
		if diff := cmp.Diff(want, rows[i], empty); diff != "" {
			t.Errorf("decision %d (-sent +read):\n%s", i, diff)
		}
	}
}

type featureRow struct {
	ID        string  `parquet:"recommendation_id"`
	Item      string  `parquet:"item_id"`
	Score     float64 `parquet:"score"`
	Shown     bool    `parquet:"shown"`
	Slot      int32   `parquet:"slot"`
	Clicked   *bool   `parquet:"clicked,optional"`
	Purchased *bool   `parquet:"purchased,optional"`
	Features  struct {
		Price *float32 `parquet:"price,optional"`
		Zero  *float32 `parquet:"only_0,optional"`
		One   *float32 `parquet:"only_1,optional"`
	} `parquet:"features"`
}

func event(kind kindredv1.EventType, user, item, reply string, after time.Duration) *kindredv1.Event {
	return &kindredv1.Event{Id: user + item + reply + after.String() + kind.String(), UserId: user, ItemId: item, Type: kind, RecommendationId: reply, Time: timestamppb.New(morning.Add(after))}
}

func TestFeaturesHaveWhatBecameOfEachItem(t *testing.T) {
	const click, buy = kindredv1.EventType_EVENT_TYPE_CLICK, kindredv1.EventType_EVENT_TYPE_PURCHASE
	a := &admin{decisions: decisions(8), breaks: 2, events: []*kindredv1.Event{
		event(click, "u", "3-0", "r3", time.Hour),
		event(buy, "u", "3-0", "", 2*time.Hour), // by the click before
		event(buy, "other", "3-1", "", time.Hour),
		event(click, "u", "3-2", "r3", 30*time.Hour), // too late
		event(buy, "u", "7-1", "r7", time.Hour),
		event(click, "u", "7-2", "r3", time.Hour), // r3 did not show it
		event(kindredv1.EventType_EVENT_TYPE_LIKE, "u", "7-0", "r7", time.Hour),
		event(click, "u", "2-1", "r2", -time.Second), // clocks differ
	}}
	r, err := Run(t.Context(), a.serve(t), options(t, Features))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := parquet.ReadFile[featureRow](r.File)
	if err != nil {
		t.Fatal(err)
	}
	clicked, purchased := "", ""
	place := 0
	for _, d := range a.decisions {
		for i, item := range append(append([]*kindredv1.ShownItem{}, d.Items...), d.Losers...) {
			row := rows[place]
			place++
			shown := i < len(d.Items)
			slot := int32(i + 1)
			if !shown {
				slot = 0
			}
			if row.ID != d.RecommendationId || row.Item != item.ItemId || row.Score != item.Score || row.Shown != shown || row.Slot != slot || (row.Clicked != nil) != shown {
				t.Fatalf("row %d is %+v, want item %d of %v", place, row, i, d)
			}
			mine, not := row.Features.Zero, row.Features.One
			if d.FeatureNames[1] == "only_1" {
				mine, not = not, mine
			}
			if *row.Features.Price != item.Features[0] || *mine != item.Features[1] || not != nil {
				t.Fatalf("row %d has features %+v of %v", place, row.Features, d.FeatureNames)
			}
			if shown && *row.Clicked {
				clicked += row.Item + " "
			}
			if shown && *row.Purchased {
				purchased += row.Item + " "
			}
		}
	}
	if clicked != "2-1 3-0 " || purchased != "3-0 7-1 " {
		t.Errorf("clicked %q, purchased %q", clicked, purchased)
	}
	if place != len(rows) || r.Rows != int64(place) || r.Decisions != 8 || r.Clicked != 2 || r.Purchased != 2 || r.Features != 3 {
		t.Errorf("%d rows of %d, %+v", len(rows), place, r)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(r.File), ".*")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, error %v", left, err)
	}
}

func TestEventsComeOnceEachOverBrokenStreams(t *testing.T) {
	a := &admin{breaks: 4}
	random := rand.New(rand.NewPCG(1, 1))
	for i := range 50 {
		e := event(kindredv1.EventType(1+random.IntN(12)), "u", fmt.Sprint(i), "", time.Duration(i))
		e.Context = map[string]string{"n": fmt.Sprint(i)}
		a.events = append(a.events, e)
	}
	o := options(t, Events)
	r, err := Run(t.Context(), a.serve(t), o)
	if err != nil || r.Rows != 50 {
		t.Fatalf("%+v, error %v", r, err)
	}
	source, err := dataset.Open(dataset.Parquet, o.Dir, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for e, err := range source.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(eventOf(a.events[i]), e); diff != "" {
			t.Errorf("event %d (-sent +read):\n%s", i, diff)
		}
		i++
	}
}

func TestExportThatFailsLeavesTheFileThatWasThere(t *testing.T) {
	o := options(t, Features)
	o.MaxOutcomes, o.RetryFor = 1, 0
	old := o.path()
	if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &admin{decisions: decisions(5), events: []*kindredv1.Event{
		event(kindredv1.EventType_EVENT_TYPE_CLICK, "u", "1-0", "r1", 0), event(kindredv1.EventType_EVENT_TYPE_CLICK, "u", "2-0", "r2", 0)}}
	conn := a.serve(t)
	if _, err := Run(t.Context(), conn, o); !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "--max-outcomes") {
		t.Errorf("error %v; want %v and the way out", err, ErrLimit)
	}
	a.refuse = status.Error(codes.PermissionDenied, "role")
	if _, err := Run(t.Context(), conn, o); status.Code(err) != codes.PermissionDenied {
		t.Errorf("error %v", err)
	}
	a.refuse = nil
	o.What, a.breaks = Decisions, 9
	if _, err := Run(t.Context(), conn, o); err != nil {
		t.Errorf("five decisions are two messages, which no break comes between: %v", err)
	}
	a.decisions = decisions(20)
	if _, err := Run(t.Context(), conn, o); status.Code(err) != codes.Unavailable {
		t.Errorf("error %v; want the broken stream's", err)
	}
	text, err := os.ReadFile(old)
	if err != nil || string(text) != "old" {
		t.Errorf("%q, error %v", text, err)
	}
	names, err := os.ReadDir(o.Dir)
	if err != nil || len(names) != 2 {
		t.Errorf("%v is there, error %v", names, err)
	}
}

func TestOptionsOutOfBoundsAreRefused(t *testing.T) {
	for _, change := range []func(*Options){
		func(o *Options) { o.What = "users" }, func(o *Options) { o.Dir = "" }, func(o *Options) { o.What, o.Format = Decisions, dataset.CSV },
		func(o *Options) { o.Window = 0 }, func(o *Options) { o.MaxOutcomes = 0 }, func(o *Options) { o.GroupRows = 0 },
		func(o *Options) { o.From, o.Until = morning, morning.Add(-1) }, func(o *Options) { o.What, o.Packing = Features, "rar" },
	} {
		o := options(t, Events)
		change(&o)
		if _, err := Run(context.Background(), nil, o); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: error %v", o, err)
		}
	}
}
