package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// startShop serves the catalog and log of writeShop.
func startShop(t *testing.T) (addr string) {
	t.Helper()
	addr = startService(t)
	if code, _, log := call(t, "replay", "--addr", addr, "--format", "jsonl", "--data", writeShop(t), "--import-items", "--json"); code != 0 {
		t.Fatalf("replay: code %d, %s", code, log)
	}
	return addr
}

// What the other modes make goes through a real server without an error, and their reports hold it.
func TestLoadModesAgainstTheService(t *testing.T) {
	addr, dir := startShop(t), t.TempDir()
	for name, c := range map[string]struct {
		args []string
		want string // a field of the result
	}{
		"stepped":  {[]string{"--rates", "30-60/30", "--duration", "1s"}, "steps"},
		"spike":    {[]string{"--rate", "30", "--spike-factor", "3", "--spike-for", "500ms", "--duration", "2s"}, "spike"},
		"sessions": {[]string{"--rate", "50", "--duration", "1s", "--sessions", "view,recommend,click,like,add_to_cart,purchase,similar", "--think", "100ms"}, "sessions"},
		"new":      {[]string{"--rate", "20", "--duration", "1s", "--mix", "recommend=1,add=1"}, "calls"},
	} {
		t.Run(name, func(t *testing.T) {
			picture := filepath.Join(dir, name+".md")
			code, out, log := call(t, append([]string{"load", "--addr", addr, "--warm-up", "100ms", "--empty", "0", "--json", "--report", picture}, c.args...)...)
			if code != 0 {
				t.Fatalf("code %d, %s", code, log)
			}
			figures := lastObject(t, out)
			if figures[c.want] == nil || strings.Contains(out, `_samples"`) || strings.Contains(out, `"row_errors":1`) {
				t.Errorf("no %s, or errors, in %s", c.want, out)
			}
			if page, err := os.ReadFile(picture); err != nil || !bytes.HasPrefix(page, []byte("# Load test of ")) {
				t.Errorf("report %.40q, error %v", page, err)
			}
		})
	}
}

func TestRepeatedLoadIsCompared(t *testing.T) {
	addr, dir := startShop(t), t.TempDir()
	file := filepath.Join(dir, "a.json")
	code, out, log := call(t, "load", "--addr", addr, "--rate", "40", "--duration", "500ms", "--warm-up", "100ms", "--empty", "0", "--repeat", "3", "--json")
	if code != 0 || strings.Count(out, "\n") != 4 || lastObject(t, out)["figures"] == nil {
		t.Fatalf("code %d, %s\n%s", code, log, out)
	}
	p99 := regexp.MustCompile(`"p99_ms":[0-9.]+`)
	with := func(name, value string) string { // the same results with another p99, as so few short runs differ widely
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, p99.ReplaceAll([]byte(out), []byte(`"p99_ms":`+value)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fast, slow := with("fast.json", "10"), with("slow.json", "20")
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, log = call(t, "compare", file, file, "--max-worse", "0"); code != 0 || !strings.Contains(out, "no difference seen") {
		t.Errorf("a file with itself: code %d, %s\n%s", code, log, out)
	}
	if code, out, log = call(t, "compare", fast, slow, "--json"); code != 0 || lastObject(t, out)["differences"] == nil {
		t.Errorf("code %d, %s\n%s", code, log, out)
	}
	code, out, log = call(t, "compare", fast, slow, "--max-worse", "5")
	if code != 1 || strings.Count(log, "\n") != 1 || !strings.Contains(log, "p99_ms") || !strings.Contains(out, "slower by 100%") {
		t.Errorf("twice the p99: code %d, %s\n%s", code, log, out)
	}
}

func TestFullDiskEndsALoadTestInOneLine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /dev/full")
	}
	addr := startShop(t)
	code, out, log := call(t, "load", "--addr", addr, "--rate", "40", "--duration", "300ms", "--warm-up", "0s", "--empty", "0", "--report", "/dev/full", "--json")
	if code != 1 || strings.Count(log, "\n") != 1 || !strings.Contains(log, "no space left") {
		t.Errorf("code %d, %q", code, log)
	}
	if lastObject(t, out)["achieved_rps"] == nil {
		t.Errorf("the figures went with the report: %s", out)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	var told bytes.Buffer
	if code := run(t.Context(), []string{"load", "--addr", addr, "--rate", "40", "--duration", "300ms", "--warm-up", "0s", "--empty", "0"}, full, &told); code != 1 ||
		strings.Count(told.String(), "\n") != 1 || !strings.Contains(told.String(), "no space left") {
		t.Errorf("figures to a full disk: code %d, %q", code, told.String())
	}
	if code, _, log := call(t, "load", "--addr", addr, "--rate", "40", "--report", "/no/such/folder/r.html"); code != 1 || !strings.Contains(log, "cannot be written") {
		t.Errorf("a report that cannot be: code %d, %q", code, log)
	}
}

func TestLoadFlagsThatContradictAreRefused(t *testing.T) {
	addr := startService(t)
	for want, args := range map[string][]string{
		"exclude each other":  {"--rate", "10", "--mix", "recommend=1", "--sessions", "view"},
		"factor must be":      {"--rate", "10", "--mode", "spike"},
		"rates under":         {"--mode", "stepped"},
		"is not one of":       {"--rate", "10", "--sessions", "view,buy"},
		"must be 2 to 1000":   {"--rate", "10", "--repeat", "1"},
		"not FROM-TO/BY":      {"--rates", "5/1"},
		"time must be left":   {"--rate", "10", "--spike-factor", "2", "--spike-for", "1m"},
		"must be at least 0":  {"--rate", "10", "--give-up=-1s"},
		"chance of 2 to stay": {"--rate", "10", "--sessions", "view", "--stay", "2"},
	} {
		if code, _, log := call(t, append([]string{"load", "--addr", addr}, args...)...); code != 1 || !strings.Contains(log, want) {
			t.Errorf("%v: code %d, %q; want %q", args, code, log, want)
		}
	}
}
