package histories_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/embed/remote/histories"
)

func keep(*remote.Config) {}

// TestAWorkerMakesTheVectorsOfTheProcess also has bounds that cut requests and tables in
// many places.
func TestAWorkerMakesTheVectorsOfTheProcess(t *testing.T) {
	for name, c := range map[string]histories.Config{
		"defaults":           {},
		"few users":          {MaxUsers: 3, StreamWindow: 1},
		"few events":         {MaxRequestEvents: 40, StreamWindow: 2},
		"a small table":      {MaxTableItems: 60},
		"a table in bytes":   {MaxTableBytes: 8 << 10, MaxUsers: 50},
		"requests in bytes":  {MaxRequestBytes: 128 << 10},
		"one place for all":  {MaxStreams: 1, MaxTableItems: 100},
		"a user at a time":   {MaxUsers: 1},
		"a bundle at a time": {Loaded: 1},
	} {
		t.Run(name, func(t *testing.T) {
			c.Dir = t.TempDir()
			w := start(t, c)
			client := dial(t, w, keep)
			for seed, edit := range []func(*causal.Config){plain, func(c *causal.Config) { c.TextDim = 0 }, func(c *causal.Config) { c.Types, c.Gaps = 0, 0 }} {
				b := pack(t, uint64(seed), edit)
				s := open(t, client, b)
				for round := range uint64(3) {
					dim := textDim
					if seed == 1 {
						dim = 9 // what is not read may have any size
					}
					users := people(round, 400, 40, dim)
					same(t, encode(t, s, users), inProcess(t, b, users))
				}
				s.Close()
			}
		})
	}
}

func TestAnItemWhoseTextChangesIsReadAnew(t *testing.T) {
	b := pack(t, 1, plain)
	s := open(t, dial(t, start(t, histories.Config{Dir: t.TempDir()}), keep), b)
	for seed := range uint64(2) { // the same ids with other vectors
		users := people(seed, 20, 10, textDim)
		same(t, encode(t, s, users), inProcess(t, b, users))
	}
}

func TestABundleOfTheFolderNeedsNoUpload(t *testing.T) {
	b := pack(t, 1, plain)
	w := start(t, histories.Config{Dir: filepath.Dir(b.Dir()), BundleBytes: 1 << 20, Keep: 1})
	s := open(t, dial(t, w, keep), b)
	users := people(1, 10, 10, textDim)
	same(t, encode(t, s, users), inProcess(t, b, users))
	if info := w.part.Info(); len(info.Loaded) != 1 || info.Loaded[0] != string(b.Hash()) || info.Users != 10 {
		t.Errorf("info is %v", info)
	}
}

func TestTheLastBundlesAreKept(t *testing.T) {
	dir := t.TempDir()
	client := dial(t, start(t, histories.Config{Dir: dir, Keep: 1, Loaded: 1}), keep)
	var bundles []*bundle.Bundle
	for seed := range uint64(4) {
		b := pack(t, seed, plain)
		open(t, client, b).Close()
		bundles = append(bundles, b)
	}
	for i, b := range bundles {
		// Beside the last one there are the one that was in memory before it, and the newest.
		_, err := bundle.Open(filepath.Join(dir, string(b.Hash())), bundle.Limits{})
		if want := i >= 1; (err == nil) != want {
			t.Errorf("bundle %d is there: %v, want %v", i, err == nil, want)
		}
	}
	open(t, client, bundles[0]) // what went comes again
}

func TestAKilledWorkerEndsTheSessionAlone(t *testing.T) {
	b := pack(t, 1, plain)
	w := start(t, histories.Config{Dir: t.TempDir(), MaxUsers: 1})
	client := dial(t, w, keep)
	s := open(t, client, b)
	users := people(1, 20_000, 40, textDim)
	done := make(chan error)
	go func() { done <- s.Encode(users, make([]float32, len(users)*s.Dim())) }()
	for w.part.Info().Users == 0 {
		time.Sleep(time.Millisecond)
	}
	w.kill()
	err := <-done
	if !errors.Is(err, embed.ErrUnavailable) {
		t.Errorf("killed midway: %v", err)
	}
	if again := s.Encode(users[:1], make([]float32, s.Dim())); again == nil || again.Error() != err.Error() {
		t.Errorf("a failed session says %v", again)
	}
	if _, err := client.Open(t.Context(), b); !errors.Is(err, embed.ErrUnavailable) {
		t.Errorf("a worker that is gone: %v", err)
	}
}

// held is an encoder that stands still until it is let go, which no real one can.
type held struct {
	histories.Encoder
	entered chan struct{}
}

func (h held) Encode(ctx context.Context, users [][]learned.Event, out []float32) (int, error) {
	if len(users) > 0 {
		h.entered <- struct{}{}
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return 0, nil
}

func holding(entered chan struct{}) func(*bundle.Bundle) (histories.Encoder, error) {
	return func(b *bundle.Bundle) (histories.Encoder, error) {
		e, err := histories.InGo(1)(b)
		return held{e, entered}, err
	}
}

func TestWhoGivesUpIsLetGoAndNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("", func(t *testing.T) {
		b, entered := pack(t, 1, plain), make(chan struct{}, 10)
		w := start(t, histories.Config{Dir: t.TempDir(), Load: holding(entered), MaxStreams: 1})
		client := dial(t, w, func(c *remote.Config) { c.Timeout = 300 * time.Millisecond })
		users := people(1, 10, 10, textDim)
		ctx, cancel := context.WithCancel(t.Context())
		s, err := client.Open(ctx, b)
		if err != nil {
			t.Fatal(err)
		}
		go func() { <-entered; cancel() }()
		if err := s.Encode(users, make([]float32, len(users)*s.Dim())); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
		s.Close()
		// The place is free again, soon. A worker that says nothing is given up, too.
		for {
			s, err = client.Open(t.Context(), b)
			if err == nil {
				break
			}
			if !errors.Is(err, embed.ErrOverloaded) {
				t.Fatal(err)
			}
		}
		defer s.Close()
		if err := s.Encode(users, make([]float32, len(users)*s.Dim())); !errors.Is(err, embed.ErrUnavailable) {
			t.Errorf("without an answer: %v", err)
		}
	})
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, before %d:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

func TestADrainedWorkerAnswersWhatItReadAndRefusesTheRest(t *testing.T) {
	b := pack(t, 1, plain)
	w := start(t, histories.Config{Dir: t.TempDir()})
	client := dial(t, w, keep)
	s := open(t, client, b)
	users := people(1, 10, 10, textDim)
	same(t, encode(t, s, users), inProcess(t, b, users))
	w.server.Drain()
	if err := s.Encode(users, make([]float32, len(users)*s.Dim())); !errors.Is(err, embed.ErrUnavailable) {
		t.Errorf("draining: %v", err)
	}
	w.grpc.GracefulStop()
}

func TestManySessionsShareAWorker(t *testing.T) {
	w := start(t, histories.Config{Dir: t.TempDir(), MaxStreams: 3})
	client := dial(t, w, func(c *remote.Config) { c.Attempts = 100 })
	var all sync.WaitGroup
	for i := range uint64(6) { // more than may be at once
		b := pack(t, i%2, plain)
		users := people(i, 100, 30, textDim)
		want := inProcess(t, b, users)
		all.Go(func() {
			s, err := client.Open(t.Context(), b)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			same(t, encode(t, s, users), want)
		})
	}
	all.Wait()
}

func TestAWorkerWithoutBundlesSaysSo(t *testing.T) {
	client := dial(t, start(t, histories.Config{}), keep)
	if _, err := client.Open(t.Context(), pack(t, 1, plain)); !errors.Is(err, histories.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsBeyondTheBoundsIsRefusedBeforeItIsSent(t *testing.T) {
	b := pack(t, 1, plain)
	client := dial(t, start(t, histories.Config{Dir: t.TempDir(), MaxRequestEvents: 5, MaxTableItems: 3}), keep)
	text := make([]float32, textDim)
	event := func(item string, text []float32) learned.Event {
		return learned.Event{Item: item, Text: text, Weight: 1}
	}
	for want, events := range map[string][]learned.Event{
		"6 events, the worker takes 5":   {event("a", text), event("a", text), event("a", text), event("a", text), event("a", text), event("a", text)},
		"a table of 3 items":             {event("a", text), event("b", text), event("c", text), event("d", text)},
		"3 components, the bundle reads": {event("a", text[:3])},
	} {
		s := open(t, client, b)
		err := s.Encode([][]learned.Event{events}, make([]float32, s.Dim()))
		if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, embed.ErrRefused) && !errors.Is(err, learned.ErrEvent) {
			t.Errorf("got %v, want %q", err, want)
		}
		s.Close()
	}
	client = dial(t, start(t, histories.Config{Dir: t.TempDir(), BundleBytes: 100}), keep)
	if _, err := client.Open(t.Context(), b); !errors.Is(err, embed.ErrRefused) || !strings.Contains(err.Error(), "the worker takes 100") {
		t.Errorf("a large bundle: %v", err)
	}
}
