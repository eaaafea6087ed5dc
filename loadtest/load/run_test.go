package load

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// quickOptions make a whole test against a fake in about two seconds.
func quickOptions(t *testing.T, f *fake, mode Mode) Options {
	mix, err := ParseMix("recommend=80,event=20")
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Target: f.serve(t, Target{}).target, Mode: mode, Empty: 60 * time.Millisecond, MaxItems: 1000, SyncDir: t.TempDir(),
		Plan:   Plan{Rate: 300, Arrivals: Poisson, Mix: mix, Duration: 300 * time.Millisecond, InFlight: 100, Limit: 10, Seed: 1},
		Search: Search{Start: 100, Step: 200 * time.Millisecond, P99: time.Second, Tolerance: 0.5, Attempts: 1},
		Events: EventsPlan{Duration: 200 * time.Millisecond, Writers: 3, Batch: 20},
		Users:  Population{Count: 100, Prefix: "u", Exponent: 1.1},
	}
}

// The names of the figures are a contract with those who compare them.
func TestResultIsOneObjectWithTheAgreedNames(t *testing.T) {
	f := &fake{items: 50}
	o := quickOptions(t, f, ModeAll)
	// A server that fails above a rate gives the search an end.
	limit := make(chan struct{}, 4)
	f.before = func(context.Context) error {
		select {
		case limit <- struct{}{}:
			defer func() { <-limit }()
			time.Sleep(2 * time.Millisecond)
			return nil
		default:
			return status.Error(codes.ResourceExhausted, "four at a time")
		}
	}
	o.Plan.Arrivals = Fixed
	o.Search.Start, o.Search.Tolerance = 50, 1
	o.Events.Writers = 2
	result, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	var names map[string]json.RawMessage
	if err := json.Unmarshal(line, &names); err != nil || bytes.ContainsRune(line, '\n') {
		t.Fatalf("not one object on one line: %v", err)
	}
	for _, want := range []string{"mode", "mix", "seed", "offered_rps", "achieved_rps", "p50_ms", "p90_ms", "p99_ms", "p999_ms", "errors",
		"client_limited", "empty_rps", "empty_callers", "ratio", "saturation_rps", "half_saturation", "steps", "stages", "calls",
		"events_per_s", "event_writers", "event_batch", "batch_p99_ms", "sync_p50_ms", "machine"} {
		if _, has := names[want]; !has {
			t.Errorf("no %q in %s", want, line)
		}
	}
	if result.SaturationRPS < 50 || result.Half.Rate != result.SaturationRPS/2 || !result.Machine.Shared {
		t.Errorf("saturation %v, half %v, shared %v", result.SaturationRPS, result.Half.Rate, result.Machine.Shared)
	}
	var text, page bytes.Buffer
	if err := result.WriteTable(&text); err != nil || !strings.Contains(text.String(), "saturation:") {
		t.Errorf("table %q, error %v", text.String(), err)
	}
	if err := result.Page().Write(&page); err != nil || strings.Count(page.String(), "<svg") != 5 {
		t.Errorf("the report holds %d drawings, error %v; want 5", strings.Count(page.String(), "<svg"), err)
	}
}

func TestRateModeLeavesOutWhatItDidNotMeasure(t *testing.T) {
	result, err := Run(t.Context(), quickOptions(t, &fake{items: 50}, ModeRate))
	if err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	for _, absent := range []string{"saturation_rps", "half_saturation", "steps", "events_per_s"} {
		if bytes.Contains(line, []byte(`"`+absent+`"`)) {
			t.Errorf("%s stands in a run at one rate: %s", absent, line)
		}
	}
	if result.Ratio <= 0 || result.RecommendRatio >= result.Ratio {
		t.Errorf("ratio %v, of Recommend alone %v", result.Ratio, result.RecommendRatio)
	}
}

func TestEventsAreCountedAsTheServerAddsThem(t *testing.T) {
	for name, stream := range map[string]bool{"unary": false, "stream": true} {
		t.Run(name, func(t *testing.T) {
			f := &fake{items: 50}
			o := quickOptions(t, f, ModeEvents)
			o.Events.Stream = stream
			result, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			e := result.Events
			if e.Added != int64(len(f.events)) || e.Added != e.Batches*20 || e.Added == 0 {
				t.Errorf("counted %d events in %d batches, the server %d", e.Added, e.Batches, len(f.events))
			}
			if e.Refused != f.full.Load() {
				t.Errorf("counted %d refusals, the server %d", e.Refused, f.full.Load())
			}
			ids := map[string]bool{}
			for _, event := range f.events {
				ids[event.Id] = true
			}
			if len(ids) != len(f.events) {
				t.Errorf("%d ids for %d events", len(ids), len(f.events))
			}
		})
	}
}

func TestEmptyCallsAreCounted(t *testing.T) {
	f := &fake{}
	plan := Plan{Arrivals: Poisson, InFlight: 256, Limit: 10}
	empty, err := f.serve(t, Target{}).Empty(t.Context(), 90*time.Millisecond, time.Second, plan, nil)
	if err != nil || empty.RPS < 10 || empty.ClosedRPS < 10 || empty.Callers == 0 {
		t.Errorf("%+v, error %v", empty, err)
	}
}

func TestFailuresSayWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*fake, *Options)
		want   string
	}{
		"no server":     {func(_ *fake, o *Options) { o.Target.Addr = "127.0.0.1:1" }, "no server answers at 127.0.0.1:1"},
		"empty catalog": {func(f *fake, _ *Options) { f.items = 0 }, "catalog is empty; import one"},
		"all calls fail": {func(f *fake, _ *Options) {
			f.before = func(ctx context.Context) error {
				if f.calls[KindRecommend].Load() == 0 { // lets ListItems pass
					f.calls[KindRecommend].Add(1)
					return nil
				}
				return status.Error(codes.Unauthenticated, "no key")
			}
		}, "no key"},
		"bad rate":  {func(_ *fake, o *Options) { o.Plan.Rate = -1 }, "rate -1: must be above 0"},
		"bad mode":  {func(_ *fake, o *Options) { o.Mode = "x" }, `mode "x"`},
		"bad users": {func(_ *fake, o *Options) { o.Users.Exponent = 1 }, "exponent 1: must be above 1"},
		"sync dir":  {func(_ *fake, o *Options) { o.Mode, o.SyncDir = ModeEvents, "/nonexistent" }, "time a sync"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{items: 5}
			o := quickOptions(t, f, ModeRate)
			c.change(f, &o)
			if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v; want %q in it", err, c.want)
			}
		})
	}
}

func TestUsersOfALogComeMostActiveFirst(t *testing.T) {
	events := func(yield func(dataset.Event, error) bool) {
		for _, user := range []string{"b", "a", "c", "b", "", "c", "b"} {
			if !yield(dataset.Event{User: user}, nil) {
				return
			}
		}
	}
	users, err := UsersOf(events, 3)
	if err != nil || strings.Join(users, "") != "bca" {
		t.Errorf("users %v, error %v; want b, c, a", users, err)
	}
	if _, err := UsersOf(events, 2); err == nil {
		t.Error("a bound of 2 took 3 users")
	}
}
