package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// round are costs that are easy to reckon with.
func round() Costs {
	return Costs{MeasuredAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Items: 10, Users: 10, EventsPerUser: 10, Dim: 256,
		FixedMemory: 1e8, ItemMemory: 4000, ItemDisk: 500, CatalogRow: 300, IndexFloat32: 1200, IndexInt8: 400, IndexInt8Mapped: 1024,
		ProfileMemory: 10_000, EventDisk: 100, DecisionDisk: 1000, RecommendCPU: 250, EventCPU: 150, EmptyCPU: 100}
}

// Reckoned by hand.
func TestPlanIsTheArithmeticItSays(t *testing.T) {
	a := Assumptions{EventsPerUser: 10, ActiveShare: 0.1, EventsPerRequest: 0.5, DecisionDays: 1, PeakFactor: 2, Generations: 2, HeapFactor: 1.5,
		RequestGrowth: 2, ClientShare: 0.5, Utilization: 0.5, DiskHeadroom: 2, MinReplicas: 2, Cores: 8, MemoryGB: 100, DiskGB: 500}
	r, err := Compute(Need{Items: 1e6, Users: 1e6, RPS: 20_000}, a, round())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ got, want float64 }{
		"items in memory": {r.ItemMemory, 1e6 * 4000 * 2 * 1.5},
		"profiles":        {r.ProfileMemory, 1e6 * 0.1 * 10_000 * 1.5},
		"memory":          {r.Memory, 12e9 + 1.5e9 + 0.15e9},
		"Recommend cores": {r.RecommendCores, 20_000 * 200e-6 * 2},   // 250 µs less half of an empty call
		"event cores":     {r.EventCores, 20_000 * 0.5 * 100e-6},     // 1 on each replica, of 4 that may be busy
		"replicas":        {float64(r.Replicas), math.Ceil(8.0 / 3)}, // 8 cores of Recommend over 3
		"items on disk":   {r.ItemDisk, 1e6 * 500 * 2},
		"events on disk":  {r.EventDisk, 1e6 * 10 * 100 * 2},
		"decisions":       {r.DecisionDisk, 10_000 * 86400 * 1000 * 2 / 3.0},
	} {
		if math.Abs(c.got-c.want) > 1e-6*c.want {
			t.Errorf("%s: %v; want %v", name, c.got, c.want)
		}
	}
	if r.Fits || len(r.Obstacles) != 1 || !strings.Contains(r.Obstacles[0], "disk") {
		t.Errorf("576 GB of decisions and more on each: %q", r.Obstacles)
	}
}

// More machines do not help where one cannot hold what each must hold.
func TestWhatOneMachineCannotHoldIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		need   Need
		change func(*Assumptions)
		want   string
	}{
		"memory": {Need{1e9, 1e6, 100}, func(*Assumptions) {}, "more of them do not help"},
		"disk":   {Need{1e6, 1e10, 100}, func(a *Assumptions) { a.ActiveShare = 0 }, "of disk"},
		"events": {Need{1e6, 1e6, 1e6}, func(a *Assumptions) { a.EventsPerRequest = 10 }, "following the log"},
	} {
		a := DefaultAssumptions()
		c.change(&a)
		r, err := Compute(c.need, a, round())
		if err != nil || r.Fits || !strings.Contains(strings.Join(r.Obstacles, ";"), c.want) {
			t.Errorf("%s: %+v, error %v; want %q", name, r, err, c.want)
		}
	}
	if r, err := Compute(Need{1e5, 1e5, 100}, DefaultAssumptions(), round()); err != nil || !r.Fits || r.Replicas != 2 {
		t.Errorf("a small shop: %+v, error %v; want two replicas", r, err)
	}
}

// Every assumption is a lever that moves the plan, stands in it, and is bounded.
func TestEveryAssumptionCounts(t *testing.T) {
	need := Need{1e7, 1e7, 20_000}
	base, err := Compute(need, DefaultAssumptions(), round())
	if err != nil {
		t.Fatal(err)
	}
	numbers := func(r *Result) string {
		text, err := json.Marshal([]any{r.Memory, r.Disk, r.Replicas, r.RecommendCores, r.EventCores, r.Obstacles})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	fields := func(a *Assumptions) []*float64 {
		return []*float64{&a.EventsPerUser, &a.ActiveShare, &a.EventsPerRequest, &a.DecisionDays, &a.PeakFactor, &a.Generations, &a.HeapFactor,
			&a.RequestGrowth, &a.ClientShare, &a.Utilization, &a.DiskHeadroom, &a.MinReplicas, &a.Cores, &a.MemoryGB, &a.DiskGB}
	}
	own := DefaultAssumptions()
	if n := len(fields(&own)); n != len(base.Assumptions) {
		t.Fatalf("%d assumptions, %d of them in the plan", n, len(base.Assumptions))
	}
	for i, named := range base.Assumptions {
		a := DefaultAssumptions()
		switch v := fields(&a)[i]; named.Name {
		case "min_replicas":
			*v = 100
		case "memory_gb", "disk_gb", "utilization", "cores":
			*v /= 10
		default:
			*v /= 2
		}
		if named.Name == "generations" {
			a.Generations = 1
		}
		if named.Name == "heap_factor" || named.Name == "disk_headroom" {
			*fields(&a)[i] = 1
		}
		r, err := Compute(need, a, round())
		if err != nil {
			t.Fatalf("%s: %v", named.Name, err)
		}
		if named.Name != "memory_gb" && numbers(r) == numbers(base) {
			t.Errorf("%s moves nothing", named.Name)
		}
		*fields(&a)[i] = -1
		if _, err := Compute(need, a, round()); err == nil || !strings.Contains(err.Error(), named.Flag) {
			t.Errorf("%s of -1: error %v; want one that names %s", named.Name, err, named.Flag)
		}
	}
}

func TestTableAndReportHoldEveryAssumption(t *testing.T) {
	r, err := Compute(Need{1e6, 1e6, 100}, DefaultAssumptions(), round())
	if err != nil {
		t.Fatal(err)
	}
	var text, page bytes.Buffer
	if err := errors.Join(r.WriteTable(&text), r.Page().WriteMarkdown(&page)); err != nil {
		t.Fatal(err)
	}
	for _, a := range r.Assumptions {
		if !strings.Contains(text.String(), a.Flag) || !strings.Contains(page.String(), a.Flag) {
			t.Errorf("%s is told in one place at most", a.Flag)
		}
	}
	if !strings.Contains(page.String(), "2026-01-02") {
		t.Error("the report does not say when costs were measured")
	}
}

func TestBadCostsAndNeedsAreRefused(t *testing.T) {
	if _, err := Compute(Need{0, 1, 1}, DefaultAssumptions(), round()); err == nil || !strings.Contains(err.Error(), "--items") {
		t.Errorf("no items: error %v", err)
	}
	for name, change := range map[string]func(*Costs){
		"measured_at":       func(c *Costs) { c.MeasuredAt = time.Time{} },
		"item_memory_bytes": func(c *Costs) { c.ItemMemory = -5 },
		"event_disk_bytes":  func(c *Costs) { c.EventDisk = math.NaN() },
		"empty_cpu_us":      func(c *Costs) { c.EmptyCPU = -1 },
	} {
		c := round()
		change(&c)
		if _, err := Compute(Need{1, 1, 1}, DefaultAssumptions(), c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	path := filepath.Join(t.TempDir(), "costs.json")
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "--measure") {
		t.Errorf("an empty object as costs: error %v", err)
	}
	if _, err := Measure(t.Context(), Measurement{}); err == nil {
		t.Error("nothing was measured with nothing")
	}
}

func TestBytesAreReadable(t *testing.T) {
	for v, want := range map[float64]string{0: "0 B", 999: "999 B", 999.9: "1 kB", 1500: "1.5 kB", 12e9: "12 GB", 7.25e15: "7.25 PB"} {
		if got := bytesText(v); got != want {
			t.Errorf("%v is %q; want %q", v, got, want)
		}
	}
}
