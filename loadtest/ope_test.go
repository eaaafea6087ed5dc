package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeBandit writes a campaign: the uniform log, and one of a policy that shows item 0 in three of four places.
func writeBandit(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, policy := range []string{"random", "bts"} {
		var b strings.Builder
		b.WriteString(",timestamp,item_id,position,click,propensity_score,user_feature_0\n")
		for i := range 800 {
			item, p := i/3%2, 0.5
			if policy == "bts" {
				item, p = min(1, i/3%4/3), 0.75
				if item == 1 {
					p = 0.25
				}
			}
			click := 0 // item 0 in one of five, item 1 in one of three
			if i%(5-2*item) == 0 {
				click = 1
			}
			fmt.Fprintf(&b, "%d,2019-11-24 00:00:00+00:00,%d,%d,%d,%v,u%d\n", i, item, i%3+1, click, p, i%4)
		}
		folder := filepath.Join(dir, policy, "men")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "men.csv"), []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOpeJudgesACampaignBothWays(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "ope.html")
	from := []string{"ope", "--format", "open-bandit", "--data", writeBandit(t), "--report", picture}
	code, out, log := call(t, append(from, "--json", "--model", "ridge")...)
	if code != 0 {
		t.Fatalf("code %d, %s", code, log)
	}
	results := lastObject(t, out)["results"].([]any)
	if len(results) != 2 {
		t.Fatalf("%d results; a campaign has two ways", len(results))
	}
	for _, r := range results {
		object := r.(map[string]any)
		if n := len(object["estimates"].([]any)); n != 5 || object["truth"] == nil || object["effective_decisions"].(float64) < 100 {
			t.Errorf("%d estimates in %v", n, object)
		}
	}
	if page, err := os.ReadFile(picture); err != nil || bytes.Count(page, []byte("<svg")) != 2 {
		t.Errorf("report: %v", err)
	}
	code, out, log = call(t, from...)
	for _, want := range []string{"men: uniform, judged by the Thompson log: 800 decisions", "snips", "truth", "approximate: the target's distribution"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("code %d: no %q in the table\n%s%s", code, want, out, log)
		}
	}
}

func TestOpeRefusesInOneLineWithTheFigure(t *testing.T) {
	code, out, log := call(t, "ope", "--format", "open-bandit", "--data", writeBandit(t), "--min-effective", "5000", "--json")
	if code != 1 || strings.Count(log, "\n") != 1 || !strings.Contains(log, "2 of 2 targets refused: men: uniform: the log is worth") {
		t.Errorf("code %d, %q", code, log)
	}
	first := lastObject(t, out)["results"].([]any)[0].(map[string]any)
	if first["refused"] == "" || len(first["estimates"].([]any)) != 1 {
		t.Errorf("a refusal is a result, too: %v", first)
	}
}

func TestOpeJudgesKindredsOwnLog(t *testing.T) {
	var decisions, events, target strings.Builder
	for d := range 400 {
		item := d % 2
		fmt.Fprintf(&decisions, `{"decisions":[{"recommendationId":"r%d","time":"2026-01-01T00:00:00Z","candidates":2,"items":[{"itemId":"i%d","score":%d,"propensity":0.5}],"losers":[{"itemId":"i%d","score":%d}]}]}`+"\n",
			d, item, item, 1-item, 1-item)
		if d%3 == 0 {
			fmt.Fprintf(&events, `{"events":[{"id":"%d","userId":"u","itemId":"i%d","type":"EVENT_TYPE_PURCHASE","time":"2026-01-01T00:01:00Z","recommendationId":"r%d"}]}`+"\n", d, item, d)
		}
		fmt.Fprintf(&target, `{"recommendation_id":"r%d","slot":1,"probability":%v}`+"\n", d, 0.25+0.5*float64(item))
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"d": decisions.String(), "e": events.String(), "t": target.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	from := []string{"ope", "--format", "kindred", "--decisions", filepath.Join(dir, "d"), "--events", filepath.Join(dir, "e"), "--reward", "purchase"}
	code, out, log := call(t, append(from, "--json", "--target", "uniform,temperature=0.5,file="+filepath.Join(dir, "t"))...)
	if code != 0 {
		t.Fatalf("code %d, %s", code, log)
	}
	results := lastObject(t, out)["results"].([]any)
	for i, want := range []int{5, 5, 3} { // a file of probabilities leaves no doubly robust estimate
		if n := len(results[i].(map[string]any)["estimates"].([]any)); n != want {
			t.Errorf("target %d: %d estimates, want %d", i, n, want)
		}
	}
	for says, args := range map[string][]string{
		"give --target":                        nil,
		"must be uniform, temperature=T":       {"--target", "best"},
		"the temperature must be a number":     {"--target", "temperature=hot"},
		"temperature 0; must be above 0":       {"--target", "temperature=0"},
		"Clip is -1":                           {"--target", "uniform", "--clip=-1"},
		"needs a bound on weights and rewards": {"--target", "uniform", "--interval", "bernstein"},
	} {
		if code, _, log := call(t, append(from, args...)...); code != 1 || !strings.Contains(log, says) {
			t.Errorf("%v: code %d, %q", args, code, log)
		}
	}
}

func TestOpeSelfCheckPrintsEveryEstimator(t *testing.T) {
	code, out, log := call(t, "ope", "--self-check", "--runs", "3", "--resamples", "200")
	for _, want := range []string{"coverage", "snips", "lists", "three slots drawn one after the other"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("code %d, %s: no %q in\n%s", code, log, want, out)
		}
	}
	if code, _, log := call(t, "ope"); code != 1 || !strings.Contains(log, "give --format") {
		t.Errorf("without a log: code %d, %q", code, log)
	}
}
