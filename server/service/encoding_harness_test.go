package service_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/batch"
	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/embed/static"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	shops "github.com/kindred-rec/kindred/server/shop"
)

// counted is a wrapper around the embedded encoder, whose vectors it gives: it has a model
// name of its own, does not say that it is immediate, counts each text once its batch was
// computed, and can be held still, made slow or made to fail, which no real one can.
type counted struct {
	embed.Encoder
	model string
	pause time.Duration // a batch

	mu    sync.Mutex
	texts map[string]int
	hold  chan struct{} // batches wait for it to be closed; nil: none does
	fails func(text string) error
}

func newCounted(t testing.TB, model string) *counted {
	t.Helper()
	table, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	return &counted{Encoder: table, model: model, texts: map[string]int{}}
}

func (c *counted) Info() embed.Info {
	info := c.Encoder.Info()
	info.Model = c.model
	return info
}

func (c *counted) Encode(ctx context.Context, texts []string, out []float32) error {
	c.mu.Lock()
	hold, fails := c.hold, c.fails
	c.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	time.Sleep(c.pause)
	for _, text := range texts {
		if fails == nil {
			break
		}
		if err := fails(text); err != nil {
			return err
		}
	}
	if err := c.Encoder.Encode(ctx, texts, out); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, text := range texts {
		c.texts[text]++
	}
	return nil
}

// stand holds all batches from now on, until the function that it returns is called.
func (c *counted) stand() (release func()) {
	hold := make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold = hold
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.hold = nil
		close(hold)
	})
}

func (c *counted) failing(fails func(text string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails = fails
}

// computed is how many texts were encoded, and how many times one was again.
func (c *counted) computed() (texts, again int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.texts {
		texts++
		again += n - 1
	}
	return texts, again
}

func (c *counted) times(text string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.texts[text]
}

// embedder is a running EmbeddingService over gRPC that can be killed and started again
// on its port.
type embedder struct {
	t       testing.TB
	encoder embed.Encoder
	addr    string
	batcher *batch.Batcher
	server  *remote.Server
	grpc    *grpc.Server
	served  sync.WaitGroup
}

func startEmbedder(t testing.TB, e embed.Encoder) *embedder {
	t.Helper()
	w := &embedder{t: t, encoder: e, addr: "127.0.0.1:0"}
	w.start()
	t.Cleanup(w.kill)
	return w
}

func (w *embedder) start() {
	w.t.Helper()
	var err error
	if w.batcher, err = batch.New(w.encoder, batch.Config{}); err != nil {
		w.t.Fatal(err)
	}
	if w.server, err = remote.NewServer(w.batcher, remote.ServerConfig{}); err != nil {
		w.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", w.addr)
	for end := time.Now().Add(5 * time.Second); err != nil && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond) // the port of the one before is not free yet
		listener, err = net.Listen("tcp", w.addr)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.addr = listener.Addr().String()
	w.grpc = grpc.NewServer(grpc.MaxRecvMsgSize(w.server.MaxMessage()), grpc.UnaryInterceptor(refuseBad))
	w.server.Register(w.grpc)
	w.served.Go(func() { _ = w.grpc.Serve(listener) })
}

// refuseBad refuses what holds the word "unspeakable", as a worker with a rule of its own.
func refuseBad(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if r, ok := req.(*kindredv1.EmbedRequest); ok {
		for i, text := range r.Texts {
			if unspeakable(text) != nil {
				return nil, status.Errorf(codes.InvalidArgument, "texts[%d]: is not taken", i)
			}
		}
	}
	return next(ctx, req)
}

// kill cuts all connections and throws away what is under way.
func (w *embedder) kill() {
	if w.grpc == nil {
		return
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	w.server.Drain()
	stopped := make(chan struct{})
	go func() { w.grpc.Stop(); close(stopped) }()
	_ = w.batcher.Close(gone)
	<-stopped
	w.served.Wait()
	w.server.Wait()
	w.grpc = nil
}

// dialEmbedder is a client that notices soon that a worker is back.
func dialEmbedder(t testing.TB, addrs ...string) *remote.Client {
	t.Helper()
	c, err := remote.Dial(context.Background(), remote.Config{Addrs: addrs, Attempts: 1, BreakerPause: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// slowly makes a service encode with e, in small calls.
func slowly(e embed.Encoder) func(*service.Config) {
	return func(c *service.Config) {
		c.Shop.Encoder = e
		c.Shop.Encoding = quickly()
	}
}

func quickly() shops.EncodingConfig {
	return shops.EncodingConfig{Batch: callTexts, Lanes: callLanes, Pause: 5 * time.Millisecond, MaxPause: 50 * time.Millisecond, SweepEvery: -1}
}

// At most callLanes calls of callTexts texts are under way.
const callTexts, callLanes = 64, 2

// office is the catalog of amazon-office, 3,459 items; where it is absent as many made ones.
func office(t *testing.T) []*kindredv1.Item {
	t.Helper()
	f, err := os.Open("../../../shared/data/amazon-office/items.jsonl")
	if errors.Is(err, os.ErrNotExist) {
		return things(0, 3459)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var items []*kindredv1.Item
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var row struct {
			ID          string `json:"item_id"`
			Title       string `json:"title"`
			Description string `json:"description"`
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		items = append(items, &kindredv1.Item{Id: "office-" + row.ID, Title: row.Title, Description: row.Description})
	}
	if err := lines.Err(); err != nil || len(items) != 3459 {
		t.Fatalf("%d items: %v", len(items), err)
	}
	return items
}

func (c *client) status() *kindredv1.TenantStatus {
	c.t.Helper()
	return must(c.admin.GetTenant(ctx(c.t), &kindredv1.GetTenantRequest{})).Status
}

// encodes waits for a state of the encoding.
func (c *client) encodes(what string, ok func(*kindredv1.TenantStatus) bool) *kindredv1.TenantStatus {
	c.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		st := c.status()
		if ok(st) {
			return st
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s does not come: %v", what, st)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// filled waits until the slow encoder serves and nothing waits for it.
func (c *client) filled() *kindredv1.TenantStatus {
	c.t.Helper()
	return c.encodes("a filled generation", func(st *kindredv1.TenantStatus) bool {
		return !st.Encoding.Bridged && st.Encoding.QueuedItems == 0 && st.Encoder == st.Encoding.Encoder
	})
}

// distinct is how many texts items have.
func distinct(items []*kindredv1.Item) int {
	texts := map[string]bool{}
	for _, it := range items {
		texts[fmt.Sprint(it.Title, it.Brand, it.Categories, it.Tags, it.Description[:min(300, len(it.Description))])] = true
	}
	return len(texts)
}

// itemWords is the text of one of things.
func itemWords(it *kindredv1.Item) string { return it.Title + ". " + strings.Join(it.Categories, " ") }

func dialKilled(addr string) (*remote.Client, error) {
	return remote.Dial(context.Background(), remote.Config{Addrs: []string{addr}})
}

// keptVectors is how many vectors the store has.
func keptVectors(t *testing.T, s *shop) int {
	t.Helper()
	n, err := s.service.KeptVectors(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
