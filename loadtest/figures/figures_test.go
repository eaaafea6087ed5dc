package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatACommandMeasuredIsKeptAndDrawn(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("FIGURES_TEST_PRINT", "noise\n"+`{"hr_at_10":0.17512,"beyond":{"gini_at_10":0.5},"protocol":"leave one out"}`+"\n"+
		"BenchmarkSearch/3459-2   \t   10000\t     30125 ns/op\t       0 B/op\n")
	dir := t.TempDir()
	c := runCommand{Name: "office", Goes: "first row", Dir: dir, Command: []string{"--", exe, "-test.run=TestPrint"}}
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "page.md")
	if err := (&pageCommand{Dir: dir, Out: out}).Run(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	for _, want := range []string{"first row", "0.1751", "beyond.gini", "leave one out", "30,125", "BenchmarkSearch"} {
		if err != nil || !strings.Contains(strings.ReplaceAll(string(text), `\`, ""), want) {
			t.Errorf("%v: no %q in\n%s", err, want, text)
		}
	}
}

// TestPrint is the command that the test above runs.
func TestPrint(t *testing.T) {
	if text := os.Getenv("FIGURES_TEST_PRINT"); text != "" {
		if _, err := os.Stdout.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoFigureWhereNothingWasMeasured(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for why, c := range map[string]struct {
		run  runCommand
		word string
	}{
		"a command that fails":        {runCommand{Name: "a", Command: []string{exe, "-test.nonsense"}}, "exit status"},
		"a command that says nothing": {runCommand{Name: "a", Command: []string{exe, "-test.run=TestPrint"}}, "neither"},
		"no command":                  {runCommand{Name: "a", Command: []string{"--"}}, "after --"},
		"a name that is a path":       {runCommand{Name: "../a", Command: []string{exe}}, "name"},
		"data that are not there":     {runCommand{Name: "a", Needs: []string{filepath.Join(dir, "none")}, Command: []string{exe}}, "DATA"},
		"a program that is not there": {runCommand{Name: "a", Command: []string{filepath.Join(dir, "none")}}, "none"},
	} {
		c.run.Dir = dir
		if err := c.run.Run(t.Context()); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: %v, want %q", why, err, c.word)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v, %v: something was kept", left, err)
	}
	if err := (&pageCommand{Dir: dir, Out: filepath.Join(dir, "x.html")}).Run(); err == nil || !strings.Contains(err.Error(), "no figures") {
		t.Errorf("a page of nothing: %v", err)
	}
}

func TestBenchmarksAreRead(t *testing.T) {
	found := measured(bytes.NewBufferString("goos: linux\nBenchmarkUser-2 \t 8000 \t 147012 ns/op \t 0 allocs/op\nBenchmarkBroken-2 x\nok \tpkg\t1s\n"))
	if len(found) != 1 || found[0]["ns/op"] != 147012.0 || found[0]["benchmark"] != "BenchmarkUser-2" {
		t.Errorf("%v", found)
	}
}
