package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSentimentPrintsFiguresThatAreTheSameAgain(t *testing.T) {
	var lines strings.Builder
	for i := range 120 {
		text, rating := "it works and i love it", 3.0
		if i%2 == 1 {
			text, rating = "it broke and i want my money back", -2.5
		}
		fmt.Fprintf(&lines, "%d_1\t%v\t%s, part %d\n", i, rating, text, i)
	}
	file := filepath.Join(t.TempDir(), "rated.tsv")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var first sentimentFigures
	for range 2 {
		code, out, log := call(t, "sentiment", "--data", file, "--fixed", "--json")
		if code != 0 {
			t.Fatalf("code %d, %s", code, log)
		}
		var f sentimentFigures
		if err := json.Unmarshal([]byte(out), &f); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if f.Pearson < .95 || len(f.Folds) != 5 || f.Texts != 120 || f.Seed != 1 || len(f.Chosen) != 5 || f.Seconds <= 0 {
			t.Errorf("%+v", f)
		}
		if first.Texts != 0 && math.Abs(first.Pearson-f.Pearson) > 1e-9 {
			t.Errorf("r is %v, then %v", first.Pearson, f.Pearson)
		}
		first = f
	}
	if code, _, log := call(t, "sentiment", "--data", file, "--layers", "4"); code != 1 || !strings.Contains(log, "--layers") {
		t.Errorf("code %d, %q", code, log)
	}
}
