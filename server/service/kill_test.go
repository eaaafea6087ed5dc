package service_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// killDir names, for the process that is to be killed, the directory to serve.
const killDir = "KINDRED_TEST_KILL_DIR"

// killGraph makes that process serve with a graph, and keep it when so many vectors have
// changed.
const killGraph = "KINDRED_TEST_KILL_GRAPH"

// TestMain serves instead of testing in a process that killDir is set for.
func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		serveUntilKilled(dir)
	}
	os.Exit(m.Run())
}

func killable(dir string) service.Config {
	c := service.Config{Data: dir, GRPC: "127.0.0.1:0", Store: store.DefaultOptions()}
	c.Shop.MaxItems, c.Shop.CheckpointEvery = 1<<13, 150
	c.Shop.Models.Load = readTestModel
	return c
}

func serveUntilKilled(dir string) {
	config := killable(dir)
	if after, err := strconv.Atoi(os.Getenv(killGraph)); err == nil {
		graphAlways(&config.Shop.Index)
		config.Shop.Index.SnapshotEvery, config.Shop.Index.SnapshotAfter = 10*time.Millisecond, after
	}
	err := encodeRemotely(&config)
	if err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	s, err := service.Start(context.Background(), config)
	if err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	fmt.Println("serving", s.Addr())
	if err := s.Wait(context.Background()); err != nil {
		fmt.Println("failed", err)
	}
	os.Exit(1)
}

// spawn starts the process that is to be killed, with more environment if need be, and
// returns its address.
func spawn(t *testing.T, dir string, env ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), killDir+"="+dir), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "serving ")
	if err != nil || !ok {
		t.Fatalf("the service does not start: %q %v", line, err)
	}
	return cmd, addr
}

// writer is one client with its own ids. What it sent and got no answer to, it sends
// again after the restart.
type writer struct {
	name    string
	rng     *rand.Rand
	n       int
	acked   map[string]bool
	pending []*kindredv1.Event
	sent    int

	rows      map[string]int64 // acknowledged price by item
	wrote     map[string]int64 // last price sent
	openItems []*kindredv1.Item
}

func newWriter(name string, seed uint64) *writer {
	return &writer{
		name: name, rng: rand.New(rand.NewPCG(seed, uint64(len(name)))), acked: map[string]bool{},
		rows: map[string]int64{}, wrote: map[string]int64{},
	}
}

// events makes the next batch.
func (w *writer) events() []*kindredv1.Event {
	batch := make([]*kindredv1.Event, 1+w.rng.IntN(6))
	kinds := []kindredv1.EventType{kindredv1.EventType_EVENT_TYPE_VIEW, kindredv1.EventType_EVENT_TYPE_CLICK, purchase}
	shelf := shelf()
	for i := range batch {
		e := act(fmt.Sprint(w.name, "-", w.n), fmt.Sprint("user-", w.rng.IntN(5)), kinds[w.rng.IntN(3)], shelf[w.rng.IntN(len(shelf))].Id)
		batch[i], w.n = e, w.n+1
	}
	return batch
}

// unary writes batches until the service goes away.
func (w *writer) unary(t *testing.T, c *client) {
	for {
		batch := w.pending
		if len(batch) == 0 {
			batch = w.events()
			w.sent += len(batch)
		}
		w.pending = batch
		reply, err := c.WriteEvents(context.Background(), &kindredv1.WriteEventsRequest{Events: batch})
		if err != nil {
			return
		}
		w.take(t, batch, reply.Added, reply.Duplicates, reply.Errors)
	}
}

func (w *writer) take(t *testing.T, batch []*kindredv1.Event, added, duplicates int64, failed []*kindredv1.RowError) {
	if len(failed) > 0 || added+duplicates != int64(len(batch)) {
		t.Errorf("%s: a batch of %d is answered with %d added, %d duplicates, %v", w.name, len(batch), added, duplicates, failed)
	}
	for _, e := range batch {
		w.acked[e.Id] = true
	}
	w.pending = w.pending[len(batch):]
}

// stream keeps several batches under way on one stream.
func (w *writer) stream(t *testing.T, c *client) {
	stream, err := c.StreamEvents(context.Background())
	if err != nil {
		return
	}
	var mu sync.Mutex // guards w between the two directions
	var under [][]*kindredv1.Event
	if len(w.pending) > 0 {
		under = append(under, slices.Clone(w.pending))
		if stream.Send(&kindredv1.StreamEventsRequest{Events: under[0]}) != nil {
			return
		}
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			reply, err := stream.Recv()
			if err != nil {
				return
			}
			mu.Lock()
			w.take(t, under[0], reply.Added, reply.Duplicates, reply.Errors)
			under = under[1:]
			mu.Unlock()
		}
	})
	defer reading.Wait()
	for stream.Context().Err() == nil {
		mu.Lock()
		if len(w.pending) > 500 {
			mu.Unlock()
			time.Sleep(time.Millisecond)
			continue
		}
		batch := w.events()
		w.sent += len(batch)
		w.pending, under = append(w.pending, batch...), append(under, batch)
		mu.Unlock()
		if stream.Send(&kindredv1.StreamEventsRequest{Events: batch}) != nil {
			return
		}
	}
}

// catalog writes rows whose price grows with each version.
func (w *writer) catalog(t *testing.T, c *client) {
	for {
		batch := w.openItems
		if len(batch) == 0 {
			for range 1 + w.rng.IntN(3) {
				it := item(fmt.Sprint(w.name, "-", w.rng.IntN(300)), "Folding chair", "Home")
				w.n++
				it.Price.Units, w.wrote[it.Id] = int64(w.n), int64(w.n)
				batch = append(batch, it)
			}
		}
		w.openItems = batch
		reply, err := c.UpsertItems(context.Background(), &kindredv1.UpsertItemsRequest{Items: batch})
		if err != nil {
			return
		}
		if len(reply.Errors) > 0 {
			t.Errorf("rows: %v", reply.Errors)
		}
		for _, it := range batch {
			w.rows[it.Id] = it.Price.Units
		}
		w.openItems = nil
	}
}

// tally is what a check of the log and the catalog found.
type tally struct{ events, rows, lost, doubled int }

// check compares what is stored with what was acknowledged.
func check(t *testing.T, c *client, writers []*writer) (sum tally) {
	stored := map[string]int{}
	for _, e := range c.exported() {
		stored[e.Id]++
	}
	for id, n := range stored {
		if n > 1 {
			sum.doubled += n - 1
			t.Errorf("event %s stands %d times in the log", id, n)
		}
	}
	prices := map[string]int64{}
	for token := ""; ; {
		page := must(c.ListItems(ctx(t), &kindredv1.ListItemsRequest{PageSize: 1000, PageToken: token}))
		for _, it := range page.Items {
			prices[it.Id] = it.Price.GetUnits()
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	for _, w := range writers {
		sum.events += len(w.acked)
		for id := range w.acked {
			if stored[id] == 0 {
				sum.lost++
				t.Errorf("event %s was acknowledged and is gone", id)
			}
		}
		for id, price := range w.rows {
			if sum.rows++; prices[id] < price || prices[id] > w.wrote[id] {
				sum.lost++
				t.Errorf("row %s has price %d, acknowledged is %d, sent %d", id, prices[id], price, w.wrote[id])
			}
		}
	}
	return sum
}

// counted says what co-visitation and popularity tell of every item of the shelf on
// the page of every other.
func (c *client) counted() []string {
	c.t.Helper()
	var asked, lines []string
	for _, it := range shelf() {
		asked = append(asked, it.Id)
	}
	for _, on := range asked {
		reply := must(c.RankItems(ctx(c.t), &kindredv1.RankItemsRequest{ItemIds: asked, ContextItemIds: []string{on}, Explain: true}))
		for _, it := range reply.Items {
			for _, r := range it.Reasons {
				switch r.Feature {
				case "popularity", "co_visited", "co_visited_before", "association":
					lines = append(lines, fmt.Sprintf("%s on %s: %s %.9g", it.ItemId, on, r.Feature, r.Contribution))
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func TestKilledUnderLoadNothingIsLostNorDoubled(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	const seed = 1
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(seed, 0))
	writers := []*writer{newWriter("a", seed), newWriter("bb", seed), newWriter("ccc", seed), newWriter("dddd", seed)}
	var sum tally
	for round := range rounds {
		cmd, addr := spawn(t, dir)
		c := dial(t, addr, "")
		if round == 0 {
			c.upsert(shelf()...)
		}
		found := check(t, c, writers)
		sum.lost, sum.doubled = sum.lost+found.lost, sum.doubled+found.doubled
		var writing sync.WaitGroup
		writing.Go(func() { writers[0].unary(t, c) })
		writing.Go(func() { writers[1].unary(t, c) })
		writing.Go(func() { writers[2].stream(t, c) })
		writing.Go(func() { writers[3].catalog(t, c) })
		time.Sleep(time.Duration(20+rng.IntN(350)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		writing.Wait()
		c.conn.Close()
	}
	s := &shop{config: killable(dir)}
	s.run(t)
	defer s.stop()
	found := check(t, s.client, writers)
	finish(t, s.client, writers)
	last := check(t, s.client, writers)
	t.Logf("%d kills: acknowledged %d events and %d rows, lost %d, doubled %d", rounds, last.events, last.rows,
		sum.lost+found.lost+last.lost, sum.doubled+found.doubled+last.doubled)
	events := s.exported()
	sent := 0
	for _, w := range writers {
		sent += w.sent
	}
	status := must(s.admin.GetTenant(ctx(t), &kindredv1.GetTenantRequest{})).Status
	if len(events) != sent || status.Events != int64(sent) {
		t.Errorf("%d events were sent, the log has %d, counted are %d", sent, len(events), status.Events)
	}
	fresh := start(t)
	fresh.upsert(shelf()...)
	token := ""
	for batch := range slices.Chunk(events, 1000) {
		token = fresh.write(batch...).WriteToken
	}
	fresh.applied(token)
	same(t, "counters after the kills against a fresh replay", s.counted(), fresh.counted())
}

// finish sends once more what was never answered.
func finish(t *testing.T, c *client, writers []*writer) {
	token := ""
	for _, w := range writers {
		for len(w.pending) > 0 {
			batch := w.pending[:min(1000, len(w.pending))]
			reply := must(c.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: batch}))
			w.take(t, batch, reply.Added, reply.Duplicates, reply.Errors)
			token = reply.WriteToken
		}
		if len(w.openItems) > 0 {
			c.upsert(w.openItems...)
			for _, it := range w.openItems {
				w.rows[it.Id] = it.Price.Units
			}
		}
	}
	if token != "" {
		c.applied(token)
	}
}
