package soak

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/loadtest/load"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

func TestChurnAndSamplesOfARealService(t *testing.T) {
	config := service.Config{Data: t.TempDir(), GRPC: "127.0.0.1:0", HTTP: "127.0.0.1:0", Store: store.DefaultOptions()}
	config.Store.Sync, config.Shop.MaxItems = false, 1<<13
	svc, err := service.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := svc.Stop(); err != nil {
			t.Error(err)
		}
	}()
	client, err := load.Dial(t.Context(), load.Target{Addr: svc.Addr(), Connections: 1, Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c := newChurn(client.Conn(), Options{Items: 700, Users: 20, Duration: time.Minute})
	if err := c.fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.importAll(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := c.follow(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	items, err := client.Items(t.Context(), 10_000)
	if err != nil || len(items) != 700 || items[0].Title != "gel pen 0, edition 1" {
		t.Errorf("%d items, %v, %v", len(items), items[:min(1, len(items))], err)
	}
	if c.count != (Churn{Imports: 1, ImportedRows: 700, LastTraining: c.count.LastTraining}) {
		t.Errorf("counted %+v", c.count)
	}

	s := &sampler{addr: svc.HTTPAddr(), client: &http.Client{Timeout: 30 * time.Second}, window: time.Second}
	ctx, stop := context.WithTimeout(t.Context(), 3500*time.Millisecond)
	defer stop()
	var sampling sync.WaitGroup
	sampling.Go(func() { s.run(ctx) })
	plan := load.Plan{Rate: 50, Arrivals: load.Fixed, Mix: mix, Duration: 3 * time.Second, InFlight: 64, Limit: 10, Seed: 1}
	step, err := client.Constant(t.Context(), plan, load.Traffic{Users: load.Population{Count: 20, Prefix: "u", Exponent: 1.1}, Items: items}, nil)
	sampling.Wait()
	if err != nil {
		t.Fatal(err)
	}
	r := &Result{Errors: map[string]int64{}}
	if r.take(step); len(r.Errors) > 0 {
		t.Errorf("errors %v", r.Errors)
	}
	if len(s.samples) == 0 || s.samples[0].RSSMB < 1 || s.samples[0].Goroutines < 2 || s.samples[0].Descriptors < 2 {
		t.Errorf("samples %+v", s.samples)
	}
	calls := 0.0
	for _, w := range s.windows {
		calls += w.Calls
		if w.Calls > 0 && w.P99MS <= 0 {
			t.Errorf("a window of %v calls without a tail", w.Calls)
		}
	}
	if len(s.windows) == 0 || calls == 0 {
		t.Errorf("windows %+v", s.windows)
	}
}
