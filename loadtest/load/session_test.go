package load

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func visits(t *testing.T, steps string, think time.Duration, stay float64) *Sessions {
	t.Helper()
	parsed, err := ParseSessionSteps(steps)
	if err != nil {
		t.Fatal(err)
	}
	return &Sessions{Steps: parsed, Think: think, Stay: stay}
}

func sessionPlan(s *Sessions) Plan {
	return Plan{Rate: 500, Arrivals: Poisson, Sessions: s, Duration: 40 * time.Second, InFlight: 10, Limit: 10, Seed: 3}
}

func TestSessionsComeAtTheRateFromTheStart(t *testing.T) {
	for _, stay := range []float64{1, 0.7} {
		plan := sessionPlan(visits(t, "view,recommend,click,recommend,add_to_cart", 3*time.Second, stay))
		all := drawAll(plan, Population{Count: 100, Exponent: 1.5}, 50)
		if !slices.IsSortedFunc(all, func(a, b arrival) int { return int(a.due - b.due) }) {
			t.Fatal("calls are not in the order of time")
		}
		// Calls of one session come together, so their count varies more than a Poisson one: by a factor of a session's
		// mean squared length over its mean length, at most its greatest length of 5.
		for _, part := range []time.Duration{0, 20 * time.Second} {
			n := 0.0
			for _, a := range all {
				if a.due >= part && a.due < part+20*time.Second {
					n++
				}
			}
			if want := 500.0 * 20; math.Abs(n-want) > 4*math.Sqrt(5*want) {
				t.Errorf("stay %v: %v calls in the 20 s after %v; want about %v", stay, n, part, want)
			}
		}
		var counts Mix
		for _, a := range all {
			counts[a.kind] += 1 / float64(len(all))
		}
		for k, share := range plan.mix() {
			if math.Abs(counts[k]-share) > 0.03 {
				t.Errorf("stay %v: share of %s is %.3f; want %.3f", stay, Kind(k), counts[k], share)
			}
		}
		if !slices.Equal(all, drawAll(plan, Population{Count: 100, Exponent: 1.5}, 50)) {
			t.Error("one seed gave two schedules")
		}
	}
}

// With one user for each session, its calls can be followed: in the order of the steps, on one page between two clicks, with
// the mean time between them.
func TestASessionGoesThroughItsSteps(t *testing.T) {
	plan := sessionPlan(visits(t, "view,recommend,like,click,similar", time.Second, 1))
	plan.Rate, plan.Duration = 20, 400*time.Second
	byUser := map[uint32][]arrival{}
	for _, a := range drawAll(plan, Population{Count: 1 << 30, Exponent: 1.0001}, 1<<20) {
		byUser[a.user] = append(byUser[a.user], a)
	}
	want := []SessionStep{{KindEvent, actView}, {KindRecommend, 0}, {KindEvent, actLike}, {KindEvent, actClick}, {KindSimilar, 0}}
	whole, gaps := 0, 0.0
	for _, calls := range byUser {
		if len(calls) != len(want) || calls[0].due < 20*time.Second {
			continue // began before the run, goes on after it, or shares its user with another
		}
		whole++
		for i, a := range calls {
			if a.kind != want[i].kind || a.act != want[i].act {
				t.Fatalf("call %d is %s; want %s", i, SessionStep{a.kind, a.act}, want[i])
			}
		}
		if calls[0].item != calls[2].item || calls[2].item == calls[3].item || calls[3].item != calls[4].item {
			t.Fatalf("pages %d %d %d %d: a click opens another, nothing else does", calls[0].item, calls[2].item, calls[3].item, calls[4].item)
		}
		gaps += (calls[4].due - calls[0].due).Seconds() / 4
	}
	if mean := gaps / float64(whole); whole < 500 || math.Abs(mean-1) > 0.1 {
		t.Errorf("%d whole sessions, %.2f s between steps on average; want 1 s", whole, mean)
	}
}

func TestSessionCallsReachTheServer(t *testing.T) {
	f := &fake{items: 20}
	o := quickOptions(t, f, ModeRate)
	o.Plan.Mix, o.Plan.Sessions, o.Empty = Mix{}, visits(t, "view,recommend,click,purchase", 50*time.Millisecond, 0.9), 0
	o.Plan.Duration = time.Second
	result, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]int{}
	for _, e := range f.events {
		types[e.Type.String()]++
	}
	for _, name := range []string{"EVENT_TYPE_VIEW", "EVENT_TYPE_CLICK", "EVENT_TYPE_PURCHASE"} {
		if types[name] == 0 {
			t.Errorf("no %s among %v", name, types)
		}
	}
	if len(f.asked) == 0 || len(f.asked[0].ContextItemIds) != 1 {
		t.Errorf("%d asks; want some that name the page", len(f.asked))
	}
	if result.Sessions == nil || result.Sessions.Steps != "view,recommend,click,purchase" || !strings.Contains(result.Mix, "recommend=") {
		t.Errorf("sessions %+v, mix %q do not say what came", result.Sessions, result.Mix)
	}
}

func TestBadSessionsAreRefused(t *testing.T) {
	for _, text := range []string{"", "view,,click", "browse", "patch", "add", "event"} {
		if _, err := ParseSessionSteps(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	for name, change := range map[string]func(*Plan){
		"mix too":        func(p *Plan) { p.Mix = Mix{KindRecommend: 1} },
		"no think":       func(p *Plan) { p.Sessions.Think = 0 },
		"stay":           func(p *Plan) { p.Sessions.Stay = 1.1 },
		"no steps":       func(p *Plan) { p.Sessions.Steps = nil },
		"too many open":  func(p *Plan) { p.Sessions.Think, p.Rate = time.Hour, 10000 },
		"stay is no NaN": func(p *Plan) { p.Sessions.Stay = math.NaN() },
	} {
		plan := sessionPlan(visits(t, "view,recommend", time.Second, 1))
		if err := plan.validate(); err != nil {
			t.Fatal(err)
		}
		if change(&plan); plan.validate() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
