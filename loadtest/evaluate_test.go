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
}

func TestEvaluateComparesAndDrawsContenders(t *testing.T) {
	dir := t.TempDir()
	policy, file := filepath.Join(dir, "varied.json"), filepath.Join(dir, "report.md")
	if err := os.WriteFile(policy, []byte(`{"name":"varied","diversity":0.4,"rules":[{"name":"no lamps","condition":"id == \"i03\"","exclude":{}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"evaluate", "--format", "jsonl", "--data", writeShop(t), "--behaviour", "mean", "--no-fit", "--protocol", "time", "--test-share", "0.3",
		"--compare", "top=popular", "--compare", "knn=itemknn", "--compare", "varied=" + policy, "--resamples", "200", "--report", file}
	code, out, log := call(t, append(args, "--json")...)
	if code != 0 {
		t.Fatal(code, log)
	}
	got := lastObject(t, out)
	compared, _ := got["compared"].([]any)
	if len(compared) != 3 || got["protocol"] != "global time split, seen hidden" || got["intervals"] == nil || got["beyond"] == nil {
		t.Fatalf("%s", out)
	}
	for i, is := range []string{"popular", "itemknn", "policy"} {
		c := compared[i].(map[string]any)
		difference, _ := c["difference"].(map[string]any)
		if c["is"] != is || difference["ndcg_at_10"] == nil || c["cases"] != got["cases"] {
			t.Errorf("contender %d is %v", i, c)
		}
	}
	page, err := os.ReadFile(file)
	for _, want := range []string{"Side by side", "varied (policy)", "Beyond accuracy", "Windows"} {
		if err != nil || !strings.Contains(string(page), want) {
			t.Errorf("%v: no %q in the report", err, want)
		}
	}
	if code, out, log = call(t, args...); code != 0 || !strings.Contains(out, "itemknn") || !strings.Contains(out, "lists of ten") {
		t.Errorf("%d, %s, %s", code, out, log)
	}
}

func TestEvaluateSaysInOneLineWhatIsWrong(t *testing.T) {
	shop, nothing := writeShop(t), t.TempDir()
	for _, name := range []string{"items.jsonl", "events.jsonl"} {
		if err := os.WriteFile(filepath.Join(nothing, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"--data " + nothing, "neither an item nor an event"},
		{"--data " + nothing + " --protocol time", "three at least"},
		{"--data " + shop + " --protocol given", "no test rows"},
		{"--data " + shop + " --test-share 0.3", "protocols \"time\" and \"rolling\""},
		{"--data " + shop + " --windows 3 --protocol time", "windows are of protocol"},
		{"--data " + shop + " --protocol rolling --windows 300 --behaviour mean --no-fit", "[1, 100]"},
		{"--data " + shop + " --compare popular", "NAME=SPEC"},
		{"--data " + shop + " --compare a=popular --compare a=mean", "name \"a\""},
		{"--data " + shop + " --compare a=nowhere.json", "nowhere.json"},
		{"--data " + shop + " --compare a=" + filepath.Join(nothing, "items.jsonl"), "neither weights nor a policy"},
		{"--data " + shop + " --compare a=" + nothing, "a"},
		{"--data " + shop + " --compare a=popular --stage retrieval", "stage"},
		{"--data " + shop + " --resamples 5", "[100, 1000000]"},
	} {
		code, out, log := call(t, append([]string{"evaluate", "--format", "jsonl"}, strings.Fields(c.args)...)...)
		if code != 1 || out != "" || !strings.Contains(log, c.want) || strings.Count(strings.TrimSpace(log), "\n") != 0 {
			t.Errorf("%s: code %d, %q, want one line with %q", c.args, code, log, c.want)
		}
	}
}
