package remote_test

import (
	"context"
	"errors"
	"net"
	"slices"
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
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func TestClientKeepsTheContractOfEncoders(t *testing.T) {
	c := dial(t, remote.Config{}, startWorker(t, table(t)))
	for _, e := range []embed.Encoder{c, c.Queries()} {
		if err := embed.Verify(context.Background(), e); err != nil {
			t.Error(err)
		}
	}
	if got, want := c.Info(), table(t).Info(); got != want {
		t.Errorf("info is %+v, want the encoder's own %+v", got, want)
	}
}

// A call of any size gives what the encoder gives directly, to the last bit: texts that
// are not UTF-8, that are empty, and that are longer than the model reads.
func TestVectorsEqualDirectEncodingWhateverTheTexts(t *testing.T) {
	w := startWorker(t, table(t), func(w *worker) { w.config = remote.ServerConfig{MaxTexts: 50, MaxRequestBytes: 200 << 10} })
	c := dial(t, remote.Config{}, w)
	texts := catalog(1000)
	long := strings.Repeat("desk lamp é ", 10_000)
	texts = append(texts, "", " \t", "broken \xff\xfe bytes", long, long[:65536], long[:65537], "\xff"+long, long[:70000]+"\xc3", "ink\x00pen")
	out := make([]float32, len(texts)*c.Info().Dim)
	if err := c.Encode(context.Background(), texts, out); err != nil {
		t.Fatal(err)
	}
	same(t, out, direct(t, texts))
	if s := c.Stats(); s.Requests < 20 || s.Retries != 0 || s.Truncated < 3 {
		t.Errorf("stats %+v: want more than 20 requests of 50 texts, no retry, truncated texts counted", s)
	}
}

func TestTwoWorkersShareTheLoad(t *testing.T) {
	one, two := &paced{Encoder: table(t), steps: make(chan struct{})}, &paced{Encoder: table(t), steps: make(chan struct{})}
	small := func(w *worker) { w.config.MaxTexts = 10 }
	a, b := startWorker(t, one, small), startWorker(t, two, small)
	c := dial(t, remote.Config{Parallel: 8}, a, b)
	texts := catalog(80)
	out := make([]float32, len(texts)*c.Info().Dim)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Encode(context.Background(), texts, out); err != nil {
			t.Error(err)
		}
	})
	// Eight requests are under way and none is answered: four at each, by load.
	eventually(t, "both have half", func() bool {
		return a.batcher.Stats().Bulk.Texts == 40 && b.batcher.Stats().Bulk.Texts == 40
	})
	close(one.steps)
	close(two.steps)
	wg.Wait()
	same(t, out, direct(t, texts))
}

func TestWorkersOfDifferentModelsAreRefused(t *testing.T) {
	a, b := startWorker(t, table(t)), startWorker(t, &paced{Encoder: table(t), model: "another@1"})
	_, err := remote.Dial(context.Background(), remote.Config{Addrs: []string{a.addr, b.addr}})
	if !errors.Is(err, remote.ErrModelMismatch) || !strings.Contains(err.Error(), "another@1") || !strings.Contains(err.Error(), b.addr) {
		t.Errorf("got %v, want ErrModelMismatch naming model and worker", err)
	}
	_, err = remote.Dial(context.Background(), remote.Config{Addrs: []string{a.addr}, Model: "expected@2"})
	if !errors.Is(err, remote.ErrModelMismatch) || !strings.Contains(err.Error(), "expected@2") {
		t.Errorf("got %v, want ErrModelMismatch naming what is expected", err)
	}
}

// A worker that comes back with another model is not used; the other one goes on.
func TestWorkerThatChangedItsModelIsClosedOff(t *testing.T) {
	changing, staying := startWorker(t, table(t)), startWorker(t, table(t))
	c := dial(t, remote.Config{BreakerPause: time.Hour}, changing, staying)
	changing.kill()
	changing.encoder = &paced{Encoder: table(t), model: "another@1"}
	changing.start()
	texts := catalog(20)
	out := make([]float32, len(texts)*c.Info().Dim)
	for range 20 {
		if err := c.Encode(context.Background(), texts, out); err != nil {
			t.Fatal(err)
		}
		same(t, out, direct(t, texts))
	}
	eventually(t, "the changed one is noticed", func() bool {
		if err := c.Encode(context.Background(), texts, out); err != nil {
			t.Fatal(err)
		}
		return errors.Is(c.Stats().Workers[0].Cause, remote.ErrModelMismatch)
	})
	if s := c.Stats().Workers[0]; s.Breaker != "open" {
		t.Errorf("worker of another model: %+v, want its breaker open", s)
	}
	staying.kill()
	eventually(t, "the mismatch is told when nobody else is left", func() bool {
		return errors.Is(c.Encode(context.Background(), texts, out), remote.ErrModelMismatch)
	})
}

func TestCircuitOpensAndCloses(t *testing.T) {
	w := startWorker(t, table(t))
	c := dial(t, remote.Config{Attempts: 2, BreakerFailures: 3, BreakerPause: 50 * time.Millisecond}, w)
	texts, out := catalog(3), make([]float32, 3*256)
	w.kill()
	eventually(t, "the circuit opens", func() bool {
		if err := c.Encode(context.Background(), texts, out); !errors.Is(err, embed.ErrUnavailable) {
			t.Fatalf("got %v, want ErrUnavailable", err)
		}
		return c.Stats().Workers[0].Breaker == "open"
	})
	before := c.Stats().Requests
	refused := 0
	for range 50 {
		err := c.Encode(context.Background(), texts, out)
		if err == nil || !errors.Is(err, embed.ErrUnavailable) {
			t.Fatalf("got %v, want ErrUnavailable", err)
		}
		if strings.Contains(err.Error(), "closed off") {
			refused++
		}
	}
	if sent := c.Stats().Requests - before; refused < 40 || sent > 10 {
		t.Errorf("%d of 50 calls were kept off and %d requests sent, want most and few", refused, sent)
	}
	w.start()
	eventually(t, "the circuit closes", func() bool { return c.Encode(context.Background(), texts, out) == nil })
	same(t, out, direct(t, texts))
	if s := c.Stats().Workers[0]; s.Breaker != "closed" || s.Opened == 0 {
		t.Errorf("worker is %+v, want its breaker closed after it had opened", s)
	}
}

func TestAbandonedCallCostsNothing(t *testing.T) {
	e := &paced{Encoder: table(t), steps: make(chan struct{})}
	w := startWorker(t, e, func(w *worker) { w.batch.Rows = []int{1} })
	c := dial(t, remote.Config{}, w)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Encode(ctx, catalog(100), make([]float32, 100*256)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
	eventually(t, "the worker has it", func() bool { return w.batcher.Stats().Bulk.Texts == 100 })
	cancel()
	wg.Wait()
	eventually(t, "the worker let go", func() bool { s := w.batcher.Stats().Bulk; return s.Abandoned == 1 && s.Ready == 0 })
	close(e.steps)
	if err := c.Encode(context.Background(), catalog(1), make([]float32, 256)); err != nil {
		t.Fatal(err)
	}
	if texts, _ := e.computed(); texts > 2 {
		t.Errorf("%d texts were computed, want the one that was running and the later call's", texts)
	}
}

func TestDeadlineIsTheCallersOwn(t *testing.T) {
	w := startWorker(t, &paced{Encoder: table(t), steps: make(chan struct{})})
	c := dial(t, remote.Config{}, w)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if err := c.Encode(ctx, catalog(1), make([]float32, 256)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want context.DeadlineExceeded", err)
	}
	// A worker that hangs is a fault of its own.
	hung := dial(t, remote.Config{Timeout: 30 * time.Millisecond}, w)
	if err := hung.Encode(context.Background(), catalog(1), make([]float32, 256)); !errors.Is(err, embed.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

func TestNoWorkerAnswersAtDial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	if _, err := remote.Dial(context.Background(), remote.Config{Addrs: []string{addr}}); !errors.Is(err, embed.ErrUnavailable) || !strings.Contains(err.Error(), addr) {
		t.Errorf("got %v, want ErrUnavailable naming the address", err)
	}
	// One that answers is enough, and the other is used when it is there.
	live := startWorker(t, table(t))
	late := &worker{t: t, encoder: table(t), addr: addr}
	c := dial(t, remote.Config{BreakerPause: 10 * time.Millisecond}, late, live)
	late.start()
	t.Cleanup(late.kill)
	out := make([]float32, 256)
	eventually(t, "the late one is used", func() bool {
		if err := c.Encode(context.Background(), catalog(1), out); err != nil {
			t.Fatal(err)
		}
		return late.batcher.Stats().Texts > 0
	})
}

func TestBadConfigurationAndKeysInPlainText(t *testing.T) {
	for name, config := range map[string]remote.Config{
		"Addrs": {}, "Timeout": {Addrs: []string{"a:1"}, Timeout: -1}, "Attempts": {Addrs: []string{"a:1"}, Attempts: 1000},
		"Key": {Addrs: []string{"gpu.example:1"}, Key: "secret-key"},
	} {
		_, err := remote.Dial(context.Background(), config)
		if !errors.Is(err, remote.ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want ErrConfig naming it", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret-key") {
			t.Errorf("the error holds the key: %v", err)
		}
	}
}

// scripted answers Embed as a test wants, to show what the client does with it.
type scripted struct {
	kindredv1.UnimplementedEmbeddingServiceServer
	mu    sync.Mutex
	calls int
	embed func(n int, req *kindredv1.EmbedRequest) (*kindredv1.EmbedResponse, error)
}

func (s *scripted) Info(context.Context, *kindredv1.EmbeddingServiceInfoRequest) (*kindredv1.EmbeddingServiceInfoResponse, error) {
	return &kindredv1.EmbeddingServiceInfoResponse{Model: "m@1", Dimension: 2, MaxBytes: 100, MaxTexts: 10, MaxRequestBytes: 1000, StreamWindow: 1}, nil
}

func (s *scripted) Embed(_ context.Context, req *kindredv1.EmbedRequest) (*kindredv1.EmbedResponse, error) {
	s.mu.Lock()
	s.calls++
	n := s.calls
	s.mu.Unlock()
	return s.embed(n, req)
}

func dialScripted(t *testing.T, s *scripted) *remote.Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	kindredv1.RegisterEmbeddingServiceServer(g, s)
	var served sync.WaitGroup
	served.Go(func() { _ = g.Serve(l) })
	t.Cleanup(func() { g.Stop(); served.Wait() })
	c, err := remote.Dial(context.Background(), remote.Config{Addrs: []string{l.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestOnlySafeFailuresAreRetried(t *testing.T) {
	good := func() (*kindredv1.EmbedResponse, error) {
		return &kindredv1.EmbedResponse{Model: "m@1", Dimension: 2, Vectors: []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0}}, nil
	}
	vectors := func(raw ...byte) (*kindredv1.EmbedResponse, error) {
		return &kindredv1.EmbedResponse{Model: "m@1", Dimension: 2, Vectors: raw}, nil
	}
	for name, test := range map[string]struct {
		first func() (*kindredv1.EmbedResponse, error) // the answer to the first try
		want  error                                    // nil: the second try is made, and good
	}{
		"unavailable": {func() (*kindredv1.EmbedResponse, error) { return nil, status.Error(codes.Unavailable, "away") }, nil},
		"out of memory": {func() (*kindredv1.EmbedResponse, error) {
			return nil, status.Error(codes.ResourceExhausted, "no RetryInfo")
		}, remote.ErrWorker},
		"invalid":      {func() (*kindredv1.EmbedResponse, error) { return nil, status.Error(codes.InvalidArgument, "texts") }, remote.ErrRefused},
		"internal":     {func() (*kindredv1.EmbedResponse, error) { return nil, status.Error(codes.Internal, "broken") }, remote.ErrWorker},
		"unauthorized": {func() (*kindredv1.EmbedResponse, error) { return nil, status.Error(codes.Unauthenticated, "key") }, remote.ErrUnauthorized},
		"too short":    {func() (*kindredv1.EmbedResponse, error) { return vectors(0, 0, 0x80, 0x3f) }, remote.ErrProtocol},
		"not a number": {func() (*kindredv1.EmbedResponse, error) { return vectors(0, 0, 0xc0, 0x7f, 0, 0, 0, 0) }, remote.ErrProtocol},
		"infinite":     {func() (*kindredv1.EmbedResponse, error) { return vectors(0, 0, 0x80, 0xff, 0, 0, 0, 0) }, remote.ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scripted{embed: func(n int, _ *kindredv1.EmbedRequest) (*kindredv1.EmbedResponse, error) {
				if n == 1 {
					return test.first()
				}
				return good()
			}}
			c := dialScripted(t, s)
			out := make([]float32, 2)
			err := c.Encode(context.Background(), []string{"x"}, out)
			if test.want == nil {
				if err != nil || !slices.Equal(out, []float32{1, 0}) || s.calls != 2 {
					t.Errorf("got %v, %v after %d calls; want the second call's vector", out, err, s.calls)
				}
				return
			}
			if !errors.Is(err, test.want) || s.calls != 1 {
				t.Errorf("got %v after %d calls, want %v after one", err, s.calls, test.want)
			}
		})
	}
}

func TestRetriesAreBounded(t *testing.T) {
	s := &scripted{embed: func(int, *kindredv1.EmbedRequest) (*kindredv1.EmbedResponse, error) {
		return nil, status.Error(codes.Unavailable, "away")
	}}
	c := dialScripted(t, s)
	if err := c.Encode(context.Background(), []string{"x"}, make([]float32, 2)); !errors.Is(err, embed.ErrUnavailable) || s.calls != 4 {
		t.Errorf("got %v after %d calls, want ErrUnavailable after four", err, s.calls)
	}
}

// Ten times what fits comes at once: what cannot be done is refused before anything is
// computed, with RetryInfo; what was accepted waits for a bounded number of batches.
func TestOverloadIsRefusedAtOnceWithRetryInfo(t *testing.T) {
	e := &paced{Encoder: table(t), steps: make(chan struct{}, 1000)}
	w := startWorker(t, e, func(w *worker) { w.batch = batch.Config{MaxTexts: 32, Rows: []int{24}} }) // 24 a lane
	conn := dialPlain(t, w.addr)
	service := kindredv1.NewEmbeddingServiceClient(conn)
	var wg sync.WaitGroup
	var mu sync.Mutex
	accepted, refused, waited := 0, 0, []int{}
	for i := range 240 {
		wg.Go(func() {
			_, begun := e.computed()
			texts := []string{catalog(240)[i]}
			reply, err := service.Embed(context.Background(), &kindredv1.EmbedRequest{Texts: texts})
			_, ended := e.computed()
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				accepted++
				waited = append(waited, ended-begun)
				if reply.Times.RunTimeNs <= 0 || reply.Times.QueueTimeNs <= 0 {
					t.Errorf("reply without stage times: %v", reply.Times)
				}
				return
			}
			refused++
			if status.Code(err) != codes.ResourceExhausted || retryDelay(err) < 10*time.Millisecond {
				t.Errorf("got %v with retry delay %v, want RESOURCE_EXHAUSTED with RetryInfo", err, retryDelay(err))
			}
		})
	}
	eventually(t, "the surplus is refused", func() bool { mu.Lock(); defer mu.Unlock(); return refused == 240-24 })
	if texts, _ := e.computed(); texts != 0 {
		t.Errorf("%d texts were computed before the surplus was refused", texts)
	}
	if s := w.batcher.Stats().Bulk; s.Texts != 24 {
		t.Errorf("%d texts are held, want 24", s.Texts)
	}
	for range 1000 {
		e.steps <- struct{}{}
	}
	wg.Wait()
	if accepted != 24 || slices.Max(waited) > 2 {
		t.Errorf("%d were accepted and waited for up to %d batches; want 24 and 2, a quiet call's being 1", accepted, slices.Max(waited))
	}
	// Overload is no fault: the client waits as it is told, and does not close the worker off.
	c := dial(t, remote.Config{}, w)
	if err := c.Encode(context.Background(), catalog(5), make([]float32, 5*256)); err != nil {
		t.Error(err)
	}
}

func TestClientTellsOverloadWithTheHint(t *testing.T) {
	e := &paced{Encoder: table(t), steps: make(chan struct{})}
	w := startWorker(t, e, func(w *worker) { w.batch.MaxTexts = 16 })
	c := dial(t, remote.Config{Attempts: 2}, w)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	for range 4 {
		wg.Go(func() { _ = c.Encode(ctx, catalog(3), make([]float32, 3*256)) })
	}
	eventually(t, "the lane is full", func() bool { return w.batcher.Stats().Bulk.Texts == 12 })
	err := c.Encode(context.Background(), catalog(1), make([]float32, 256))
	var full *remote.OverloadError
	if !errors.Is(err, embed.ErrOverloaded) || !errors.As(err, &full) || full.RetryAfter <= 0 {
		t.Errorf("got %v, want an OverloadError with its hint", err)
	}
	if s := c.Stats().Workers[0]; s.Breaker != "closed" {
		t.Errorf("a full worker's breaker is %s, want closed", s.Breaker)
	}
	// Somebody's search still has room.
	wg.Go(func() {
		if err := c.Queries().Encode(context.Background(), catalog(1), make([]float32, 256)); err != nil {
			t.Error("a query beside full bulk work:", err)
		}
	})
	eventually(t, "the query is in", func() bool { return w.batcher.Stats().Interactive.Texts == 1 })
	cancel()
	close(e.steps)
	wg.Wait()
}
