package service_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/index/hnsw"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	shops "github.com/kindred-rec/kindred/server/shop"
)

// said keeps what a service logs.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *said) logger() *slog.Logger { return slog.New(slog.NewTextHandler(s, nil)) }

// things makes items from one number until another, no two alike.
func things(from, until int) []*kindredv1.Item {
	colours := []string{"red", "blue", "green", "black", "white", "yellow", "grey", "brown", "silver", "golden"}
	sorts := []string{
		"pen", "chair", "lamp", "desk", "rake", "hose", "kettle", "mug", "plate", "bowl", "knife", "shelf", "clock", "mirror",
		"carpet", "curtain", "pillow", "blanket", "tent", "rope",
	}
	uses := []string{"office", "garden", "kitchen", "travel", "school", "camping", "children", "workshop", "bedroom", "hall"}
	list := make([]*kindredv1.Item, 0, until-from)
	for i := from; i < until; i++ {
		title := fmt.Sprintf("%s %s for the %s, number %d", colours[i%10], sorts[i/10%20], uses[i/200%10], i)
		list = append(list, item(fmt.Sprint("thing-", i), title, "Things > "+sorts[i/10%20]))
	}
	return list
}

// put writes many items, in batches, and waits until they serve.
func (c *client) put(items []*kindredv1.Item) {
	c.t.Helper()
	for batch := range slices.Chunk(items, 500) {
		c.upsert(batch...)
	}
}

// drop deletes things from one number until another.
func (c *client) drop(from, until int) {
	c.t.Helper()
	var ids []string
	for i := from; i < until; i++ {
		ids = append(ids, fmt.Sprint("thing-", i))
	}
	for batch := range slices.Chunk(ids, 500) {
		reply, err := c.DeleteItems(ctx(c.t), &kindredv1.DeleteItemsRequest{Ids: batch})
		if err != nil {
			c.t.Fatal(err)
		}
		c.applied(reply.WriteToken)
	}
}

func (c *client) index() *kindredv1.IndexStatus {
	c.t.Helper()
	return must(c.admin.GetTenant(ctx(c.t), &kindredv1.GetTenantRequest{})).Status.Index
}

// eventually waits for a state of the index.
func (c *client) eventually(what string, ok func(*kindredv1.IndexStatus) bool) *kindredv1.IndexStatus {
	c.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		x := c.index()
		if ok(x) {
			return x
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s does not come: %v", what, x)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (c *client) serves(engine string) *kindredv1.IndexStatus {
	c.t.Helper()
	return c.eventually("engine "+engine, func(x *kindredv1.IndexStatus) bool { return x.Engine == engine && x.BuildingEngine == "" })
}

// neighbours asks the index about many items and texts.
func (c *client) neighbours(of []*kindredv1.Item) []string {
	c.t.Helper()
	var lines []string
	for i := 0; i < len(of); i += max(1, len(of)/40) {
		line := of[i].Title + ":"
		for _, it := range must(c.SearchItems(ctx(c.t), &kindredv1.SearchItemsRequest{Query: of[i].Title, Limit: 30})).Items {
			line += fmt.Sprintf(" %s %.6g", it.ItemId, it.Score)
		}
		lines = append(lines, line)
	}
	return lines
}

func withIndex(edit func(*shops.IndexConfig)) func(*service.Config) {
	return func(c *service.Config) { edit(&c.Shop.Index) }
}

var engineOf = regexp.MustCompile(`/(flat|hnsw)/(\d+)$`)

func TestEnginesChangeWithTheCatalogWhileItServes(t *testing.T) {
	s := start(t, withIndex(func(c *shops.IndexConfig) { c.Threshold = 1000 }))
	s.put(things(0, 600))
	s.applied(s.write(view("1", "a", "thing-1"), view("2", "b", "thing-2"), view("3", "c", "thing-3")).WriteToken)
	if x := s.index(); x.Engine != "flat" || x.Items != 600 || x.Recall != 1 {
		t.Fatalf("600 items are served by %v", x)
	}
	stop, seen := make(chan struct{}), make([][]string, 3)
	var shrinking atomic.Bool // items of a list may go between its ranking and the reply
	var asking sync.WaitGroup
	for w, who := range []string{"a", "b", "c"} {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				stays := !shrinking.Load()
				reply, err := s.Recommend(context.Background(), &kindredv1.RecommendRequest{Subject: user(who), Limit: 20})
				if err != nil || stays && !shrinking.Load() && len(reply.Items) != 20 {
					t.Errorf("while the engine changes: %d items, %v", len(reply.GetItems()), err)
					return
				}
				if n := len(seen[w]); n == 0 || seen[w][n-1] != reply.Info.Generation {
					seen[w] = append(seen[w], reply.Info.Generation)
				}
			}
		})
	}
	s.put(things(600, 2500))
	x := s.eventually("the graph", func(x *kindredv1.IndexStatus) bool { return x.Engine == "hnsw" && x.BuildingEngine == "" })
	if x.Items != 2500 || x.Effort != 200 || x.RecallCheckTime == nil || x.Recall < .95 || x.RecallK != 100 {
		t.Errorf("after it grew: %v", x)
	}
	shrinking.Store(true)
	s.drop(700, 2500) // between the two bounds: what serves stays
	if g := must(s.admin.RefreshGeneration(ctx(t), &kindredv1.RefreshGenerationRequest{})).Generation; !strings.Contains(g, "/hnsw/") {
		t.Errorf("700 items, after 2500, are served by %s: the border flaps", g)
	}
	s.drop(400, 700)
	x = s.serves("flat")
	close(stop)
	asking.Wait()
	if x.Items != 400 {
		t.Errorf("after it shrank: %v", x)
	}
	for w, generations := range seen {
		engines, last := "", 0
		for _, g := range generations {
			m := engineOf.FindStringSubmatch(g)
			if m == nil {
				t.Fatalf("generation %q", g)
			}
			number, err := strconv.Atoi(m[2])
			if err != nil || number <= last {
				t.Errorf("asker %d met generations %v: not one after the other", w, generations)
			}
			last, engines = number, engines+m[1]+" "
		}
		if !strings.HasPrefix(engines, "flat hnsw ") {
			t.Errorf("asker %d met %v, want flat, then hnsw", w, generations)
		}
	}
}

func TestARefusedBuildIsTriedAgain(t *testing.T) {
	var log said
	s := start(t, func(c *service.Config) {
		c.Log = log.logger()
		c.Shop.Index.Threshold, c.Shop.Index.Retry, c.Shop.Index.Storage = 200, 100*time.Millisecond, hnsw.Int8
		c.Shop.Index.Dir = filepath.Join(c.Data, "index")
		if err := os.WriteFile(c.Shop.Index.Dir, nil, 0o600); err != nil { // where the folder should be
			t.Fatal(err)
		}
	})
	s.put(things(0, 300))
	waitFor(t, "a failed try", func() bool { return strings.Contains(log.String(), "index engine not changed; trying again") })
	if x := s.index(); x.Engine != "flat" || x.Items != 300 {
		t.Errorf("what served does not go on: %v", x)
	}
	if err := os.Remove(s.config.Shop.Index.Dir); err != nil {
		t.Fatal(err)
	}
	if x := s.serves("hnsw"); x.Items != 300 || x.Storage != "int8" {
		t.Errorf("after the retry: %v", x)
	}
}

func TestStopEndsABuild(t *testing.T) {
	var log said
	s := start(t, withIndex(func(c *shops.IndexConfig) { c.Threshold, c.EfConstruction = 3000, 8000 }), func(c *service.Config) { c.Log = log.logger() })
	s.put(things(0, 4000)) // a build of many seconds
	s.eventually("a build", func(x *kindredv1.IndexStatus) bool { return x.BuildingEngine == "hnsw" && x.BuildingProgress < 1 })
	s.stop()
	if strings.Contains(log.String(), "index engine changed") {
		t.Error("the stop waited for the build")
	}
	s.config.Shop.Index.EfConstruction = 50
	s.run(t)
	if x := s.index(); x.Engine != "hnsw" || x.Items != 4000 {
		t.Errorf("after the restart: %v", x)
	}
}

func TestStopEndsARefresh(t *testing.T) {
	s := start(t, withIndex(graphAlways))
	s.put(things(0, 2000))
	s.stop()
	s.config.Shop.Index.EfConstruction = 8000 // the snapshot is loaded, a refresh takes many seconds
	s.run(t)
	served, err := s.service.Tenants().Get("default")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- served.Refresh(context.Background()) }()
	s.eventually("a build", func(x *kindredv1.IndexStatus) bool { return x.BuildingEngine == "hnsw" })
	s.stop()
	if err := <-ended; err == nil {
		t.Error("the stop waited for the refresh")
	}
}

func TestLowRecallRaisesTheEffort(t *testing.T) {
	s := start(t, func(c *service.Config) { c.HTTP = "127.0.0.1:0" }, withIndex(poorGraph))
	s.put(things(0, 3000))
	s.serves("hnsw")
	// The change came while the catalog grew, and checked a part of it.
	must(s.admin.RefreshGeneration(ctx(t), &kindredv1.RefreshGenerationRequest{}))
	x := s.serves("hnsw")
	if x.Effort <= 1 || x.Recall < .95 || x.RecallLow {
		t.Errorf("a poor graph at effort 1 is served so: %v", x)
	}
	metrics := get(t, "http://"+s.service.HTTPAddr()+"/metrics")
	for _, want := range []string{
		fmt.Sprintf("kindred_tenant_index_recall{tenant=\"default\"} %v\n", x.Recall),
		fmt.Sprintf("kindred_tenant_index_effort{tenant=\"default\"} %d\n", x.Effort),
		"kindred_tenant_index_items{tenant=\"default\"} 3000\n",
		"kindred_tenant_index_engine{engine=\"hnsw\",tenant=\"default\"} 1\n",
		"kindred_tenant_index_check_timestamp_seconds{tenant=\"default\"} 1",
		"kindred_tenant_index_recall_low{tenant=\"default\"} 0\n",
	} {
		contains(t, metrics, want)
	}
	s.restart()
	if y := s.index(); y.RestoredTime == nil || y.Effort != x.Effort {
		t.Errorf("the raised effort %d is lost by a restart: %v", x.Effort, y)
	}
}

// poorGraph makes a graph that finds little when it is asked with its first effort.
func poorGraph(c *shops.IndexConfig) {
	c.Threshold, c.M, c.EfConstruction, c.Effort = 1000, 2, 2, 1
	c.CheckK, c.CheckQueries = 10, 40
}

func TestLowRecallFallsBackToAScan(t *testing.T) {
	s := start(t, withIndex(poorGraph), withIndex(func(c *shops.IndexConfig) { c.MaxEffort = 2 }))
	s.put(things(0, 1100))
	waitFor(t, "the fallback", func() bool { return strings.HasSuffix(s.generation(), "/flat/2") })
	if x := s.index(); x.Engine != "flat" || x.Recall != 1 || x.RecallLow {
		t.Errorf("the scan: %v", x)
	}
	if g := must(s.admin.RefreshGeneration(ctx(t), &kindredv1.RefreshGenerationRequest{})).Generation; !strings.Contains(g, "/flat/") {
		t.Errorf("the graph is tried again at once: %s", g)
	}
	s.put(things(1100, 2300)) // twice as many: tried again
	waitFor(t, "another try", func() bool { return strings.HasSuffix(s.generation(), "/flat/4") })
}

func TestLowRecallOfALargeCatalogWarns(t *testing.T) {
	for name, edit := range map[string]func(*shops.IndexConfig){
		"auto":   func(c *shops.IndexConfig) { c.FlatBound = 500 },
		"chosen": func(c *shops.IndexConfig) { c.Engine = shops.HNSW },
	} {
		t.Run(name, func(t *testing.T) {
			var log said
			s := start(t, withIndex(poorGraph), withIndex(edit), func(c *service.Config) { c.Log, c.Shop.Index.MaxEffort = log.logger(), 2 })
			s.put(things(0, 1500))
			s.serves("hnsw")
			must(s.admin.RefreshGeneration(ctx(t), &kindredv1.RefreshGenerationRequest{}))
			if x := s.serves("hnsw"); !x.RecallLow || x.Recall >= .95 || x.Effort != 2 || x.Items != 1500 {
				t.Errorf("status %v, want a warning", x)
			}
			contains(t, log.String(), "the index finds too little with the largest effort")
			if list := s.recommend(&kindredv1.RecommendRequest{Limit: 5}); len(list.Items) != 5 {
				t.Errorf("it serves %d items", len(list.Items))
			}
		})
	}
}

func TestChecksGoOnBySchedule(t *testing.T) {
	s := start(t, withIndex(func(c *shops.IndexConfig) { c.Engine, c.CheckEvery = shops.HNSW, 20*time.Millisecond }))
	s.put(things(0, 100))
	first := s.eventually("a check", func(x *kindredv1.IndexStatus) bool { return x.RecallCheckTime != nil }).RecallCheckTime.AsTime()
	s.eventually("another", func(x *kindredv1.IndexStatus) bool { return x.RecallCheckTime.AsTime().After(first) })
}

func (c *client) generation() string {
	return must(c.admin.GetTenant(ctx(c.t), &kindredv1.GetTenantRequest{})).Status.Generation
}

// waitFor waits until something is so.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come", what)
		}
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	reply, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatal(reply.Status, err)
	}
	return string(text)
}

// TestRecallIsCheckedWhenTheCatalogHasDoubled: hours before the next check by the clock.
func TestRecallIsCheckedWhenTheCatalogHasDoubled(t *testing.T) {
	s := start(t, withIndex(poorGraph))
	s.put(things(0, 1100))
	first := s.serves("hnsw")
	s.put(things(1100, 6000))
	waitFor(t, "another check", func() bool {
		x := s.index()
		return x.RecallCheckTime.AsTime().After(first.RecallCheckTime.AsTime()) && x.Effort > first.Effort && x.Recall >= .95
	})
}
