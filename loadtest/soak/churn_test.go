package soak

import (
	"context"
	"net/http"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/loadtest/load"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
	"github.com/kindred-rec/kindred/server/training"
)

// serve runs a service, with a client.
func serve(t *testing.T) (*service.Service, service.Config, *load.Client) {
	t.Helper()
	config := service.Config{Data: t.TempDir(), GRPC: "127.0.0.1:0", HTTP: "127.0.0.1:0", Store: store.DefaultOptions()}
	config.Store.Sync, config.Shop.MaxItems = false, 1<<13
	svc, err := service.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := svc.Stop(); err != nil {
			t.Error(err)
		}
	})
	client, err := load.Dial(t.Context(), load.Target{Addr: svc.Addr(), Connections: 1, Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return svc, config, client
}

// train sends a service a model of its log, as a training does that is kept and not promoted.
func train(t *testing.T, client *load.Client, seed uint64) (hash string) {
	t.Helper()
	texts, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := training.Connect(t.Context(), client.Conn())
	if err != nil {
		t.Fatal(err)
	}
	r, err := training.Run(t.Context(), tenant, training.Options{Dir: t.TempDir(), Encoder: texts, Epochs: 1, Dim: 32, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tenant.Upload(t.Context(), r.Bundle); err != nil {
		t.Fatal(err)
	}
	return string(r.Bundle.Hash())
}

func TestTheNewestModelIsPromotedByHandOnce(t *testing.T) {
	_, _, client := serve(t)
	c := newChurn(client.Conn(), Options{Items: 100, Users: 40})
	if err := c.fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.begin(t.Context())
	if err := c.promote(t.Context()); err != nil || c.count.ByHand != 0 {
		t.Fatalf("without a model: %v, %+v", err, c.count)
	}
	train(t, client, 1)
	time.Sleep(1100 * time.Millisecond) // a model's age is told in seconds
	newest := train(t, client, 2)
	for range 2 { // the second finds that it is done
		if err := c.promote(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	list, err := c.models.ListModels(t.Context(), &kindredv1.ListModelsRequest{})
	if err != nil || len(list.Models) != 2 || list.PromotedHash != newest {
		t.Errorf("%v, of %d models %s is promoted, the newest is %s", err, len(list.GetModels()), list.GetPromotedHash(), newest)
	}
	for end := time.Now().Add(time.Minute); c.count.Promotions == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err := c.follow(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if c.count.ByHand != 1 || c.count.Promotions != 1 {
		t.Errorf("counted %+v", c.count)
	}
}

func TestEachTrainingCountsOnceAndOneThatFailedIsAnError(t *testing.T) {
	c, at := newChurn(nil, Options{}), time.Now()
	ended := func(s int, outcome kindredv1.TrainingOutcome) *kindredv1.TrainingStatus {
		end := at.Add(time.Duration(s) * time.Second)
		return &kindredv1.TrainingStatus{StartTime: timestamppb.New(end.Add(-7 * time.Second)), EndTime: timestamppb.New(end), Outcome: outcome, Reason: "so"}
	}
	for _, s := range []int{0, 0, 30} {
		if err := c.countTraining(ended(s, kindredv1.TrainingOutcome_TRAINING_OUTCOME_KEPT)); err != nil {
			t.Fatal(err)
		}
	}
	if c.count.Trainings != 2 || c.count.TrainingS != 7 || c.count.LastTraining != "TRAINING_OUTCOME_KEPT: so" {
		t.Errorf("counted %+v", c.count)
	}
	if err := c.countTraining(ended(60, kindredv1.TrainingOutcome_TRAINING_OUTCOME_FAILED)); err == nil || c.count.Trainings != 2 {
		t.Errorf("a failure: %v, %+v", err, c.count)
	}
}

func TestChurnAndSamplesOfARealService(t *testing.T) {
	svc, config, client := serve(t)
	c := newChurn(client.Conn(), Options{Items: 700, Users: 20, Duration: time.Minute})
	if err := c.fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.begin(t.Context())
	c.change(t.Context())
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	c.change(cut) // an edition that is cut off is no error when it is two editions old
	c.change(t.Context())
	c.change(t.Context())
	items, err := client.Items(t.Context(), 10_000)
	if err != nil || len(items) != 700+2*7 || items[0].Title != "gel pen 0, edition 4" { // novelties of two editions
		t.Errorf("%d items, %v, %v", len(items), items[:min(1, len(items))], err)
	}
	// Of editions 0, 1, 3 and 4: the novelties of the first two are deleted, the guests of the second erased.
	if want := (Churn{Imports: 3, ChangedItems: 3 * 700, NewItems: 3 * 7, DeletedItems: 2 * 7, NewUsers: 3 * guests, ErasedUsers: guests}); c.count != want {
		t.Errorf("counted %+v, want %+v", c.count, want)
	}
	if len(c.errors) > 0 {
		t.Errorf("errors %v", c.errors)
	}

	var s *sampler
	for span := 4 * time.Second; ; span *= 2 { // a window takes the longer the busier the machine is
		s = &sampler{addr: svc.HTTPAddr(), pid: os.Getpid(), data: config.Data, client: &http.Client{Timeout: 30 * time.Second}, window: time.Second}
		sampled(t, client, items, s, span)
		if len(s.windows) > 0 || span > time.Minute {
			break
		}
	}
	if len(s.samples) == 0 || s.samples[0].RSSMB < 1 || s.samples[0].Goroutines < 2 || s.samples[0].Descriptors < 2 {
		t.Fatalf("samples %+v", s.samples)
	}
	if x := s.samples[0]; runtime.GOOS == "linux" && (x.OwnMB < 1 || x.MappedMB < 1 || x.Tables < 1 || x.HeapGoalMB < 1) {
		t.Errorf("what Linux tells is missing: %+v", x)
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

// sampled has a sampler look at a service under load for a while. No call may fail.
func sampled(t *testing.T, client *load.Client, items []load.Item, s *sampler, span time.Duration) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), span)
	defer stop()
	var sampling sync.WaitGroup
	sampling.Go(func() { s.run(ctx) })
	plan := load.Plan{Rate: 50, Arrivals: load.Fixed, Mix: mix, Duration: span, InFlight: 1024, Limit: 10, Seed: 1}
	step, err := client.Constant(t.Context(), plan, load.Traffic{Users: load.Population{Count: 20, Prefix: "u", Exponent: 1.1}, Items: items}, nil)
	sampling.Wait()
	if err != nil {
		t.Fatal(err)
	}
	r := &Result{Errors: map[string]int64{}}
	if r.take(step); len(r.Errors) > 0 {
		t.Errorf("errors %v", r.Errors)
	}
}
