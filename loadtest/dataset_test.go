package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

func TestDatasetCheckNamesEachMalformedRow(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"items.csv": "sku,title,price\na,Pen,1.20\nb,Desk,cheap\n", "events.csv": "user,item,type,time\nu,a,view,2024-01-01T00:00:00Z\nu,a,view,noon\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	from := []string{"--format", "csv", "--data", dir, "--map", "id=sku", "--currency", "EUR"}
	bad := filepath.Join(dir, "bad.jsonl")
	code, out, log := call(t, append([]string{"dataset", "--check", "--json", "--errors", bad}, from...)...)
	if code != 1 || !strings.Contains(log, "items.csv:3: price:") || !strings.Contains(log, "events.csv:3: time:") || !strings.Contains(log, "2 of 4 rows are malformed") {
		t.Errorf("code %d, %s", code, log)
	}
	if figures := lastObject(t, out); figures["items"].(map[string]any)["good"] != 1.0 || figures["events"].(map[string]any)["broken"] != 1.0 {
		t.Errorf("%v", figures)
	}
	if text, err := os.ReadFile(bad); err != nil || strings.Count(string(text), "\n") != 2 || !strings.Contains(string(text), `"Column":"price"`) {
		t.Errorf("%s, error %v", text, err)
	}
	parquet := t.TempDir()
	convert := append([]string{"dataset", "convert", "--to", "parquet", "--out", parquet}, from...)
	if code, _, log = call(t, convert...); code != 1 || !strings.Contains(log, "items.csv:3") {
		t.Errorf("convert: code %d, %s", code, log)
	}
	if code, out, log = call(t, append(convert, "--skip-bad", "--json")...); code != 0 || lastObject(t, out)["skipped"] != 2.0 {
		t.Errorf("convert --skip-bad: code %d, %s %s", code, out, log)
	}
	code, out, log = call(t, "dataset", "check", "--format", "parquet", "--data", parquet)
	if code != 0 || log != "" || !strings.Contains(out, "1 good, 0 malformed") {
		t.Errorf("code %d, %s%s", code, out, log)
	}
}

func TestDatasetConvertsThereAndBack(t *testing.T) {
	shop, last := writeShop(t), ""
	for _, to := range []string{"csv", "parquet", "jsonl"} {
		from, format := last, map[string]string{"csv": "jsonl", "parquet": "csv", "jsonl": "parquet"}[to]
		if from == "" {
			from = shop
		}
		last = t.TempDir()
		if code, _, log := call(t, "dataset", "convert", "--format", format, "--data", from, "--to", to, "--pack", "gzip", "--out", last); code != 0 {
			t.Fatalf("%s to %s: %s", format, to, log)
		}
	}
	if diff := cmp.Diff(eventsOf(t, shop), eventsOf(t, last)); diff != "" {
		t.Errorf("events through csv, parquet and jsonl (-before +after):\n%s", diff)
	}
}

func eventsOf(t *testing.T, shop string) (events []dataset.Event) {
	t.Helper()
	for e, err := range openShop(t, shop).Events() {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// What a tenant has goes out, and into another service by a replay.
func TestExportOfATenantReplays(t *testing.T) {
	shop, service := writeOldShop(t), serveData(t, t.TempDir())
	defer stop(t, service)
	importShop(t, service.Addr(), shop)
	if code, _, log := call(t, "replay", "--addr", service.Addr(), "--format", "jsonl", "--data", shop); code != 0 {
		t.Fatal(log)
	}
	out := t.TempDir()
	exports := func(what string, more ...string) map[string]any {
		t.Helper()
		code, text, log := call(t, append([]string{"dataset", "export", "--addr", service.Addr(), "--what", what, "--out", out, "--json"}, more...)...)
		if code != 0 {
			t.Fatalf("export of %s: code %d, %s", what, code, log)
		}
		return lastObject(t, text)
	}
	if r := exports("events", "--as", "jsonl", "--pack", "none"); r["rows"] != 400.0 {
		t.Errorf("events: %v", r)
	}
	if r := exports("items", "--as", "jsonl", "--pack", "none"); r["rows"] != 40.0 || r["left_out"] != nil {
		t.Errorf("items: %v", r)
	}
	if r := exports("decisions"); r["rows"] != 360.0 {
		t.Errorf("decisions: %v", r)
	}
	r := exports("features")
	if r["decisions"] != 360.0 || r["rows"].(float64) < 3600 || r["clicked"] == nil || r["features"] == nil {
		t.Errorf("features: %v", r)
	}
	ids := func(events []dataset.Event) (list []string) {
		for _, e := range events {
			list = append(list, e.ID+e.Time.String()+e.User+e.Item)
		}
		return list
	}
	if diff := cmp.Diff(ids(eventsOf(t, shop)), ids(eventsOf(t, out)), cmp.Transformer("set", func(l []string) map[string]bool {
		set := map[string]bool{}
		for _, id := range l {
			set[id] = true
		}
		return set
	})); diff != "" {
		t.Errorf("events (-file +export):\n%s", diff)
	}
	other := serveData(t, t.TempDir())
	defer stop(t, other)
	code, text, log := call(t, "replay", "--addr", other.Addr(), "--format", "jsonl", "--data", out, "--import-items", "--json")
	if code != 0 || lastObject(t, text)["asks"] != 360.0 || lastObject(t, text)["rejected"] != 0.0 {
		t.Errorf("replay of the export: code %d, %s%s", code, text, log)
	}
}
