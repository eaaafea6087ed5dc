package faults

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// TestMain is the server in a process that a test starts for it.
func TestMain(m *testing.M) {
	Launch()
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		serve(os.Args[2:])
	}
	os.Exit(m.Run())
}

// serve runs a service with those of the flags that it knows.
func serve(args []string) {
	config := service.Config{Store: store.DefaultOptions()}
	for i := 0; i+1 < len(args); i += 2 {
		switch args[i] {
		case "--data":
			config.Data = args[i+1]
		case "--grpc":
			config.GRPC = args[i+1]
		case "--http":
			config.HTTP = args[i+1]
		}
	}
	config.Shop.MaxItems = 1 << 13
	s, err := service.Start(context.Background(), config)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "msg=serving grpc=%s http=%s\n", s.Addr(), s.HTTPAddr())
	fmt.Fprintln(os.Stderr, s.Wait(context.Background()))
	os.Exit(1)
}

func tried(t *testing.T, names ...string) *Result {
	t.Helper()
	r, err := Run(t.Context(), Options{Server: os.Args[0], Dir: t.TempDir(), Only: names, Hold: 300 * time.Millisecond, Settle: 200 * time.Millisecond, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := r.WriteTable(&text); err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		if row.Verdict == Fail {
			t.Errorf("%s fails:\n%s", row.Name, text.String())
		}
		if row.Verdict == Pass && (row.RecommendCalls.Count == 0 || row.WriteCalls.Count == 0 || row.Events.Acknowledged == 0) {
			t.Errorf("%s passes without traffic:\n%s", row.Name, text.String())
		}
	}
	return r
}

func TestAKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	if r := tried(t, "kill-server"); r.Passed != 1 || len(r.Rows[0].Notes) != 3 {
		t.Errorf("%+v", r)
	}
}

func TestSyncsAreHeldUpAndAnswersAreNot(t *testing.T) {
	if row := tried(t, "disk-slow").Rows[0]; row.Verdict == Skipped {
		t.Skip(row.Way)
	}
}

func TestNoiseIsSurvived(t *testing.T) {
	if r := tried(t, "noise"); r.Passed != 1 {
		t.Errorf("%+v", r)
	}
}

func TestAClockThatStepsStopsNothing(t *testing.T) {
	if row := tried(t, "clock-step").Rows[0]; row.Verdict == Skipped {
		t.Skip(row.Way)
	}
}

func TestUnknownFaultIsRefusedByName(t *testing.T) {
	_, err := Run(t.Context(), Options{Server: os.Args[0], Only: []string{"meteor"}})
	if err == nil || !strings.Contains(err.Error(), "meteor") || !strings.Contains(err.Error(), "kill-server") {
		t.Errorf("got %v", err)
	}
}

func TestLedgerFindsWhatIsMissingDoubledAndStrange(t *testing.T) {
	l := newLedger(1)
	one, events := l.batch(3)
	l.close(one, &kindredv1.WriteEventsResponse{Added: 3})
	l.batch(2) // never answered: it may be there or not
	all := map[string]int{events[0].Id: 1, events[1].Id: 1, events[2].Id: 1}
	if d := l.check(all); !d.intact() || d.Acknowledged != 3 || d.Sent != 5 {
		t.Errorf("whole: %+v", d)
	}
	all["e-3"] = 1
	if d := l.check(all); !d.intact() {
		t.Errorf("an event that was sent and not answered: %+v", d)
	}
	delete(all, events[1].Id)
	all[events[0].Id] = 2
	all["stranger"] = 1
	if d := l.check(all); d.Missing != 1 || d.Doubled != 1 || d.Unknown != 1 || d.intact() {
		t.Errorf("broken: %+v", d)
	}
	two, _ := l.batch(2)
	l.close(two, &kindredv1.WriteEventsResponse{Added: 1})
	if d := l.check(all); len(d.Rows) != 1 {
		t.Errorf("a reply that lost a row: %+v", d)
	}
}

func TestBatchesLeftAreJoinedWithoutLoss(t *testing.T) {
	l := newLedger(1)
	for range 500 {
		l.batch(5)
	}
	left, n := l.left(), 0
	for number, events := range left {
		if len(events) > maxBatch {
			t.Errorf("a batch of %d", len(events))
		}
		n += len(events)
		l.close(number, &kindredv1.WriteEventsResponse{Added: int64(len(events))})
	}
	if d := l.check(nil); n != 2500 || len(left) != 3 || d.Acknowledged != 2500 || len(l.left()) != 0 {
		t.Errorf("%d events in %d batches, %+v", n, len(left), d)
	}
}

func TestOnlyExcusedCodesPass(t *testing.T) {
	c := newCalls()
	c.Count, c.Errors["UNAVAILABLE"], c.Errors["INTERNAL"] = 9, 3, 1
	if bad := c.unexcused(codes.Unavailable); len(bad) != 1 || bad[0] != "INTERNAL" {
		t.Errorf("got %v", bad)
	}
	if codeName(codes.ResourceExhausted) != "RESOURCE_EXHAUSTED" || codeName(codes.OK) != "OK" {
		t.Error("codes are not named as protocols write them")
	}
}

func TestFlipChangesWhatIsWrittenAndNotTheRoomBehindIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	content := append([]byte(strings.Repeat("a", 100)), make([]byte, 1000)...)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := flip(path, 0.5); err != nil {
		t.Fatal(err)
	}
	now, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for i := range now {
		if now[i] != content[i] {
			changed++
		}
	}
	if now[50] == content[50] || changed != flipped || len(now) != len(content) {
		t.Errorf("%d bytes changed", changed)
	}
	if err := halve(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 50 {
		t.Errorf("half of it: %v, %v", info, err)
	}
}

func TestTailKeepsTheBeginningAndTheEnd(t *testing.T) {
	var log tail
	fmt.Fprintln(&log, "first")
	for range 100_000 {
		io.WriteString(&log, "and on\n")
	}
	fmt.Fprintln(&log, "panic: last")
	if len(log.String()) > tailBytes || !strings.HasPrefix(log.String(), "first") || log.last() != "panic: last" || log.panicked() != "panic: last" {
		t.Errorf("%d bytes, ends with %q", len(log.String()), log.last())
	}
}
