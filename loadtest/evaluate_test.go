package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEvaluatePrintsALineForEachSettingOfVariety(t *testing.T) {
	file := filepath.Join(t.TempDir(), "variety.html")
	code, out, log := call(t, "evaluate", "--format", "jsonl", "--data", writeShop(t), "--behaviour", "mean", "--diversity", "0,0.4", "--new-items", "0.5", "--report", file, "--json")
	if code != 0 {
		t.Fatal(code, log)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines, want three settings and the figures:\n%s", len(lines), out)
	}
	for i, want := range []struct{ diversity, share float64 }{{0, 0}, {0.4, 0}, {0, 0.5}} {
		var got struct {
			Diversity float64   `json:"diversity"`
			NewItems  float64   `json:"new_items"`
			Exposure  []float64 `json:"exposure_by_decile"`
		}
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil || got.Diversity != want.diversity || got.NewItems != want.share || len(got.Exposure) != 10 {
			t.Errorf("line %d: %v, %+v, want %+v", i+1, err, got, want)
		}
	}
	if page, err := os.ReadFile(file); err != nil || !strings.Contains(string(page), "<svg") {
		t.Errorf("no drawing: %v", err)
	}
	if code, _, log = call(t, "evaluate", "--format", "jsonl", "--data", writeShop(t), "--report", file); code == 0 || !strings.Contains(log, "--diversity") {
		t.Errorf("a report of nothing: %d, %s", code, log)
	}
}
