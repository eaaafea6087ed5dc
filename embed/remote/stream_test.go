package remote_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/batch"
	"github.com/kindred-rec/kindred/embed/remote"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// collect reads all vectors of a flow; at calls f before each.
func collect(t *testing.T, c *remote.Client, texts []string, at func(i int)) ([]float32, error) {
	t.Helper()
	var all []float32
	i := 0
	for vector, err := range c.EncodeAll(context.Background(), slices.Values(texts)) {
		if err != nil {
			return all, err
		}
		if at != nil {
			at(i)
		}
		all = append(all, vector...)
		i++
	}
	return all, nil
}

func TestEncodeAllYieldsEveryVectorInOrder(t *testing.T) {
	for name, n := range map[string]int{"none": 0, "one": 1, "a chunk": 256, "many": 5000} {
		t.Run(name, func(t *testing.T) {
			a, b := startWorker(t, table(t)), startWorker(t, table(t), func(w *worker) { w.config.MaxTexts = 100 })
			c := dial(t, remote.Config{}, a, b)
			texts := catalog(n)
			got, err := collect(t, c, texts, nil)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, direct(t, texts))
		})
	}
}

// A worker is killed in the middle of its stream and comes back: the flow waits for it,
// and nothing is lost or yielded twice.
func TestEncodeAllSurvivesAWorkersDeath(t *testing.T) {
	e := &paced{Encoder: table(t)}
	w := startWorker(t, e)
	c := dial(t, remote.Config{BreakerPause: 20 * time.Millisecond}, w)
	texts := catalog(12_000)
	back := make(chan struct{})
	got, err := collect(t, c, texts, func(i int) {
		if i == 2000 || i == 7000 {
			w.kill()
			go func() { time.Sleep(50 * time.Millisecond); w.start(); back <- struct{}{} }()
		}
		if i == 4500 || i == 9500 { // more than what was answered when it died
			<-back
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, direct(t, texts))
	if s := c.Stats(); s.Retries == 0 {
		t.Errorf("stats %+v: want chunks that were sent again, or nothing was under way", s)
	}
}

func TestEncodeAllGoesOnWithTheOtherWorker(t *testing.T) {
	a, b := startWorker(t, table(t)), startWorker(t, table(t))
	c := dial(t, remote.Config{}, a, b)
	texts := catalog(12_000)
	got, err := collect(t, c, texts, func(i int) {
		if i == 2000 {
			a.kill()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, direct(t, texts))
	if n := b.batcher.Stats().Texts; n < 4000 {
		t.Errorf("the other worker encoded %d texts", n)
	}
}

// A worker that is told to stop answers what it has, and ends the stream.
func TestDrainingWorkerHandsOver(t *testing.T) {
	a, b := startWorker(t, table(t)), startWorker(t, table(t))
	c := dial(t, remote.Config{}, a, b)
	texts := catalog(12_000)
	got, err := collect(t, c, texts, func(i int) {
		if i == 2000 {
			a.drain() // returns: GracefulStop does not wait for the flow's end
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, direct(t, texts))
}

func TestEncodeAllGivesUpAfterItsPatience(t *testing.T) {
	w := startWorker(t, table(t))
	c := dial(t, remote.Config{Patience: 50 * time.Millisecond, BreakerPause: 10 * time.Millisecond}, w)
	_, err := collect(t, c, catalog(12_000), func(i int) {
		if i == 500 {
			w.kill()
		}
	})
	if !errors.Is(err, embed.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	// Nor does it sit out a circuit that stays open for long.
	w.start()
	c = dial(t, remote.Config{Patience: 50 * time.Millisecond, BreakerFailures: 1, BreakerPause: time.Hour}, w)
	w.kill()
	if _, err := collect(t, c, catalog(10), nil); !errors.Is(err, embed.ErrUnavailable) || !strings.Contains(err.Error(), "closed off") {
		t.Errorf("got %v, want ErrUnavailable that says what is closed off", err)
	}
}

func TestEncodeAllNoticesAWorkerThatHangs(t *testing.T) {
	hung, live := &paced{Encoder: table(t), steps: make(chan struct{})}, startWorker(t, table(t))
	c := dial(t, remote.Config{Timeout: 2 * time.Second, BreakerFailures: 1, BreakerPause: time.Hour}, startWorker(t, hung), live)
	texts := catalog(3000)
	got, err := collect(t, c, texts, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, direct(t, texts))
	if s := c.Stats().Workers[0]; s.Breaker != "open" || s.Outstanding != 0 {
		t.Errorf("the worker that hangs is %+v", s)
	}
}

func TestEncodeAllEndsWhenItsCallerDoes(t *testing.T) {
	e := &paced{Encoder: table(t), steps: make(chan struct{}, 10_000)}
	for range 10 {
		e.steps <- struct{}{}
	}
	w := startWorker(t, e)
	c := dial(t, remote.Config{}, w)
	n := 0
	for _, err := range c.EncodeAll(context.Background(), slices.Values(catalog(10_000))) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 300 {
			break
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var last error
	for _, err := range c.EncodeAll(ctx, slices.Values(catalog(10_000))) {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("last error is %v, want context.Canceled", last)
	}
	for len(e.steps) > 0 {
		<-e.steps
	}
	close(e.steps)
	eventually(t, "the worker let go of all", func() bool { return w.batcher.Stats().Bulk.Texts == 0 })
}

// A stream is slowed down by a full queue, not refused, and holds a bounded part of it.
func TestStreamWaitsForRoom(t *testing.T) {
	e := &paced{Encoder: table(t), steps: make(chan struct{}, 100_000)}
	w := startWorker(t, e, func(w *worker) { w.batch = batch.Config{MaxTexts: 64, Rows: []int{8}}; w.config.MaxTexts = 40 })
	c := dial(t, remote.Config{}, w)
	done := make(chan error, 1)
	texts := catalog(2000)
	var got []float32
	go func() {
		var err error
		got, err = collect(t, c, texts, nil)
		done <- err
	}()
	eventually(t, "the lane is full and requests wait", func() bool { s := w.batcher.Stats().Bulk; return s.Texts == 48 && s.Waiting == 0 || s.Waiting > 0 })
	if s := w.batcher.Stats().Bulk; s.Texts > 48 {
		t.Errorf("%d texts are held, at most 48 may be", s.Texts)
	}
	for range 10_000 {
		e.steps <- struct{}{}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	same(t, got, direct(t, texts))
	if s := w.batcher.Stats().Bulk; s.Refused != 0 {
		t.Errorf("%d requests of a stream were refused", s.Refused)
	}
}

func TestServerRefusesWhatIsBeyondItsLimits(t *testing.T) {
	w := startWorker(t, table(t), func(w *worker) {
		w.config = remote.ServerConfig{MaxTexts: 4, MaxRequestBytes: 128 << 10, MaxStreams: 1}
	})
	service := kindredv1.NewEmbeddingServiceClient(dialPlain(t, w.addr))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	long := strings.Repeat("x", 65_541)
	for field, req := range map[string]*kindredv1.EmbedRequest{
		"texts":    {Texts: make([]string, 5)},
		"texts[1]": {Texts: []string{"", long}},
		"kind":     {Kind: 9},
	} {
		_, err := service.Embed(ctx, req)
		if status.Code(err) != codes.InvalidArgument || violation(err) != field {
			t.Errorf("%s: got %v naming %q", field, err, violation(err))
		}
	}
	_, err := service.Embed(ctx, &kindredv1.EmbedRequest{Texts: []string{long[:60_000], long[:60_000], long[:60_000]}})
	if code := status.Code(err); code != codes.ResourceExhausted && code != codes.InvalidArgument {
		t.Errorf("180,000 bytes of 131,072: %v", err)
	}
	if reply, err := service.Embed(ctx, &kindredv1.EmbedRequest{}); err != nil || len(reply.Vectors) != 0 || reply.Model == "" {
		t.Errorf("no texts: %v, %v", reply, err)
	}

	first, err := service.EmbedStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	send := func(id int64) {
		if err := first.Send(&kindredv1.EmbedStreamRequest{Id: id, Request: &kindredv1.EmbedRequest{Texts: []string{"lamp"}}}); err != nil {
			t.Fatal(err)
		}
	}
	send(3)
	if reply, err := first.Recv(); err != nil || reply.Id != 3 || len(reply.Response.Vectors) != 1024 {
		t.Fatalf("id 3: %v, %v", reply, err)
	}
	second, err := service.EmbedStream(ctx)
	if err == nil {
		_, err = second.Recv()
	}
	if status.Code(err) != codes.ResourceExhausted || retryDelay(err) == 0 {
		t.Errorf("a second stream of one: %v", err)
	}
	send(3)
	if _, err := first.Recv(); status.Code(err) != codes.InvalidArgument || violation(err) != "id" {
		t.Errorf("id 3 again: %v", err)
	}
}

func TestStreamEndsProperly(t *testing.T) {
	w := startWorker(t, table(t))
	service := kindredv1.NewEmbeddingServiceClient(dialPlain(t, w.addr))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	stream, err := service.EmbedStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for id := range int64(20) {
		err := stream.Send(&kindredv1.EmbedStreamRequest{Id: id + 1, Request: &kindredv1.EmbedRequest{Texts: catalog(int(id))}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for id := range int64(20) {
		if reply, err := stream.Recv(); err != nil || reply.Id != id+1 || len(reply.Response.Vectors) != int(id)*1024 {
			t.Fatalf("reply %d: %v", id, err)
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last: %v, want the end", err)
	}
}
