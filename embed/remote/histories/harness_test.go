package histories_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/kindred-rec/kindred/embed/batch"
	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/embed/remote/histories"
	"github.com/kindred-rec/kindred/embed/static"
)

const items, textDim = 300, 24

func random(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64() / 4)
	}
	return x
}

func id(i int) string { return fmt.Sprint("item-", i) }

// pack makes a bundle of one random tower that reads types and gaps.
func pack(t testing.TB, seed uint64, edit func(*causal.Config)) *bundle.Bundle {
	t.Helper()
	numbering := learned.Numbering{Types: []string{"view", "", "dislike"}, Gaps: []float64{10, 3600}, Values: []float32{0, 2}}
	c := causal.DefaultConfig(items, textDim)
	c.Dim, c.FeedForward, c.Window = 32, 48, 20
	c.Types, c.Gaps, c.Values = numbering.Rows()
	edit(&c)
	w, flat := causal.NewWeights(c)
	copy(flat, random(rand.New(rand.NewPCG(seed, 1)), len(flat)))
	m := learned.Model{Towers: []learned.Tower{{Tower: causal.Tower{Config: c, Weights: w}, Scale: 1}}, Numbering: numbering}
	for i := range c.Items {
		m.Items = append(m.Items, id(i))
	}
	b, err := bundle.Write(t.TempDir(), bundle.Manifest{
		Created: time.Unix(int64(1+seed), 0), TextEncoder: bundle.Space{Name: "e", Dim: max(1, c.TextDim)}, BehaviourDim: m.PlainDim(),
	}, m.Payloads(), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func plain(*causal.Config) {}

// people are users with up to so many events each, on items of which some are new, some
// have no text and some are gone.
func people(seed uint64, n, events, dim int) [][]learned.Event {
	rng := rand.New(rand.NewPCG(seed, 2))
	texts := make([][]float32, items+50)
	for i := range texts {
		if i%7 != 6 {
			texts[i] = random(rng, dim)
		}
	}
	users := make([][]learned.Event, n)
	for u := range users {
		at := int64(1_700_000_000_000_000)
		for range rng.IntN(events + 1) {
			i := rng.IntN(len(texts))
			at += rng.Int64N(5000) * 1_000_000
			e := learned.Event{Item: id(i), Text: texts[i], Type: []string{"view", "purchase", "dislike"}[rng.IntN(3)], Weight: float32(rng.IntN(6)) - 1, Time: at}
			switch rng.IntN(20) {
			case 0:
				e.Item, e.Text = "", nil
			case 1:
				e.Time = 0
			}
			users[u] = append(users[u], e)
		}
	}
	return users
}

// inProcess is what users' vectors are.
func inProcess(t testing.TB, b *bundle.Bundle, users [][]learned.Event) []float32 {
	t.Helper()
	e, err := learned.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(users)*e.Dim())
	for i, u := range users {
		if _, err := e.User(out[i*e.Dim():(i+1)*e.Dim()], u); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func same(t *testing.T, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d components, want %d", len(got), len(want))
	}
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-6 {
			t.Fatalf("component %d is %g, want %g", i, got[i], want[i])
		}
	}
}

// worker is a running one.
type worker struct {
	addr   string
	part   *histories.Server
	server *remote.Server
	grpc   *grpc.Server
	kill   func()
}

// start runs a worker. Without a Dir it has none of EmbedHistories.
func start(t testing.TB, c histories.Config) *worker {
	t.Helper()
	table, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	batcher, err := batch.New(table, batch.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{}
	config := remote.ServerConfig{}
	if c.Dir != "" {
		if w.part, err = histories.NewServer(c); err != nil {
			t.Fatal(err)
		}
		config.Histories = w.part
	}
	if w.server, err = remote.NewServer(batcher, config); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	w.grpc = grpc.NewServer(grpc.MaxRecvMsgSize(w.server.MaxMessage()))
	w.server.Register(w.grpc)
	var served sync.WaitGroup
	served.Go(func() { _ = w.grpc.Serve(l) })
	w.kill = sync.OnceFunc(func() {
		w.grpc.Stop()
		served.Wait()
		w.server.Wait()
		if err := batcher.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	t.Cleanup(w.kill)
	return w
}

func dial(t testing.TB, w *worker, edit func(*remote.Config)) *histories.Client {
	t.Helper()
	config := remote.Config{Addrs: []string{w.addr}, Attempts: 1}
	edit(&config)
	c, err := histories.Dial(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func open(t testing.TB, c *histories.Client, b *bundle.Bundle) *histories.Session {
	t.Helper()
	s, err := c.Open(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func encode(t testing.TB, s *histories.Session, users [][]learned.Event) []float32 {
	t.Helper()
	out := make([]float32, len(users)*s.Dim())
	for i := range out {
		out[i] = 7
	}
	if err := s.Encode(users, out); err != nil {
		t.Fatal(err)
	}
	return out
}
