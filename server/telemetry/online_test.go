package telemetry

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func newOnline(lists int) *Online { return NewOnline(prometheus.NewRegistry(), time.Hour, lists, noon) }

func (o *Online) count(tenant, policy, outcome string) float64 {
	return testutil.ToFloat64(o.lists.WithLabelValues(tenant, policy, outcome))
}

func TestAListCountsOnceForEachOutcome(t *testing.T) {
	o := newOnline(1000)
	o.Served("a", "r1", "home/3", noon)
	o.Served("a", "r2", "home/4", noon)
	o.Served("a", "r3", "default", noon)
	for range 3 {
		o.Acted("a", "r1", "click", noon.Add(time.Minute))
	}
	o.Acted("a", "r1", "purchase", noon.Add(2*time.Minute))
	o.Acted("a", "r2", "click", noon.Add(time.Minute))
	o.Acted("a", "r3", "add_to_cart", noon.Add(time.Minute))
	o.Acted("a", "r3", "view", noon.Add(time.Minute))
	for _, want := range []struct {
		policy, outcome string
		n               float64
	}{
		{"home", "served", 2}, {"home", "clicked", 2}, {"home", "carted", 0}, {"home", "purchased", 1},
		{"default", "served", 1}, {"default", "clicked", 0}, {"default", "carted", 1},
	} {
		if got := o.count("a", want.policy, want.outcome); got != want.n {
			t.Errorf("%s %s: %v, want %v", want.policy, want.outcome, got, want.n)
		}
	}
	if n := testutil.ToFloat64(o.unmatched); n != 0 {
		t.Errorf("%v unmatched", n)
	}
}

func TestAnEventOfNoRememberedListIsUnmatched(t *testing.T) {
	o := newOnline(1000)
	o.Served("a", "r1", "p", noon)
	o.Acted("a", "r1", "click", noon.Add(61*time.Minute)) // past the window
	o.Acted("b", "r1", "click", noon)                     // of another tenant
	o.Acted("a", "made up", "click", noon)
	o.Acted("a", "", "click", noon)                     // names none
	o.Acted("a", "r0", "click", noon.Add(-time.Second)) // from before the start
	if n := testutil.ToFloat64(o.unmatched); n != 3 {
		t.Errorf("%v unmatched, want 3", n)
	}
	if n := o.count("a", "p", "clicked"); n != 0 {
		t.Errorf("%v clicked", n)
	}
}

func TestPastItsSizeTheOldestListsAreForgottenAndCounted(t *testing.T) {
	o := newOnline(onlineShards * onlineWays) // one set a shard
	const lists = 4000
	for i := range lists {
		o.Served("a", fmt.Sprint(i), "p", noon.Add(time.Duration(i)*time.Second/2))
	}
	if n := testutil.ToFloat64(o.overwritten); n < lists-2*onlineShards*onlineWays || n > lists-onlineShards {
		t.Errorf("%v of %d overwritten in a table of %d", n, lists, onlineShards*onlineWays)
	}
	o.Acted("a", fmt.Sprint(lists-1), "click", noon.Add(time.Hour))
	if n := o.count("a", "p", "clicked"); n != 1 {
		t.Errorf("the last list: %v clicks", n)
	}
}

func TestSeriesAreBounded(t *testing.T) {
	o := newOnline(1)
	for i := range 3 * maxOnlineSeries {
		o.Served(fmt.Sprint("tenant", i), "r", "p", noon)
	}
	if n := testutil.CollectAndCount(o.lists); n != maxOnlineSeries*int(outcomeCount) {
		t.Errorf("%d series, want %d", n, maxOnlineSeries*int(outcomeCount))
	}
	if n := o.count("other", "other", "served"); n != 2*maxOnlineSeries+1 {
		t.Errorf("%v lists share the last series", n)
	}
}

func BenchmarkOnline(b *testing.B) {
	o := newOnline(1 << 18)
	ids := make([]string, 1<<16)
	for i := range ids {
		ids[i] = fmt.Sprintf("%026d", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		id := ids[i%len(ids)]
		o.Served("shop", id, "home/1", noon)
		o.Acted("shop", id, "click", noon)
	}
	if o.count("shop", "home", "clicked") == 0 {
		b.Fatal("nothing was counted")
	}
}
