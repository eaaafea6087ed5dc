package main

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/training/schedule"
)

// scheduled trains after so many events with children of the test binary.
func scheduled(t *testing.T, log *slog.Logger, arguments ...string) func(*service.Config) {
	t.Setenv(asKindred, "1")
	return func(c *service.Config) {
		c.Log = log
		c.Training = schedule.Config{
			After: 100, Cores: 1, Memory: 512 << 20, Poll: 20 * time.Millisecond, Backoff: 50 * time.Millisecond,
			Command: append([]string{os.Args[0], "train"}, arguments...),
		}
	}
}

// status is how training of the tenant goes.
func (s *served) status() *kindredv1.TrainingStatus {
	s.t.Helper()
	reply, err := kindredv1.NewModelServiceClient(s.conn).ListModels(s.t.Context(), &kindredv1.ListModelsRequest{})
	if err != nil {
		s.t.Fatal(err)
	}
	return reply.Training
}

// metrics is the page for Prometheus.
func (s *served) metrics() string {
	s.t.Helper()
	reply, err := http.Get("http://" + s.OpsAddr() + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// await waits until a training has gone so.
func (s *served) await(what string, ok func(*kindredv1.TrainingStatus) bool) *kindredv1.TrainingStatus {
	s.t.Helper()
	// A child of the lowest priority waits for all else on the machine.
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if st := s.status(); ok(st) {
			return st
		}
	}
	s.t.Fatalf("%s: %v", what, s.status())
	return nil
}

// book is a log that is written by several goroutines.
type book struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestAScheduledTrainingServesAndTheNextWaitsForEvents(t *testing.T) {
	var log book
	s := serve(t, scheduled(t, slog.New(slog.NewTextHandler(&log, nil)), quick...), func(c *service.Config) { c.Ops = "127.0.0.1:0" })
	if st := s.status(); st == nil || st.Running || st.StartTime != nil {
		t.Fatalf("with an empty log: %v", st)
	}
	if text := s.metrics(); !strings.Contains(text, `kindred_tenant_training_running{tenant="default"} 0`) || strings.Contains(text, "\nkindred_tenant_training_end") {
		t.Errorf("metrics before a training:\n%s", text)
	}
	s.walk(60)
	// It may have begun before all events were there, and then begins again.
	st := s.await("trained", func(st *kindredv1.TrainingStatus) bool {
		return st.Outcome == kindredv1.TrainingOutcome_TRAINING_OUTCOME_PROMOTED
	})
	if st.ModelHash == "" || st.Reason != "" || st.Failures != 0 || !st.Running && !st.EndTime.AsTime().After(st.StartTime.AsTime()) {
		t.Errorf("%v", st)
	}
	if g := s.generation(); !strings.Contains(g, "bundle:") {
		t.Errorf("generation %q", g)
	}
	for _, want := range []string{`training_failures{tenant="default"} 0`, `training_end_timestamp_seconds{tenant="default"} 1`} {
		if text := s.metrics(); !strings.Contains(text, want) {
			t.Errorf("the metrics do not say %s:\n%s", want, text)
		}
	}
	for _, want := range []string{"training begins", "training ended", "outcome=promoted"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "kd_") {
		t.Error("a key is in the log")
	}
}

func TestAScheduleWaitsWhereThereIsTooLittle(t *testing.T) {
	s := serve(t, scheduled(t, slog.New(slog.DiscardHandler), quick...))
	s.walk(18) // 108 events, of too few users
	st := s.await("too little", func(st *kindredv1.TrainingStatus) bool {
		return st.Outcome == kindredv1.TrainingOutcome_TRAINING_OUTCOME_TOO_LITTLE
	})
	if !strings.Contains(st.Reason, "at least 20 are needed") || st.Failures != 0 {
		t.Errorf("%v", st)
	}
	time.Sleep(200 * time.Millisecond)
	if again := s.status(); again.Running || !again.StartTime.AsTime().Equal(st.StartTime.AsTime()) {
		t.Errorf("it was tried again with nothing new: %v", again)
	}
	s.walk(60)
	s.await("trained", func(st *kindredv1.TrainingStatus) bool { return st.ModelHash != "" })
}

// children are the processes that this one started and that still run.
func children(t *testing.T) (ids []int) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
		if parent, _ := strconv.Atoi(fields[1]); parent == os.Getpid() && fields[0] != "Z" {
			id, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			ids = append(ids, id)
		}
	}
	return ids
}

// underway waits for the child that trains, and until it has saved a checkpoint.
func (s *served) underway() int {
	s.t.Helper()
	checkpoint := filepath.Join(s.data, "training", "1", "training.safetensors")
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(checkpoint); err != nil {
			continue
		}
		if ids := children(s.t); len(ids) == 1 {
			return ids[0]
		}
	}
	s.t.Fatal("no child trains: ", s.status())
	return 0
}

var slow = []string{"--epochs", "3000", "--dim", "64"}

func TestAChildHasTheLowestPriorityAndNoSecretInSight(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	s := serve(t, scheduled(t, slog.New(slog.DiscardHandler), slow...))
	s.walk(60)
	child := "/proc/" + strconv.Itoa(s.underway())
	threads, err := filepath.Glob(child + "/task/*/stat")
	if err != nil || len(threads) == 0 {
		t.Fatal(threads, err)
	}
	for _, path := range threads {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
		if nice := fields[16]; nice != "19" {
			t.Errorf("%s runs at nice %s", path, nice)
		}
	}
	for _, name := range []string{"cmdline", "environ"} {
		raw, err := os.ReadFile(filepath.Join(child, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte("kd_")) {
			t.Errorf("a key is in %s of the child", name)
		}
		if want := "GOMEMLIMIT=536870912"; name == "environ" && !bytes.Contains(raw, []byte(want)) {
			t.Errorf("the child's environment has no %s", want)
		}
	}
	// The service stops, and the child with it.
	begin := time.Now()
	s.stop()
	if ids := children(t); len(ids) > 0 {
		t.Errorf("children %v run on after the stop, %s later", ids, time.Since(begin))
	}
}

func TestAChildThatIsKilledIsFollowedByOneThatGoesOn(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	var log book
	s := serve(t, scheduled(t, slog.New(slog.NewTextHandler(&log, nil)), "--epochs", "150", "--dim", "64"))
	s.walk(60)
	before := s.generation()
	if err := syscall.Kill(s.underway(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.await("failed", func(st *kindredv1.TrainingStatus) bool {
		return st.Outcome == kindredv1.TrainingOutcome_TRAINING_OUTCOME_FAILED || st.ModelHash != ""
	})
	if !strings.Contains(log.String(), "signal: killed") || !strings.Contains(log.String(), "failures=1") {
		t.Errorf("the log:\n%s", log.String())
	}
	if g := s.generation(); g != before {
		t.Errorf("a killed training changed what serves from %q to %q", before, g)
	}
	st := s.await("trained", func(st *kindredv1.TrainingStatus) bool { return st.ModelHash != "" })
	if st.Outcome != kindredv1.TrainingOutcome_TRAINING_OUTCOME_PROMOTED || st.Failures != 0 {
		t.Errorf("%v", st)
	}
	left, err := filepath.Glob(filepath.Join(s.data, "training", "1", schedule.WorkPrefix+"*"))
	if err != nil || len(left) > 0 {
		t.Errorf("the child that was killed left %v %v behind", left, err)
	}
	if !strings.Contains(log.String(), "going on from a checkpoint") {
		t.Errorf("the second child began anew:\n%s", log.String())
	}
}
