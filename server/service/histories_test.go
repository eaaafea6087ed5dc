package service_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	trained "github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/embed/remote/histories"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/learned"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/worker"
)

// heard keeps what a service logs, and fails the test at an error.
type heard struct {
	faults
	mu   *sync.Mutex
	text *strings.Builder
}

func (h heard) Enabled(context.Context, slog.Level) bool { return true }

func (h heard) Handle(c context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		return h.faults.Handle(c, r)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool { h.text.WriteString(" " + a.String()); return true })
	h.text.WriteString("\n")
	return nil
}

// awaits waits for a line that the service logs.
func (h heard) awaits(words ...string) {
	h.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		h.mu.Lock()
		text := h.text.String()
		h.mu.Unlock()
		for line := range strings.Lines(text) {
			found := true
			for _, w := range words {
				found = found && strings.Contains(line, w)
			}
			if found {
				return
			}
		}
		if time.Now().After(end) {
			h.t.Fatalf("the service never said %q:\n%s", words, text)
		}
	}
}

func (h heard) has(words string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Contains(h.text.String(), words)
}

// withUsers has a service ask a worker for users' vectors; without an address none.
func withUsers(t *testing.T, addr string) (func(*service.Config), heard) {
	h := heard{faults{t}, &sync.Mutex{}, &strings.Builder{}}
	return func(c *service.Config) {
		c.Log = slog.New(h)
		if addr == "" {
			return
		}
		client, err := histories.Dial(remote.Config{Addrs: []string{addr}, Timeout: 10 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		c.Shop.Models.Users = learned.Users{Client: client}
	}, h
}

const crowd = 30

// crowded is a service that knows the acts of a crowd.
func crowded(t *testing.T, edit func(*service.Config)) *shop {
	s := start(t, edit)
	s.upsert(shelf()...)
	rng := rand.New(rand.NewPCG(1, 1))
	all := shelf()
	var events []*kindredv1.Event
	for u := range crowd {
		for e := range 1 + rng.IntN(9) {
			events = append(events, view(fmt.Sprint(u, "/", e), fmt.Sprint("u", u), all[rng.IntN(len(all))].Id))
		}
	}
	s.applied(s.write(events...).WriteToken)
	return s
}

// sendTower gives a service a model of random weights over the texts of its shelf.
func (s *shop) sendTower() (hash string) {
	s.t.Helper()
	st := s.status()
	m := trained.Model{MaxNorm: 4}
	for _, it := range shelf() {
		m.Items = append(m.Items, it.Id)
	}
	c := causal.DefaultConfig(len(m.Items), int(st.VectorDimension))
	c.Dim, c.FeedForward, c.Window = 16, 16, 6
	w, flat := causal.NewWeights(c)
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range flat {
		flat[i] = float32(rng.NormFloat64() / 4)
	}
	m.Towers = []trained.Tower{{Tower: causal.Tower{Config: c, Weights: w}, Scale: 1}}
	b, err := bundle.Write(s.t.TempDir(), bundle.Manifest{
		Created:     time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		TextEncoder: bundle.Space{Name: st.Encoder, Dim: int(st.VectorDimension)}, BehaviourDim: m.PlainDim(), Code: bundle.ThisBuild(),
	}, m.Payloads(), bundle.Limits{})
	if err != nil {
		s.t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := b.Stream(&archive); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.send(archive.Bytes()); err != nil {
		s.t.Fatal(err)
	}
	return string(b.Hash())
}

// likeness is how near each item is to each user, by the decisions of their next requests.
func (s *shop) likeness() map[string]float32 {
	s.t.Helper()
	of := map[string]string{}
	for u := range crowd {
		name := fmt.Sprint("u", u)
		reply := s.recommend(&kindredv1.RecommendRequest{Subject: user(name), Limit: 50})
		if reply.Tier != kindredv1.Tier_TIER_PERSONALIZED {
			s.t.Errorf("%s is answered from %v", name, reply.Tier)
		}
		of[reply.RecommendationId] = name
	}
	likeness := map[string]float32{}
	for _, d := range s.decisions() {
		name, ok := of[d.RecommendationId]
		if !ok {
			continue
		}
		for i, x := range similarities(s.t, d) {
			likeness[name+" "+d.Items[i].ItemId] = x
		}
	}
	if len(likeness) < crowd*5 {
		s.t.Fatalf("only %d likenesses", len(likeness))
	}
	return likeness
}

// turned is an encoder whose vectors are those of the one in it times a sign: what is used
// of it can be told from what is made in process.
type turned struct {
	histories.Encoder
	sign float32
}

func (e turned) Encode(ctx context.Context, users [][]trained.Event, out []float32) (int, error) {
	failed, err := e.Encoder.Encode(ctx, users, out)
	for i := range out {
		out[i] *= e.sign
	}
	return failed, err
}

func startWorker(t *testing.T, wrap func(histories.Encoder) histories.Encoder) *worker.Worker {
	t.Helper()
	w, err := worker.Start(t.Context(), worker.Config{
		Listen: "127.0.0.1:0", Drain: time.Millisecond,
		Histories: histories.Config{Dir: t.TempDir(), Load: func(b *bundle.Bundle) (histories.Encoder, error) {
			e, err := histories.InGo(2)(b)
			return wrap(e), err
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestAPromotionHasAWorkerMakeTheVectorsOfKnownUsers compares what requests see with what
// they do without a worker.
func TestAPromotionHasAWorkerMakeTheVectorsOfKnownUsers(t *testing.T) {
	edit, log := withUsers(t, "")
	alone := crowded(t, edit)
	alone.promoted(alone.sendTower())
	log.awaits("users' vectors made anew", "where=in process", fmt.Sprint("users=", crowd))
	want := alone.likeness()
	for _, sign := range []float32{1, -1} {
		w := startWorker(t, func(e histories.Encoder) histories.Encoder { return turned{e, sign} })
		edit, log := withUsers(t, w.Addr())
		s := crowded(t, edit)
		s.promoted(s.sendTower()) // the worker gets it with the first session
		log.awaits("users' vectors made anew", "where=elsewhere", fmt.Sprint("users=", crowd))
		compared := 0
		for pair, x := range s.likeness() {
			if y, ok := want[pair]; ok { // lists need not be the same
				if compared++; math.Abs(float64(x-sign*y)) > 1e-6 {
					t.Fatalf("%s: %g, want %g", pair, x, sign*y)
				}
			}
		}
		if compared < crowd*5 {
			t.Errorf("only %d pairs compared", compared)
		}
		s.stop()
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// stuck is an encoder that says when it has something to do, and never does it.
type stuck struct {
	histories.Encoder
	entered chan struct{}
}

func (e stuck) Encode(ctx context.Context, users [][]trained.Event, _ []float32) (int, error) {
	if len(users) == 0 {
		return 0, nil // the session begins
	}
	close(e.entered)
	<-ctx.Done()
	return 0, ctx.Err()
}

func TestAWorkerThatDiesMidwayIsNobodysError(t *testing.T) {
	entered := make(chan struct{})
	w := startWorker(t, func(e histories.Encoder) histories.Encoder { return stuck{e, entered} })
	edit, log := withUsers(t, w.Addr())
	s := crowded(t, edit)
	s.promoted(s.sendTower())
	<-entered
	during := s.likeness() // requests do not wait for it
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
	log.awaits("made in process from here on")
	for pair, x := range s.likeness() {
		if y, ok := during[pair]; ok && x != y {
			t.Errorf("%s: %g, then %g", pair, y, x)
		}
	}
	// One that was never there is not missed either.
	edit, log = withUsers(t, "127.0.0.1:1")
	s = crowded(t, edit)
	s.promoted(s.sendTower())
	log.awaits("made in process from here on")
	log.awaits("users' vectors made anew", "where=in process")
	s.likeness()
}

// TestAWorkerOfTextsAloneIsNoFault has the workers of the text encoder, which need not make
// users' vectors, asked for them.
func TestAWorkerOfTextsAloneIsNoFault(t *testing.T) {
	w, err := worker.Start(t.Context(), worker.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	edit, log := withUsers(t, w.Addr())
	s := crowded(t, func(c *service.Config) {
		edit(c)
		users := c.Shop.Models.Users.(learned.Users)
		users.Optional = true
		c.Shop.Models.Users = users
	})
	s.promoted(s.sendTower())
	log.awaits("users' vectors made anew", "where=in process", fmt.Sprint("users=", crowd))
	if log.has("from here on") {
		t.Error("it is taken for a fault")
	}
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
}

func TestAServiceStopsWhileAWorkerMakesVectors(t *testing.T) {
	entered := make(chan struct{})
	w := startWorker(t, func(e histories.Encoder) histories.Encoder { return stuck{e, entered} })
	edit, _ := withUsers(t, w.Addr())
	s := crowded(t, edit)
	s.promoted(s.sendTower())
	<-entered
	s.stop() // long before the time for one answer is over
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
}
