package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Costs are measured once, kept, and read again; assumptions are changed by flags.
func TestPlanMeasuresOnceAndReckonsAgain(t *testing.T) {
	dir := t.TempDir()
	costs, picture := filepath.Join(dir, "costs.json"), filepath.Join(dir, "plan.html")
	need := []string{"plan", "--items", "1e5", "--users", "1e6", "--rps", "1e3", "--costs", costs}
	small := []string{"--sample-items", "500", "--sample-users", "50", "--sample-events", "10", "--sample-span", "100ms", "--sample-dir", dir}
	code, out, log := call(t, append(append(need, small...), "--json", "--report", picture)...)
	if code != 0 {
		t.Fatalf("code %d, %s", code, log)
	}
	first := lastObject(t, out)
	if first["memory_bytes"].(float64) < 1e5*1024 || first["replicas"].(float64) < 2 {
		t.Errorf("a plan for 100,000 items with vectors of a kilobyte: %s", out)
	}
	if page, err := os.ReadFile(picture); err != nil || !strings.Contains(string(page), "Assumptions") {
		t.Errorf("report: %v", err)
	}
	kept, err := os.ReadFile(costs)
	if err != nil {
		t.Fatal(err)
	}
	code, out, log = call(t, append(need, "--generations", "1", "--json")...)
	if code != 0 {
		t.Fatalf("code %d, %s", code, log)
	}
	if again := lastObject(t, out); again["item_memory_bytes"].(float64)*2 != first["item_memory_bytes"].(float64) {
		t.Errorf("one generation instead of two: %v of %v", again["item_memory_bytes"], first["item_memory_bytes"])
	}
	if after, err := os.ReadFile(costs); err != nil || string(after) != string(kept) {
		t.Errorf("costs were measured again, error %v", err)
	}
	if code, _, log = call(t, append(need, "--utilization", "2")...); code != 1 || !strings.Contains(log, "--utilization 2: must be 0.01 to 1") {
		t.Errorf("code %d, %q", code, log)
	}
}
