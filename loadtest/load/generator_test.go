package load

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func onlyRecommend(rate float64, span time.Duration) Plan {
	return Plan{Rate: rate, Arrivals: Fixed, Mix: Mix{KindRecommend: 1}, Duration: span, InFlight: 1000, Limit: 10, Seed: 1}
}

func someUsers() Traffic { return Traffic{Users: Population{Count: 1000, Prefix: "u", Exponent: 1.1}} }

// A server that stands still for a tenth of the time delays about a tenth of what arrives. The open loop reports it; a
// closed loop, which waits out the pause with its one call, sees a single slow call among hundreds.
func TestStallShowsInOpenLoopAndHidesFromClosedLoop(t *testing.T) {
	const period, stall, span = 500 * time.Millisecond, 100 * time.Millisecond, 2 * time.Second
	start := time.Now()
	f := &fake{before: func(context.Context) error {
		if phase := time.Since(start) % period; phase < stall {
			time.Sleep(stall - phase)
		}
		return nil
	}}
	client := f.serve(t, Target{})

	closed := hdrhistogram.New(1, longest.Microseconds(), 3)
	var wait sync.WaitGroup
	wait.Go(func() {
		c := newCaller(client.conns[0], someUsers().Users, nil, 10, "")
		for began := time.Now(); time.Since(start) < span; began = time.Now() {
			if err := c.call(t.Context(), arrival{kind: KindRecommend}); err != nil {
				t.Error(err)
				return
			}
			record(closed, time.Since(began))
			time.Sleep(time.Millisecond) // a client that works between its calls
		}
	})
	step, err := client.Constant(t.Context(), onlyRecommend(400, span), someUsers(), nil)
	wait.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := step.P99, millis(stall)/2; got < want {
		t.Errorf("open loop: p99 %.1f ms hides a stall of %v; want at least %.0f ms", got, stall, want)
	}
	if got, bound := millis(quantile(closed, 90)), millis(stall)/2; got > bound {
		t.Errorf("closed loop: p90 %.1f ms; the comparison needs it under %.0f ms", got, bound)
	}
	slow := 0
	for _, b := range closed.Distribution() {
		if micros(b.From) > stall/2 {
			slow += int(b.Count)
		}
	}
	openSlow := step.Histogram.TotalCount() / 20
	if int64(slow) >= openSlow {
		t.Errorf("closed loop counted %d slow calls, open loop at least %d: coordinated omission was not shown", slow, openSlow)
	}
}

func TestArrivalsPastTheBoundAreCounted(t *testing.T) {
	release := make(chan struct{})
	f := &fake{before: func(context.Context) error { <-release; return nil }}
	client := f.serve(t, Target{Timeout: time.Minute})
	plan := onlyRecommend(500, 400*time.Millisecond)
	plan.InFlight = 7
	time.AfterFunc(2*time.Second, func() { close(release) })
	step, err := client.Constant(t.Context(), plan, someUsers(), nil)
	if err != nil {
		t.Fatal(err)
	}
	sent := step.Histogram.TotalCount()
	if sent != 7 || step.ClientLimited != 200-7 {
		t.Errorf("sent %d, limited %d of 200 arrivals; want 7 and 193", sent, step.ClientLimited)
	}
	if step.P50 < 1000 {
		t.Errorf("p50 %.0f ms does not hold the wait for the answer", step.P50)
	}
}

func TestErrorsAreCountedByCode(t *testing.T) {
	var mu sync.Mutex
	n := 0
	f := &fake{before: func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if n++; n%4 == 0 {
			return status.Error(codes.ResourceExhausted, "no room")
		}
		return nil
	}}
	step, err := f.serve(t, Target{}).Constant(t.Context(), onlyRecommend(400, 500*time.Millisecond), someUsers(), nil)
	if err != nil {
		t.Fatal(err)
	}
	failed, ok := step.Errors["ResourceExhausted"], step.Histogram.TotalCount()
	if failed+ok != 200 || failed != 50 || len(step.Errors) != 1 {
		t.Errorf("errors %v and %d answers of 200 arrivals; want 50 and 150", step.Errors, ok)
	}
	if step.ErrorSamples["ResourceExhausted"] != "no room" {
		t.Errorf("samples %v do not hold the message", step.ErrorSamples)
	}
}

func TestCallPastTheTimeoutIsAnError(t *testing.T) {
	f := &fake{before: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
	client := f.serve(t, Target{Timeout: 100 * time.Millisecond})
	step, err := client.Constant(t.Context(), onlyRecommend(50, 200*time.Millisecond), someUsers(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if step.Errors["DeadlineExceeded"] != 10 || step.AchievedRPS != 0 {
		t.Errorf("errors %v, achieved %v; want 10 DeadlineExceeded and 0", step.Errors, step.AchievedRPS)
	}
}

func TestWarmUpCountsNowhere(t *testing.T) {
	var calls atomic.Int64
	f := &fake{before: func(context.Context) error {
		if calls.Add(1) <= 10 {
			return status.Error(codes.Unavailable, "warming up")
		}
		return nil
	}}
	client := f.serve(t, Target{})
	plan := onlyRecommend(100, 500*time.Millisecond)
	plan.WarmUp = 500 * time.Millisecond
	step, err := client.Constant(t.Context(), plan, someUsers(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(step.Errors) != 0 || step.Histogram.TotalCount() != 50 {
		t.Errorf("errors %v, %d answers; want none and 50", step.Errors, step.Histogram.TotalCount())
	}
	var failed, ok int64
	for _, p := range step.Points {
		failed, ok = failed+p.Failed, ok+p.Count
	}
	if failed != 10 || failed+ok != 100 {
		t.Errorf("timeline holds %d failures and %d answers of 100; the warm-up must show there", failed, ok)
	}
}

func TestCancelEndsARun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client := (&fake{}).serve(t, Target{})
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := client.Constant(ctx, onlyRecommend(2, time.Hour), someUsers(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v; want %v", err, context.Canceled)
	}
}

func TestEveryKindIsCalledAndItsReplyRead(t *testing.T) {
	f := &fake{items: 2500}
	client := f.serve(t, Target{Key: "secret"})
	items, err := client.Items(t.Context(), 2300)
	if err != nil || len(items) != 2300 {
		t.Fatalf("%d items, error %v; want 2300", len(items), err)
	}
	mix, err := ParseMix("recommend=1,event=1,similar=1,search=1,rank=1,patch=1,add=1,empty=1")
	if err != nil {
		t.Fatal(err)
	}
	plan := onlyRecommend(700, time.Second)
	plan.Mix = mix
	traffic := someUsers()
	traffic.Items = items
	f.calls[KindEmpty].Store(0) // dialling makes one
	step, err := client.Constant(t.Context(), plan, traffic, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(step.Errors) != 0 {
		t.Fatalf("errors %v %v", step.Errors, step.ErrorSamples)
	}
	for k := range kinds {
		if got, want := step.Calls[k.String()].Count, f.calls[k].Load(); got != want || got < 50 {
			t.Errorf("%s: counted %d calls, the server %d", k, got, want)
		}
	}
	slices.Sort(f.added)
	if distinct := len(slices.Compact(f.added)); int64(distinct) != step.Calls["add"].Count {
		t.Errorf("%d distinct new items in %d calls; each brings its own", distinct, step.Calls["add"].Count)
	}
	if got := step.RowErrors; got != step.Calls["patch"].Count {
		t.Errorf("%d row errors; each of %d patches had one", got, step.Calls["patch"].Count)
	}
	if got := step.Tiers["personalized"]; got != step.Calls["recommend"].Count {
		t.Errorf("tiers %v; want one personalized for each of %d", step.Tiers, step.Calls["recommend"].Count)
	}
	if got := step.Stages["retrieve"]; got.P50 < 295 || got.P99 > 305 {
		t.Errorf("retrieve %+v; the server said 300 µs each time", got)
	}
	if _, ok := f.keys.Load("Bearer secret"); !ok {
		t.Error("the key did not reach the server")
	}
}
