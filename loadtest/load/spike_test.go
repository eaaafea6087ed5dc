package load

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"
	"time"
)

func TestSpikeRaisesTheRateForItsTime(t *testing.T) {
	for _, arrivals := range []Arrivals{Poisson, Fixed} {
		plan := mixedPlan(4) // 2,000 a second, a warm-up of 1 s, 9 s measured
		plan.Arrivals, plan.Spike = arrivals, &Spike{After: 3 * time.Second, For: 2 * time.Second, Factor: 5}
		var count [phases]float64
		for _, a := range drawAll(plan, Population{Count: 10, Exponent: 2}, 10) {
			count[a.phase]++
			if want := a.due >= 4*time.Second && a.due < 6*time.Second; want != (a.phase == phaseSpike) {
				t.Fatalf("an arrival at %v is of phase %d", a.due, a.phase)
			}
		}
		for p, want := range [phases]float64{4 * 2000, 2 * 10000, 4 * 2000} {
			if math.Abs(count[p]-want) > 4*math.Sqrt(want) {
				t.Errorf("%s: %v arrivals in part %d; want about %v", arrivals, count[p], p, want)
			}
		}
	}
}

func points(width time.Duration, p99 ...float64) []Point {
	var all []Point
	for i, ms := range p99 {
		all = append(all, Point{At: time.Duration(i+1) * width, Count: 100, P99: time.Duration(ms * float64(time.Millisecond))})
	}
	return all
}

// Each case has a calm of four seconds, a spike of two, and then what is shown; a warm-up of one second counts for nothing.
func TestRecoveryIsTheFirstLastingCalm(t *testing.T) {
	for name, c := range map[string]struct {
		after     []float64
		recovered bool
		seconds   float64
	}{
		"at once":             {[]float64{4, 4, 4, 4}, true, 0},
		"after two":           {[]float64{90, 40, 5, 4, 3}, true, 2},
		"one calm is chance":  {[]float64{90, 4, 90, 4, 4, 4}, true, 3},
		"calm is no worse":    {[]float64{5, 5, 5}, true, 0},
		"too few to tell":     {[]float64{90, 4, 4}, false, 0},
		"never":               {[]float64{90, 80, 70, 60}, false, 0},
		"noise after is past": {[]float64{4, 4, 4, 9}, true, 0},
	} {
		all := points(time.Second, append([]float64{800, 3, 5, 4, 4, 60, 70}, c.after...)...)
		s := SpikeStats{IntervalS: 1}
		s.recovery(all, time.Second, 5*time.Second, 7*time.Second)
		if s.Recovered != c.recovered || s.RecoveryS != c.seconds || s.CalmP99 != 5 {
			t.Errorf("%s: recovered %v after %v s, calm %v ms; want %v, %v, 5", name, s.Recovered, s.RecoveryS, s.CalmP99, c.recovered, c.seconds)
		}
	}
}

// A server with one place queues in a spike that is more than it can do, and works the queue off afterwards.
func TestSpikeModeShowsQueueAndRecovery(t *testing.T) {
	place := make(chan struct{}, 1)
	f := &fake{items: 5, before: func(context.Context) error {
		place <- struct{}{}
		time.Sleep(2 * time.Millisecond)
		<-place
		return nil
	}}
	o := quickOptions(t, f, ModeSpike)
	o.Empty, o.Plan.Rate, o.Plan.Duration, o.Plan.InFlight, o.Plan.Arrivals = 0, 60, 5*time.Second, 5000, Fixed
	o.Plan.Spike = &Spike{After: time.Second, For: 500 * time.Millisecond, Factor: 20}
	result, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s := result.Spike
	if s == nil || s.Before.Count != 60 || s.During.Count != 600 || s.After.Count != 210 {
		t.Fatalf("parts %+v; want 60, 600 and 210 calls", s)
	}
	if s.During.P99 < 300 {
		t.Errorf("p99 %.0f ms in the spike; 600 calls of 2 ms take 1.2 s", s.During.P99)
	}
	if s.Recovered && s.RecoveryS < 0.2 {
		t.Errorf("recovered %.2f s after the spike; the queue alone is longer", s.RecoveryS)
	}
	var text, page bytes.Buffer
	if err := result.WriteTable(&text); err != nil || !strings.Contains(text.String(), "recovered") {
		t.Errorf("error %v, table without a word on recovery:\n%s", err, text.String())
	}
	if err := result.Page().WriteMarkdown(&page); err != nil || !strings.Contains(page.String(), "## The spike") {
		t.Errorf("error %v, report without the spike", err)
	}
}

func TestBadSpikeIsRefused(t *testing.T) {
	for _, s := range []Spike{{After: 0, For: 1, Factor: 2}, {After: 1, For: 0, Factor: 2}, {After: 5 * time.Second, For: 4 * time.Second, Factor: 2},
		{After: 1, For: 1, Factor: 1}, {After: 1, For: 1, Factor: math.NaN()}, {After: 1, For: 1, Factor: 1001}} {
		plan := mixedPlan(1)
		plan.Spike = &s
		if plan.validate() == nil {
			t.Errorf("%+v in %v was taken", s, plan.Duration)
		}
	}
}
