package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSimulateComparesAgainstAServerOfItsOwn(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "simulate.html")
	code, out, log := call(t, "simulate", "--self", "--items", "200", "--users", "30", "--days", "2", "--history-days", "2", "--json", "--report", picture)
	if code != 0 {
		t.Fatalf("code %d, %s", code, log)
	}
	figures := lastObject(t, out)
	if figures["days_done"] != 2.0 || figures["differences_to"] != "kindred" || len(figures["policies"].([]any)) != 5 {
		t.Errorf("%s", out)
	}
	if page, err := os.ReadFile(picture); err != nil || !bytes.Contains(page, []byte("<svg")) {
		t.Errorf("report: %v", err)
	}
}

func TestSimulateShowsListsByAPolicy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.json")
	share := func(policy string) float64 {
		if err := os.WriteFile(path, []byte(policy), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, log := call(t, "simulate", "--self", "--policies", "kindred", "--items", "200", "--users", "30", "--days", "3",
			"--history-days", "2", "--json", "--policy", path)
		if code != 0 {
			t.Fatalf("code %d, %s", code, log)
		}
		figures := lastObject(t, out)["policies"].([]any)[0].(map[string]any)["figures"].(map[string]any)
		return figures["new_item_share"].(map[string]any)["value"].(float64)
	}
	plain, most := share(`{"name": "plain"}`), share(`{"name": "new", "newItems": {"share": 0.9, "maxAge": "604800s"}}`)
	if most < plain+0.3 {
		t.Errorf("new items have %v of the slots, and %v where nine tenths are theirs", plain, most)
	}
	if err := os.WriteFile(path, []byte(`{"name": "x", "colour": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, log := call(t, "simulate", "--self", "--policy", path); code != 1 || !strings.Contains(log, "colour") {
		t.Errorf("code %d, %q; want the unknown field named", code, log)
	}
}

func TestSimulateRefusesWhatDoesNotGoTogether(t *testing.T) {
	for want, args := range map[string][]string{
		"--self does not go with --write": {"--write", t.TempDir(), "--self"},
		"needs a server":                  {"--policies", "kindred"},
		"--policy does not go with":       {"--write", t.TempDir(), "--policy", "x.json"},
		"a server shows lists by it":      {"--policy", "x.json"},
		"--seeds 2 with --addr":           {"--addr", "127.0.0.1:1", "--seeds", "2"},
		`policy "best"`:                   {"--policies", "best"},
		"no server answers":               {"--addr", "127.0.0.1:1", "--policies", "kindred"},
	} {
		if code, _, log := call(t, append([]string{"simulate"}, args...)...); code != 1 || !strings.Contains(log, want) || strings.Count(log, "\n") != 1 {
			t.Errorf("%v: code %d, %q; want a line with %q", args, code, log, want)
		}
	}
}

// What simulate writes, ope reads, and comes to the truth that stands beside it.
func TestOpeFindsTheTruthOfASimulatedLog(t *testing.T) {
	dir := t.TempDir()
	if code, _, log := call(t, "simulate", "--write", dir, "--users", "400", "--days", "14", "--limit", "3", "--pool", "12"); code != 0 {
		t.Fatalf("simulate: code %d, %s", code, log)
	}
	var truth struct {
		Policies []struct {
			Name   string  `json:"policy"`
			Clicks float64 `json:"clicks_per_list"`
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "truth.json"))
	if err == nil {
		err = json.Unmarshal(raw, &truth)
	}
	if err != nil {
		t.Fatal(err)
	}
	code, out, log := call(t, "ope", "--format", "kindred", "--decisions", filepath.Join(dir, "decisions.jsonl"), "--events", filepath.Join(dir, "feedback.jsonl"),
		"--target", "uniform,temperature=0.5", "--lists", "cascade", "--by-user", "--json")
	if code != 0 {
		t.Fatalf("ope: code %d, %s", code, log)
	}
	var judged struct {
		Results []struct {
			Target    string
			Estimates []struct {
				Estimator string
				Value, SE float64
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &judged); err != nil {
		t.Fatal(err)
	}
	known := map[string]float64{}
	for _, p := range truth.Policies {
		known[p.Name] = p.Clicks
	}
	compared := 0
	for _, r := range judged.Results {
		for _, e := range r.Estimates {
			if e.Estimator != "ips" && e.Estimator != "snips" && e.Estimator != "dr" {
				continue
			}
			compared++
			if want := known[r.Target]; want == 0 || math.Abs(e.Value-want) > 3.5*e.SE {
				t.Errorf("%s says that %s brings %.4f clicks by list, standard error %.4f; the truth is %.4f", e.Estimator, r.Target, e.Value, e.SE, want)
			}
		}
	}
	if compared != 6 {
		t.Errorf("%d estimates compared, want three for each of two targets", compared)
	}
}
