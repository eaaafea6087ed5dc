package remote_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/batch"
	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/embed/static"
)

// paced is an encoder whose pace the test sets: each batch waits for a step. Its vectors
// are the static encoder's. A fake is needed since no real one can be held still.
type paced struct {
	embed.Encoder
	model string        // "": the static encoder's
	steps chan struct{} // nil: no waiting

	mu      sync.Mutex
	batches [][]string
}

func (p *paced) Info() embed.Info {
	info := p.Encoder.Info()
	if p.model != "" {
		info.Model = p.model
	}
	return info
}

func (p *paced) Encode(ctx context.Context, texts []string, out []float32) error {
	if p.steps != nil {
		select {
		case <-p.steps:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.mu.Lock()
	p.batches = append(p.batches, slices.Clone(texts))
	p.mu.Unlock()
	return p.Encoder.Encode(ctx, texts, out)
}

// computed is the number of texts that were encoded, and of batches.
func (p *paced) computed() (texts, batches int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.batches {
		texts += len(b)
	}
	return texts, len(p.batches)
}

func table(t testing.TB) embed.Encoder {
	t.Helper()
	e, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// worker is a running worker that can be killed and started again on its port.
type worker struct {
	t       testing.TB
	encoder embed.Encoder
	batch   batch.Config
	config  remote.ServerConfig
	options []grpc.ServerOption

	addr    string
	batcher *batch.Batcher
	server  *remote.Server
	grpc    *grpc.Server
	served  sync.WaitGroup
}

func startWorker(t testing.TB, e embed.Encoder, edits ...func(*worker)) *worker {
	t.Helper()
	w := &worker{t: t, encoder: e, addr: "127.0.0.1:0"}
	for _, edit := range edits {
		edit(w)
	}
	w.start()
	t.Cleanup(w.kill)
	return w
}

func (w *worker) start() {
	w.t.Helper()
	var err error
	if w.batcher, err = batch.New(w.encoder, w.batch); err != nil {
		w.t.Fatal(err)
	}
	if w.server, err = remote.NewServer(w.batcher, w.config); err != nil {
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
	w.grpc = grpc.NewServer(append(w.options, grpc.MaxRecvMsgSize(w.server.MaxMessage()))...)
	w.server.Register(w.grpc)
	w.served.Go(func() { _ = w.grpc.Serve(listener) })
}

// kill cuts all connections and throws away what is under way.
func (w *worker) kill() {
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

// drain stops a worker as one that is told to.
func (w *worker) drain() {
	w.server.Drain()
	w.grpc.GracefulStop()
	if err := w.batcher.Close(context.Background()); err != nil {
		w.t.Error(err)
	}
	w.served.Wait()
	w.server.Wait()
	w.grpc = nil
}

func dial(t testing.TB, config remote.Config, workers ...*worker) *remote.Client {
	t.Helper()
	for _, w := range workers {
		config.Addrs = append(config.Addrs, w.addr)
	}
	c, err := remote.Dial(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// catalog is n different texts.
func catalog(n int) []string {
	words := []string{"desk", "lamp", "ink", "paper", "chair", "garden", "hose", "pen", "steel", "rose"}
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("%s %s %s %d", words[i%10], words[i/10%10], words[i/100%10], i)
	}
	return texts
}

// direct is what the static encoder gives for texts.
func direct(t testing.TB, texts []string) []float32 {
	t.Helper()
	out := make([]float32, len(texts)*table(t).Info().Dim)
	if err := table(t).Encode(context.Background(), texts, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func same(t *testing.T, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d float32, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("float32 %d is %g, want %g", i, got[i], want[i])
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatal("did not come about:", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
