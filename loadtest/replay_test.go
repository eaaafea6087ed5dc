package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/loadtest/load"
	"github.com/kindred-rec/kindred/loadtest/replay"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// writeOldShop is the shop of writeShop long ago: the tenant's clock then follows the log, and nothing hangs on today's.
func writeOldShop(t *testing.T) (dir string) {
	t.Helper()
	dir = writeShop(t)
	var events strings.Builder
	start := time.Date(2015, 3, 1, 0, 0, 0, 0, time.UTC)
	for n := range 400 {
		user, step := n%20, n/20
		fmt.Fprintf(&events, `{"user":"u%d","item":"i%02d","type":"view","time":%q}`+"\n", user, (user*2+step)%40,
			start.Add(time.Duration(n)*time.Minute).Format(time.RFC3339))
	}
	if err := os.WriteFile(filepath.Join(dir, "events.jsonl"), []byte(events.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// serveData serves a store on loopback.
func serveData(t *testing.T, dir string) *service.Service {
	t.Helper()
	s, err := service.Start(t.Context(), service.Config{Data: dir, GRPC: "127.0.0.1:0", Store: store.DefaultOptions()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stop(t *testing.T, s *service.Service) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

// importShop brings the catalog in and waits until it serves.
func importShop(t *testing.T, addr, shop string) {
	t.Helper()
	c := replayCommand{serverFlags: serverFlags{Addr: addr}, logFlags: logFlags{Format: "jsonl", Data: shop, Comma: ","}, ImportItems: true}
	source, client := openShop(t, shop), dialShop(t, addr)
	defer client.Close()
	if err := c.prepare(t.Context(), client, source, output{&strings.Builder{}, &strings.Builder{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := kindredv1.NewAdminServiceClient(client.Conn()).RefreshGeneration(t.Context(), &kindredv1.RefreshGenerationRequest{}); err != nil {
		t.Fatal(err)
	}
}

func openShop(t *testing.T, shop string) dataset.Source {
	t.Helper()
	source, err := dataset.Open(dataset.JSONL, shop, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func dialShop(t *testing.T, addr string) *load.Client {
	t.Helper()
	client, err := load.Dial(t.Context(), load.Target{Addr: addr, Connections: 1, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// figuresOf is a result without what depends on the clock of the day.
func figuresOf(t *testing.T, out string) map[string]any {
	t.Helper()
	object := lastObject(t, out)
	for _, name := range []string{"ask_p50_ms", "ask_p99_ms", "wait_p99_ms", "seconds", "events_per_s"} {
		delete(object, name)
		for _, tenth := range object["tenths"].([]any) {
			delete(tenth.(map[string]any), name)
		}
	}
	return object
}

// A replay against the service is ended in the middle, and then so is the service. Both begin again, and the figures are
// those of a replay that went through.
func TestReplayGoesOnAfterItsEndAndAfterThatOfTheServer(t *testing.T) {
	shop := writeOldShop(t)
	whole := serveData(t, t.TempDir())
	defer stop(t, whole)
	importShop(t, whole.Addr(), shop)
	arguments := func(addr string, more ...string) []string {
		return append([]string{"replay", "--addr", addr, "--format", "jsonl", "--data", shop, "--json", "--retry-for", "1s"}, more...)
	}
	code, out, log := call(t, arguments(whole.Addr())...)
	if code != 0 {
		t.Fatalf("replay: code %d, %s", code, log)
	}
	want := figuresOf(t, out)

	data, file := t.TempDir(), filepath.Join(t.TempDir(), "replay.checkpoint")
	part := serveData(t, data)
	importShop(t, part.Addr(), shop)
	o := replay.DefaultOptions()
	o.Checkpoint = file
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Progress = func(done, _ int) {
		if done > 150 {
			cancel()
		}
	}
	client := dialShop(t, part.Addr())
	defer client.Close()
	if _, err := replay.Run(ctx, client.Conn(), openShop(t, shop), o); err == nil {
		t.Fatal("the replay was cancelled and did not end")
	}
	// Once more, until the server dies under it.
	o.Progress = func(done, _ int) {
		if done > 280 && part != nil {
			stop(t, part)
			part = nil
		}
	}
	o.RetryFor = 300 * time.Millisecond
	_, err := replay.Run(t.Context(), client.Conn(), openShop(t, shop), o)
	if err == nil || !strings.Contains(err.Error(), "of 400 events, at 2015-03-01T") || !strings.Contains(err.Error(), "keeps what was done") {
		t.Fatalf("the server died: error %v", err)
	}

	part = serveData(t, data)
	defer stop(t, part)
	code, out, log = call(t, arguments(part.Addr(), "--checkpoint", file)...)
	if code != 0 || !strings.Contains(log, "going on from") {
		t.Fatalf("code %d, %s", code, log)
	}
	got := figuresOf(t, out)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-whole +in three parts):\n%s", diff)
	}
	if line, err := json.Marshal(got); err != nil || got["asks"] != 360.0 || got["lag_share"] != 0.0 {
		t.Errorf("%s, error %v", line, err)
	}
}
