package main

import (
	"strings"
	"testing"
)

func TestFaultsAreListedAndAnUnknownOneIsRefused(t *testing.T) {
	code, out, _ := call(t, "faults", "--list")
	if code != 0 || !strings.Contains(out, "kill-server\n") || !strings.Contains(out, "slow-loris\n") {
		t.Errorf("code %d: %s", code, out)
	}
	code, _, log := call(t, "faults", "--server", "/dev/null", "--only", "meteor")
	if code != 1 || !strings.Contains(log, `"meteor"`) || !strings.Contains(log, "kill-server") {
		t.Errorf("code %d: %s", code, log)
	}
	code, _, log = call(t, "faults", "--server", "/nowhere/kindred")
	if code != 1 || !strings.Contains(log, "go build") {
		t.Errorf("code %d: %s", code, log)
	}
}

func TestSoakRefusesWhatShowsNothing(t *testing.T) {
	for want, args := range map[string][]string{
		"at least 30s": {"--duration", "2s"},
		"share 1.5":    {"--rate-share", "1.5"},
		"at least 100": {"--items", "5"},
	} {
		code, _, log := call(t, append([]string{"soak", "--server", "/dev/null"}, args...)...)
		if code != 1 || !strings.Contains(log, want) {
			t.Errorf("%v: code %d: %s", args, code, log)
		}
	}
}
