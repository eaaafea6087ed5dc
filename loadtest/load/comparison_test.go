package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// noisy is n results of one rate whose latencies vary by a share, around a mean p99.
func noisy(random *rand.Rand, n int, p99, noise float64) []*Result {
	var all []*Result
	for range n {
		f := func() float64 { return math.Exp(noise * random.NormFloat64()) }
		all = append(all, &Result{Mode: ModeRate, DurationS: 10, Step: &Step{Rate: 100, OfferedRPS: 100, AchievedRPS: 100 * f(),
			Latency: Latency{P50: p99 / 4 * f(), P99: p99 * f()}}})
	}
	return all
}

func compared(t *testing.T, a, b []*Result) map[string]Difference {
	t.Helper()
	c, err := Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]Difference{}
	for _, d := range c.Differences {
		byName[d.Name] = d
	}
	return byName
}

// Two tests of one server differ by noise alone: at most 5% of comparisons may find anything in any figure. Of 1,000 with a
// fixed seed, 70 are 3 standard deviations more than that.
func TestNoiseIsNoDifference(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	alarms := 0
	for range 1000 {
		c, err := Compare(noisy(random, 5, 20, 0.1), noisy(random, 5, 20, 0.1))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range c.Differences {
			if d.Verdict != NoDifference {
				alarms++
				break
			}
		}
	}
	t.Logf("%d of 1,000 comparisons of a server with itself found a difference", alarms)
	if alarms > 70 {
		t.Errorf("%d of 1,000 comparisons of a server with itself found a difference; want at most 5%%", alarms)
	}
}

func TestRealDifferenceIsFoundWithItsSizeAndDirection(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	found, covered := 0, 0
	for range 200 {
		d := compared(t, noisy(random, 8, 20, 0.02), noisy(random, 8, 21.6, 0.02))["p99_ms"] // 8% slower
		if d.Verdict == Worse {
			found++
		}
		if d.Low <= 8 && 8 <= d.High {
			covered++
		}
	}
	if found < 190 || covered < 190 {
		t.Errorf("of 200 servers that are 8%% slower at 2%% noise %d were found worse, %d intervals hold 8%%; want nearly all", found, covered)
	}
	d := compared(t, noisy(random, 8, 20, 0.02), noisy(random, 8, 10, 0.02))["p99_ms"]
	if d.Verdict != Better || !strings.HasPrefix(d.Text, "faster by") || d.WorseBy != 0 || math.Abs(d.Change+50) > 3 {
		t.Errorf("half the latency is %+v", d)
	}
}

func TestDirectionFollowsTheFigure(t *testing.T) {
	more := func(rps float64, failed int64) []*Result {
		var all []*Result
		for i := range 4 {
			all = append(all, &Result{Mode: ModeSaturation, DurationS: 10, SaturationRPS: rps + float64(i),
				Step: &Step{OfferedRPS: 100, AchievedRPS: rps, Latency: Latency{P50: 1, P99: 2}, Errors: map[string]int64{"Internal": failed + int64(i)}}})
		}
		return all
	}
	d := compared(t, more(1000, 0), more(800, 200))
	if got := d["saturation_rps"]; got.Verdict != Worse || !strings.HasPrefix(got.Text, "lower by 20%") {
		t.Errorf("a lower saturation is %+v", got)
	}
	if got := d["failed_percent"]; got.Verdict != Worse || got.Unit != "points" || math.Abs(got.Change-20) > 0.1 {
		t.Errorf("200 failures of 1,000 calls are %+v", got)
	}
	if got := d["p99_ms"]; got.Verdict != NoDifference {
		t.Errorf("equal figures are %+v", got)
	}
}

func TestOneRunHasNoVerdict(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	d := compared(t, noisy(random, 1, 20, 0.1), noisy(random, 5, 40, 0.1))["p99_ms"]
	if d.Verdict != Unknown || d.WorseBy != 0 || !strings.Contains(d.Text, "--repeat") {
		t.Errorf("one run against five is %+v", d)
	}
}

func TestRepeatedTestGoesThroughJSONIntoAComparison(t *testing.T) {
	f := &fake{items: 5}
	o := quickOptions(t, f, ModeRate)
	o.Empty = 0
	var lines bytes.Buffer
	results, err := Repeat(t.Context(), o, 3, func(r *Result) error { return json.NewEncoder(&lines).Encode(r) })
	if err != nil || len(results) != 3 || results[0].Seed == results[1].Seed || results[2].Repetition != 3 {
		t.Fatalf("%d results, error %v", len(results), err)
	}
	sum, err := Summarize(results)
	if err != nil {
		t.Fatal(err)
	}
	p99 := sum.Figures["p99_ms"]
	if mean := (results[0].P99 + results[1].P99 + results[2].P99) / 3; math.Abs(p99.Mean-mean) > 1e-9 || !(p99.Low < mean && mean < p99.High) {
		t.Errorf("p99 %+v of a mean of %v", p99, mean)
	}
	if err := json.NewEncoder(&lines).Encode(sum); err != nil {
		t.Fatal(err)
	}
	again, err := ReadResults(&lines)
	if err != nil || len(again) != 3 || again[1].P99 != results[1].P99 {
		t.Fatalf("%d results read again, error %v", len(again), err)
	}
	if d := compared(t, again, results)["p99_ms"]; d.Verdict != NoDifference || d.Change != 0 {
		t.Errorf("a test compared with itself: %+v", d)
	}
}

// Of 1, 2 and 3 the standard deviation is 1, the standard error 1/√3, and Student's t of 2 degrees of freedom at 95% 4.303.
func TestIntervalIsStudents(t *testing.T) {
	var results []*Result
	for _, p99 := range []float64{1, 2, 3} {
		results = append(results, &Result{Step: &Step{Latency: Latency{P99: p99}}})
	}
	sum, err := Summarize(results)
	if err != nil {
		t.Fatal(err)
	}
	if i := sum.Figures["p99_ms"]; i.Mean != 2 || math.Abs(i.High-2-4.302653/math.Sqrt(3)) > 1e-4 || math.Abs(i.Low+i.High-4) > 1e-9 {
		t.Errorf("interval %+v", i)
	}
}

func TestUnlikeTestsAreNamed(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	a, b := noisy(random, 2, 20, 0.1), noisy(random, 2, 20, 0.1)
	for _, r := range b {
		r.Mix, r.Machine.Cores = "recommend=100", 64
	}
	c, err := Compare(a, b)
	if err != nil || len(c.Unlike) != 2 {
		t.Errorf("unlike %q, error %v; want mix and cores", c.Unlike, err)
	}
	var text bytes.Buffer
	if err := c.WriteTable(&text); err != nil || !strings.Contains(text.String(), "unlike in mix") {
		t.Errorf("error %v, table:\n%s", err, text.String())
	}
}

func TestNotResultsAreRefused(t *testing.T) {
	for text, want := range map[string]string{"": "no results", "{}": "names no mode", "x": "line 1", `{"repetitions":3}`: "no results",
		`{"mode":"rate"}` + "\n" + `{"mode":5}`: "line 2"} {
		if _, err := ReadResults(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v; want %q", text, err, want)
		}
	}
	if _, err := Compare(nil, nil); err == nil {
		t.Error("nothing was compared with nothing")
	}
	if _, err := Compare([]*Result{{Mode: ModeEvents, Events: &Events{PerSecond: 1}}}, noisy(rand.New(rand.NewPCG(1, 1)), 2, 1, 0.1)); err == nil {
		t.Error("tests without a common figure were compared")
	}
}

func TestRepeatEndsWithItsServer(t *testing.T) {
	f := &fake{items: 5}
	o := quickOptions(t, f, ModeRate)
	o.Empty, o.Plan.GiveUp = 0, 200*time.Millisecond
	results, err := Repeat(t.Context(), o, 5, func(r *Result) error {
		if r.Repetition == 2 {
			f.server.Stop()
		}
		return nil
	})
	if len(results) != 2 || err == nil {
		t.Errorf("%d results, error %v; the server was stopped after the second", len(results), err)
	}
	stop := errors.New("disk full")
	if _, err := Repeat(t.Context(), quickOptions(t, &fake{items: 5}, ModeRate), 2, func(*Result) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v; want %v", err, stop)
	}
}
