package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// shop is a server that recommends what was written most often so far, ties by id: simple enough that a test can say what
// it must have answered. It checks the order of what reaches it.
type shop struct {
	kindredv1.UnimplementedCatalogServiceServer
	kindredv1.UnimplementedEventServiceServer
	kindredv1.UnimplementedRecommendationServiceServer
	kindredv1.UnimplementedAdminServiceServer

	catalog   []string
	known     map[string]bool // event ids from before
	retention time.Duration   // 0: without end
	busy      int             // writes to refuse first

	mu      sync.Mutex
	counts  map[string]int
	written []*kindredv1.Event
	asks    []*kindredv1.RecommendRequest
	tenant  *kindredv1.Tenant
	faults  []string
}

func (s *shop) serve(t *testing.T) grpc.ClientConnInterface {
	t.Helper()
	s.counts, s.tenant = map[string]int{}, &kindredv1.Tenant{Name: "default"}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	kindredv1.RegisterCatalogServiceServer(server, s)
	kindredv1.RegisterEventServiceServer(server, s)
	kindredv1.RegisterRecommendationServiceServer(server, s)
	kindredv1.RegisterAdminServiceServer(server, s)
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

func (s *shop) Recommend(_ context.Context, request *kindredv1.RecommendRequest) (*kindredv1.RecommendResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asks = append(s.asks, request)
	if want := s.token(); request.MinWriteToken != want {
		s.faults = append(s.faults, fmt.Sprintf("asked with token %q after %q was given", request.MinWriteToken, want))
	}
	answer := &kindredv1.RecommendResponse{RecommendationId: "r" + strconv.Itoa(len(s.asks)), Tier: kindredv1.Tier_TIER_POPULAR}
	for _, id := range popular(s.catalog, s.counts)[:min(int(request.Limit), len(s.catalog))] {
		answer.Items = append(answer.Items, &kindredv1.RecommendedItem{ItemId: id})
	}
	return answer, nil
}

func popular(catalog []string, counts map[string]int) []string {
	return slices.SortedFunc(slices.Values(catalog), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b))
	})
}

func (s *shop) token() string {
	if len(s.written) == 0 {
		return ""
	}
	return "t" + strconv.Itoa(len(s.written))
}

func (s *shop) WriteEvents(_ context.Context, request *kindredv1.WriteEventsRequest) (*kindredv1.WriteEventsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy > 0 {
		s.busy--
		return nil, status.Error(codes.ResourceExhausted, "no room")
	}
	answer := &kindredv1.WriteEventsResponse{}
	for _, e := range request.Events {
		switch {
		case s.known[e.Id]:
			answer.Duplicates++
		case slices.ContainsFunc(s.written, func(w *kindredv1.Event) bool { return w.Id == e.Id }):
			answer.Duplicates++
		case s.retention > 0 && time.Since(e.Time.AsTime()) > s.retention:
			answer.Errors = append(answer.Errors, &kindredv1.RowError{Code: kindredv1.RowErrorCode_ROW_ERROR_CODE_EXPIRED, Description: "too old"})
		default:
			s.counts[e.ItemId]++
			s.written = append(s.written, e)
			answer.Added++
		}
	}
	answer.WriteToken = s.token()
	return answer, nil
}

func (s *shop) ListItems(context.Context, *kindredv1.ListItemsRequest) (*kindredv1.ListItemsResponse, error) {
	return &kindredv1.ListItemsResponse{CatalogItems: int64(len(s.catalog))}, nil
}

func (s *shop) GetItem(_ context.Context, request *kindredv1.GetItemRequest) (*kindredv1.GetItemResponse, error) {
	if !slices.Contains(s.catalog, request.Id) {
		return nil, status.Error(codes.NotFound, "no such item")
	}
	return &kindredv1.GetItemResponse{}, nil
}

func (s *shop) GetTenant(context.Context, *kindredv1.GetTenantRequest) (*kindredv1.GetTenantResponse, error) {
	return &kindredv1.GetTenantResponse{Tenant: s.tenant, Status: &kindredv1.TenantStatus{Events: int64(len(s.written))}}, nil
}

func (s *shop) UpdateTenant(_ context.Context, request *kindredv1.UpdateTenantRequest) (*kindredv1.UpdateTenantResponse, error) {
	s.tenant.Clock, s.tenant.Retention = request.Tenant.Clock, request.Tenant.Retention
	return &kindredv1.UpdateTenantResponse{Tenant: s.tenant}, nil
}

// logSource is a log in memory.
type logSource []dataset.Event

func (l logSource) Items() iter.Seq2[dataset.Item, error] {
	return func(func(dataset.Item, error) bool) {}
}

func (l logSource) Events() iter.Seq2[dataset.Event, error] {
	return func(yield func(dataset.Event, error) bool) {
		for _, e := range l {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// randomLog is n events of users on 30 items, some of them at one time, in order of time.
func randomLog(n, users int, seed uint64) (logSource, []string) {
	random := rand.New(rand.NewPCG(seed, 1))
	var catalog []string
	for i := range 30 {
		catalog = append(catalog, fmt.Sprintf("i%02d", i))
	}
	var log logSource
	now := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		now = now.Add(time.Duration(random.IntN(3)) * time.Hour)
		e := dataset.Event{ID: "e" + strconv.Itoa(i), User: "u" + strconv.Itoa(random.IntN(users)), Item: catalog[min(random.IntN(30), random.IntN(30))],
			Type: dataset.TypePurchase, Time: now}
		if random.IntN(10) == 0 {
			e.Type = dataset.TypeImpression
		}
		if random.IntN(10) == 0 {
			e.User, e.Session = "", e.User
		}
		log = append(log, e)
	}
	return log, catalog
}

func testOptions() Options {
	o := DefaultOptions()
	o.Window, o.RetryFor = 50, 5*time.Second
	return o
}

func TestEachUsersOrderIsKeptAndTheGlobalOneNearly(t *testing.T) {
	log, catalog := randomLog(1000, 12, 1)
	s := &shop{catalog: catalog}
	o := testOptions()
	if _, err := Run(t.Context(), s.serve(t), log, o); err != nil {
		t.Fatal(err)
	}
	if len(s.written) != len(log) {
		t.Fatalf("%d of %d events written", len(s.written), len(log))
	}
	place := map[string]int{}
	for i, e := range log {
		place[e.ID] = i
	}
	last := map[string]int{}
	for i, e := range s.written {
		at := place[e.Id]
		if off := at - i; off >= o.Window || -off >= o.Window {
			t.Fatalf("event %d of the log was written as number %d, further than the window of %d", at, i, o.Window)
		}
		who := e.UserId + "/" + e.SessionId
		if before, ok := last[who]; ok && before > at {
			t.Fatalf("%s: event %d was written after event %d", who, at, before)
		}
		last[who] = at
	}
	if len(s.faults) > 0 {
		t.Errorf("%d asks did not wait for the last write, such as: %s", len(s.faults), s.faults[0])
	}
}

// The dumb twin goes through the log one event at a time; a window of 1 must agree with it to the last digit.
func TestWindowOfOneEqualsPlainPrequentialEvaluation(t *testing.T) {
	log, catalog := randomLog(400, 8, 2)
	o := testOptions()
	o.Window, o.WarmUp, o.Limit = 1, 0.25, 15
	got, err := Run(t.Context(), (&shop{catalog: catalog}).serve(t), log, o)
	if err != nil {
		t.Fatal(err)
	}
	counts, had := map[string]int{}, map[string]bool{}
	var asks, hits, repeats, ndcg, mrr float64
	for i, e := range log {
		key := e.User + "/" + e.Session + "/" + e.Item
		if i >= 100 && e.Type == dataset.TypePurchase {
			asks++
			if had[key] {
				repeats++
			}
			rank := slices.Index(popular(catalog, counts)[:15], e.Item) + 1
			if rank > 0 {
				mrr += 1 / float64(rank)
			}
			if rank > 0 && rank <= 10 {
				hits++
				ndcg += 1 / math.Log2(float64(rank)+1)
			}
		}
		counts[e.Item]++
		had[key] = true
	}
	want := []float64{asks, hits / asks, ndcg / asks, mrr / asks, repeats / asks}
	have := []float64{float64(got.Asks), got.HR, got.NDCG, got.MRR, got.RepeatShare}
	for i := range want {
		if math.Abs(want[i]-have[i]) > 1e-12 {
			t.Fatalf("asks, HR, NDCG, MRR, repeats are %v; want %v", have, want)
		}
	}
	if got.TierShares["popular"] != 1 || got.WarmUp != 100 || got.Catalog != 30 {
		t.Errorf("tiers %v, warm-up %d, catalog %d", got.TierShares, got.WarmUp, got.Catalog)
	}
	var sum int64
	for _, tenth := range got.Tenths {
		sum += tenth.Asks
	}
	if len(got.Tenths) != 10 || sum != got.Asks {
		t.Errorf("%d tenths with %d asks of %d", len(got.Tenths), sum, got.Asks)
	}
}

// withoutClock sets aside what depends on the clock of the day.
func withoutClock(r *Result) {
	r.Seconds, r.EventsPerS, r.LateMax = 0, 0, 0
	still := func(f *Figures) { f.AskP50, f.AskP99, f.WaitP99 = 0, 0, 0 }
	still(&r.Figures)
	for i := range r.Tenths {
		still(&r.Tenths[i].Figures)
	}
}

func TestOneSeedIsOneResultHoweverManyAsksAtOnce(t *testing.T) {
	log, catalog := randomLog(600, 20, 3)
	run := func(parallel int) (*Result, []uint64) {
		s := &shop{catalog: catalog}
		o := testOptions()
		o.Parallel = parallel
		result, err := Run(t.Context(), s.serve(t), log, o)
		if err != nil {
			t.Fatal(err)
		}
		result.Parallel = 0
		withoutClock(result)
		var seeds []uint64
		for _, ask := range s.asks {
			seeds = append(seeds, ask.Seed)
		}
		slices.Sort(seeds)
		return result, seeds
	}
	one, oneSeeds := run(1)
	many, manySeeds := run(8)
	if diff := gocmp.Diff(one, many); diff != "" {
		t.Errorf("8 asks at once changed the result (-1 +8):\n%s", diff)
	}
	if !slices.Equal(oneSeeds, manySeeds) || slices.Contains(oneSeeds, 0) || len(slices.Compact(oneSeeds)) != int(one.Asks) {
		t.Error("the asks do not carry one seed each, the same in both runs")
	}
}

func TestWavesHoldEachPersonOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var window []dataset.Event
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			window = append(window, dataset.Event{User: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "user"),
				Session: rapid.SampledFrom([]string{"a", "s"}).Draw(t, "session")})
		}
		var places []int
		wave := map[person]int{}
		for n, w := range waves(window) {
			if !slices.IsSorted(w) {
				t.Fatalf("wave %d is out of order: %v", n, w)
			}
			for _, at := range w {
				p := personOf(window[at])
				if wave[p] != n {
					t.Fatalf("%v stands in wave %d, before in %d", p, n, wave[p])
				}
				wave[p] = n + 1
				places = append(places, at)
			}
		}
		slices.Sort(places)
		for i, at := range places {
			if i != at {
				t.Fatalf("places %v", places)
			}
		}
		if len(places) != len(window) {
			t.Fatalf("%d of %d events", len(places), len(window))
		}
	})
}

func TestBusyServerIsTriedAgain(t *testing.T) {
	log, catalog := randomLog(60, 5, 4)
	s := &shop{catalog: catalog, busy: 3}
	if _, err := Run(t.Context(), s.serve(t), log, testOptions()); err != nil || len(s.written) != 60 {
		t.Errorf("%d of 60 events, error %v", len(s.written), err)
	}
	s = &shop{catalog: catalog, busy: 1 << 30}
	o := testOptions()
	o.RetryFor = 50 * time.Millisecond
	if _, err := Run(t.Context(), s.serve(t), log, o); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("error %v; want the server's refusal", err)
	}
}

func TestReplayRefusesWhatWouldNotBePrequential(t *testing.T) {
	log, catalog := randomLog(60, 5, 5)
	s := &shop{catalog: catalog, known: map[string]bool{"e17": true}}
	conn := s.serve(t)
	if _, err := Run(t.Context(), conn, log, testOptions()); !errors.Is(err, ErrKnown) {
		t.Errorf("error %v; want %v", err, ErrKnown)
	}
	o := testOptions()
	o.AllowKnown = true
	if _, err := Run(t.Context(), (&shop{catalog: catalog, known: s.known}).serve(t), log, o); err != nil {
		t.Errorf("known events were not accepted: %v", err)
	}
	if _, err := Run(t.Context(), (&shop{catalog: catalog, retention: time.Hour}).serve(t), log, testOptions()); !errors.Is(err, ErrTooOld) {
		t.Errorf("error %v; want %v", err, ErrTooOld)
	}
}

func TestOldLogSuitsAnEmptyTenantOnly(t *testing.T) {
	log, catalog := randomLog(60, 5, 6)
	s := &shop{catalog: catalog}
	conn := s.serve(t)
	if changed, err := SuitTenant(t.Context(), conn, log); err != nil || !changed || s.tenant.Clock != kindredv1.Clock_CLOCK_LOG ||
		s.tenant.Retention.AsDuration() < 50*365*24*time.Hour {
		t.Errorf("changed %v, error %v, tenant %v", changed, err, s.tenant)
	}
	s.tenant = &kindredv1.Tenant{}
	s.written = []*kindredv1.Event{{}}
	if changed, err := SuitTenant(t.Context(), conn, log); err != nil || changed {
		t.Errorf("a tenant with events was changed: %v, %v", changed, err)
	}
}

func TestMissingItemsAreTold(t *testing.T) {
	log, catalog := randomLog(300, 5, 7)
	conn := (&shop{catalog: catalog}).serve(t)
	if err := CheckItems(t.Context(), conn, log); err != nil {
		t.Error(err)
	}
	conn = (&shop{catalog: catalog[:20]}).serve(t)
	err := CheckItems(t.Context(), conn, log)
	if !errors.Is(err, ErrMissingItems) || !strings.Contains(err.Error(), "--import-items") {
		t.Errorf("error %v; want %v and the way out", err, ErrMissingItems)
	}
}

func TestUnusableLogsAndOptionsAreRefused(t *testing.T) {
	log, catalog := randomLog(60, 5, 8)
	conn := (&shop{catalog: catalog}).serve(t)
	if _, err := Run(t.Context(), conn, logSource{}, testOptions()); !errors.Is(err, ErrLog) {
		t.Errorf("empty log: error %v", err)
	}
	for _, change := range []func(*Options){
		func(o *Options) { o.Limit = 9 }, func(o *Options) { o.Limit = 1001 }, func(o *Options) { o.WarmUp = 1 },
		func(o *Options) { o.WarmUp = math.NaN() }, func(o *Options) { o.Window = 0 }, func(o *Options) { o.Window = 1001 },
		func(o *Options) { o.Parallel = 0 }, func(o *Options) { o.MaxWait = 3 * time.Second }, func(o *Options) { o.MaxEvents = 0 },
		func(o *Options) { o.Ask = nil }, func(o *Options) { o.Speed = -1 }, func(o *Options) { o.Speed = math.NaN() },
		func(o *Options) { o.MaxDisorder = -1 },
	} {
		o := testOptions()
		change(&o)
		if _, err := Run(t.Context(), conn, log, o); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: error %v", o, err)
		}
	}
	o := testOptions()
	o.MaxEvents = 59
	if _, err := Run(t.Context(), conn, log, o); !errors.Is(err, ErrLog) {
		t.Errorf("60 events under a bound of 59: error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, conn, log, testOptions()); err == nil {
		t.Error("a cancelled replay ended well")
	}
}

func TestResultHasTheAgreedNamesAndDrawsItself(t *testing.T) {
	log, catalog := randomLog(300, 10, 9)
	result, err := Run(t.Context(), (&shop{catalog: catalog}).serve(t), log, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hr_at_10", "ndcg_at_10", "mrr", "coverage", "tier_shares", "lag_share", "tenths", "events_per_s", "seed"} {
		if !strings.Contains(string(line), `"`+name+`"`) {
			t.Errorf("no %q in %s", name, line)
		}
	}
	var text, page strings.Builder
	if err := errors.Join(result.WriteTable(&text), result.Page("Replay").Write(&page)); err != nil {
		t.Fatal(err)
	}
	if strings.Count(text.String(), "\n") < 14 || strings.Count(page.String(), "<svg") != 8 {
		t.Errorf("table:\n%s\nand %d drawings", &text, strings.Count(page.String(), "<svg"))
	}
}
