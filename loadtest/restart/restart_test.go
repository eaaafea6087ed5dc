package restart

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAFilledServerComesBackWhole(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the server and starts it four times")
	}
	server := filepath.Join(t.TempDir(), "kindred")
	if out, err := exec.Command("go", "build", "-o", server, "github.com/kindred-rec/kindred/server").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	o := Options{Server: server, Dir: t.TempDir(), Items: 1200, Users: 300, Events: 3000, Tail: 500}
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Starts) != 3 {
		t.Fatalf("%d starts, want 3", len(r.Starts))
	}
	entries := func(s Start) float64 {
		at := slices.IndexFunc(s.Stages, func(g Stage) bool { return g.Name == "log_entries" })
		if at < 0 {
			t.Fatalf("after %s the stages are %v, without log_entries", s.After, s.Stages)
		}
		return s.Stages[at].Value
	}
	for _, s := range r.Starts {
		if s.ReadyS <= 0 || s.ResidentMB <= 0 {
			t.Errorf("after %s: %+v", s.After, s)
		}
	}
	if n := entries(r.Starts[1]); n != 0 {
		t.Errorf("after a stop in order %v entries of the log are read", n)
	}
	if n := entries(r.Starts[2]); n != float64(o.Tail) {
		t.Errorf("after a kill %v entries of the log are read, %d were not in a checkpoint", n, o.Tail)
	}
}

func TestOptionsThatShowNothingAreRefused(t *testing.T) {
	_, err := Run(context.Background(), Options{Items: 10, Users: 5, Events: 4})
	if err == nil || !strings.Contains(err.Error(), "4 events") {
		t.Errorf("fewer events than users: %v", err)
	}
}

func TestStagesAreReadFromALog(t *testing.T) {
	log := `time=2026-01-01T00:00:00Z level=INFO msg="store opened" open_s=0.25
time=2026-01-01T00:00:01Z level=INFO msg="tenant serves" tenant=default items=12 counters_s=0.002 log_entries=7
time=2026-01-01T00:00:01Z level=INFO msg=serving grpc=127.0.0.1:1`
	want := []Stage{{"open_s", 0.25}, {"items", 12}, {"counters_s", 0.002}, {"log_entries", 7}}
	if got := stagesIn(log); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
