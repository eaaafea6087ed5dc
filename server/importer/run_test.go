package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// edit rewrites a file of a shop.
func edit(t *testing.T, path string, change func(string) string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, change(string(text)))
}

func csvOptions(addr, dir string) Options {
	return Options{Format: dataset.CSV, Data: dir, Addr: addr, RetryFor: 5 * time.Second, Seed: 1}
}

func mustRun(t *testing.T, opts Options) Summary {
	t.Helper()
	sum, err := Run(t.Context(), opts, io.Discard)
	if err != nil {
		t.Fatalf("import: %v", err)
	}
	if !sum.Complete || sum.Items.Unanswered != 0 || sum.Events.Unanswered != 0 {
		t.Fatalf("a good import leaves rows without an answer: %+v", sum)
	}
	return sum
}

func text(t *testing.T, s Summary) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCountsAgreeWithFilesAndSecondImportAddsNothing(t *testing.T) {
	s := &service{memory: newMemory()}
	addr, _ := serve(t, s, "")
	opts := csvOptions(addr, shop(t, 250, 30, 41))

	first := mustRun(t, opts)
	if diff := cmp.Diff(ItemCounts{Read: 250, Added: 250, Catalog: 250}, first.Items); diff != "" {
		t.Errorf("items of the first import (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(EventCounts{Read: 1230, Added: 1230}, first.Events); diff != "" {
		t.Errorf("events of the first import (-want +got):\n%s", diff)
	}
	if s.largestBatch != 100 {
		t.Errorf("largest batch has %d rows, want the default of 100", s.largestBatch)
	}
	if first.NothingNew() {
		t.Error("the first import says that nothing was new")
	}

	second := mustRun(t, opts)
	if diff := cmp.Diff(ItemCounts{Read: 250, Unchanged: 250, Catalog: 250}, second.Items); diff != "" {
		t.Errorf("items of the second import (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(EventCounts{Read: 1230, Duplicates: 1230}, second.Events); diff != "" {
		t.Errorf("events of the second import (-want +got):\n%s", diff)
	}
	if got, want := text(t, second), "nothing new: all 250 items were unchanged, all 1,230 events were known already\n"; !strings.Contains(got, want) {
		t.Errorf("the second import does not say that nothing was new:\n%s", got)
	}
	if len(s.events) != 1230 {
		t.Errorf("the service holds %d events, want 1,230", len(s.events))
	}
}

func TestChangedItemIsCountedAsChanged(t *testing.T) {
	s := &service{memory: newMemory()}
	addr, _ := serve(t, s, "")
	dir := shop(t, 10, 1, 1)
	mustRun(t, csvOptions(addr, dir))
	edit(t, filepath.Join(dir, "items.csv"), func(rows string) string {
		return strings.Replace(rows, "Thing 3", "Thing three", 1) + "i10,Thing 10,9.00,EUR\n"
	})
	sum := mustRun(t, csvOptions(addr, dir))
	if diff := cmp.Diff(ItemCounts{Read: 11, Added: 1, Changed: 1, Unchanged: 9, Catalog: 11}, sum.Items); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if sum.NothingNew() {
		t.Error("a changed item is nothing new")
	}
}

func TestBrokenRowInTheMiddleIsNamedAndTheOthersLand(t *testing.T) {
	s := &service{memory: newMemory()}
	addr, _ := serve(t, s, "")
	dir := shop(t, 20, 4, 10)
	edit(t, filepath.Join(dir, "items.csv"), func(rows string) string {
		return strings.Replace(rows, "i7,Thing 7,8.50,EUR", "i7,Thing 7,eight fifty,EUR", 1)
	})
	edit(t, filepath.Join(dir, "events.csv"), func(rows string) string {
		lines := strings.Split(rows, "\n")
		lines[13] = "u0,i1,view"                                      // a column is missing
		lines[14] = strings.Replace(lines[14], ",view,", ",gaze,", 1) // for the service to judge
		lines[15] = strings.Replace(lines[15], ",view,", ",reject_me,", 1)
		return strings.Join(lines, "\n")
	})
	errorsFile := filepath.Join(t.TempDir(), "bad.jsonl")

	var out bytes.Buffer
	command := Command{Format: "csv", Data: dir, Addr: addr, Comma: ",", Mode: "merge", Errors: errorsFile}
	err := command.run(t.Context(), &out, io.Discard)
	var rejected *RejectedError
	if !errors.As(err, &rejected) || rejected.ExitCode() != 3 {
		t.Fatalf("error %v, want a RejectedError with exit code 3", err)
	}
	if want := "1 item row and 2 event rows rejected, the others landed"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if len(s.items) != 19 || s.items["i7"] != nil {
		t.Errorf("the service holds %d items, want all 19 good ones", len(s.items))
	}
	if len(s.events) != 38 {
		t.Errorf("the service holds %d events, want all 38 good ones", len(s.events))
	}
	for _, want := range []string{
		"items   20 read  19 added  0 changed  0 unchanged  1 rejected\n",
		"events  40 read  38 added  0 known    4 unjoined   2 rejected\n",
		filepath.Join(dir, "items.csv") + ":9  price: ",
		`got "eight fifty"`,
		filepath.Join(dir, "events.csv") + ":14: ",
		"custom_type: is not declared",
		"each with its reason in " + errorsFile,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the summary lacks %q:\n%s", want, out.String())
		}
	}
	checkErrorsFile(t, errorsFile, dir)
}

func checkErrorsFile(t *testing.T, path, dir string) {
	t.Helper()
	lines, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []BadRow
	for line := range strings.Lines(string(lines)) {
		var row BadRow
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		rows = append(rows, row)
	}
	if len(rows) != 3 {
		t.Fatalf("the errors file has %d rows, want 3:\n%s", len(rows), lines)
	}
	if r := rows[0]; r.Kind != "item" || r.By != "file" || r.File != filepath.Join(dir, "items.csv") || r.Row != 9 || r.Column != "price" {
		t.Errorf("row of the item: %+v", r)
	}
	last := rows[2]
	if last.Kind != "event" || last.By != "service" || last.Number != 15 || last.Code != "INVALID" || last.ID == "" {
		t.Errorf("row that the service rejected: %+v, want event 15", last)
	}
}

func TestServiceThatGoesAwayEndsInAClearErrorAndTheNextRunContinues(t *testing.T) {
	store := newMemory()
	var batches atomic.Int64
	s := &service{memory: store}
	stop := func() {}
	s.onEvents = func(*kindredv1.StreamEventsRequest) (*kindredv1.StreamEventsResponse, error) {
		if batches.Add(1) == 6 {
			go stop()
			return nil, status.Error(codes.Unavailable, "shutting down")
		}
		return nil, nil
	}
	addr, stopServer := serve(t, s, "")
	stop = stopServer
	opts := csvOptions(addr, shop(t, 50, 40, 50))
	opts.RetryFor, opts.InFlight = 300*time.Millisecond, 2

	sum, err := Run(t.Context(), opts, io.Discard)
	if !errors.Is(err, ErrGaveUp) {
		t.Fatalf("error %v, want ErrGaveUp", err)
	}
	if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "running the same command again continues safely") {
		t.Errorf("the error should be one line and say how to go on: %v", err)
	}
	landed := fmt.Sprintf("acknowledged so far: 50 items and %s", count(sum.Events.Added, "event"))
	if !strings.Contains(err.Error(), landed) {
		t.Errorf("the error does not say %q: %v", landed, err)
	}
	if sum.Complete || sum.Events.Added == 0 || sum.Events.Added == 2000 {
		t.Errorf("the summary of half an import: complete %v, %+v", sum.Complete, sum.Events)
	}
	if sum.Events.Unanswered != sum.Events.Read-sum.Events.Added {
		t.Errorf("unanswered events: %+v", sum.Events)
	}
	before := int64(len(store.events))

	again, _ := serve(t, &service{memory: store}, "")
	opts.Addr = again
	rest := mustRun(t, opts)
	if rest.Events.Duplicates != before || rest.Events.Added != 2000-before {
		t.Errorf("the second run took %+v; %d events were there before", rest.Events, before)
	}
	if len(store.events) != 2000 {
		t.Errorf("the service holds %d events, want 2,000", len(store.events))
	}
}

func TestServiceThatRestartsIsWaitedForAndNothingCountsTwice(t *testing.T) {
	store := newMemory()
	var taken atomic.Int64
	down := make(chan struct{})
	s := &service{memory: store}
	stop := func() {}
	s.afterEvents = func() error {
		if taken.Add(1) == 5 { // it is on disk, and the answer is lost
			close(down)
			return status.Error(codes.Unavailable, "connection lost")
		}
		return nil
	}
	addr, stopServer := serve(t, s, "")
	stop = stopServer
	restarted := make(chan struct{})
	go func() {
		defer close(restarted)
		<-down
		stop()
		serve(t, &service{memory: store}, addr)
	}()
	sum := mustRun(t, csvOptions(addr, shop(t, 50, 40, 50)))
	<-restarted
	if len(store.events) != 2000 || len(store.arrived) != 2000 {
		t.Errorf("the service took %d events as %d, want 2,000 once each", len(store.events), len(store.arrived))
	}
	if sum.Events.Added+sum.Events.Duplicates != 2000 || sum.Events.Duplicates == 0 || sum.Events.Resent < sum.Events.Duplicates {
		t.Errorf("counts after a restart: %+v", sum.Events)
	}
	if got := text(t, sum); !strings.Contains(got, "sent again after a broken connection") {
		t.Errorf("the summary does not say that events were sent again:\n%s", got)
	}
	checkOrder(t, store)
}

// checkOrder checks that every user's events arrived in the order of their times.
func checkOrder(t *testing.T, m *memory) {
	t.Helper()
	last := map[string]time.Time{}
	for _, e := range m.arrived {
		if at := e.GetTime().AsTime(); at.Before(last[e.GetUserId()]) {
			t.Fatalf("an event of %s of %s arrived after one of %s", e.GetUserId(), at, last[e.GetUserId()])
		} else {
			last[e.GetUserId()] = at
		}
	}
}

func TestFullQueueIsWaitedForAndKeepsTheOrderOfAUser(t *testing.T) {
	var asked atomic.Int64
	s := &service{memory: newMemory()}
	s.onEvents = func(*kindredv1.StreamEventsRequest) (*kindredv1.StreamEventsResponse, error) {
		if n := asked.Add(1); n%3 == 0 {
			return &kindredv1.StreamEventsResponse{RetryAfterMs: 1}, nil
		}
		return nil, nil
	}
	addr, _ := serve(t, s, "")
	opts := csvOptions(addr, shop(t, 20, 7, 90))
	opts.Batch = 10
	sum := mustRun(t, opts)
	if diff := cmp.Diff(EventCounts{Read: 630, Added: 630}, sum.Events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if asked.Load() <= 63 {
		t.Fatalf("%d requests: none was asked for again, so the test shows nothing", asked.Load())
	}
	checkOrder(t, s.memory)
}

func TestOverloadWithoutEndIsGivenUp(t *testing.T) {
	s := &service{memory: newMemory()}
	s.onEvents = func(*kindredv1.StreamEventsRequest) (*kindredv1.StreamEventsResponse, error) {
		return &kindredv1.StreamEventsResponse{RetryAfterMs: 5}, nil
	}
	addr, _ := serve(t, s, "")
	opts := csvOptions(addr, shop(t, 5, 5, 5))
	opts.RetryFor = 50 * time.Millisecond
	_, err := Run(t.Context(), opts, io.Discard)
	if !errors.Is(err, ErrGaveUp) || !strings.Contains(err.Error(), "queue is full") {
		t.Errorf("error %v, want ErrGaveUp that names the full queue", err)
	}
}

func TestServiceThatNeverAnswersIsGivenUp(t *testing.T) {
	s := &service{memory: newMemory()}
	release := make(chan struct{})
	s.onEvents = func(*kindredv1.StreamEventsRequest) (*kindredv1.StreamEventsResponse, error) {
		<-release
		return nil, status.Error(codes.Aborted, "over")
	}
	addr, stop := serve(t, s, "")
	opts := csvOptions(addr, shop(t, 5, 5, 5))
	opts.RetryFor = 50 * time.Millisecond
	_, err := Run(t.Context(), opts, io.Discard)
	close(release)
	stop()
	if !errors.Is(err, ErrGaveUp) || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Errorf("error %v, want ErrGaveUp that says how long it waited", err)
	}
}

func TestBrokenCatalogStreamIsBegunAnew(t *testing.T) {
	var batches atomic.Int64
	s := &service{memory: newMemory()}
	s.onItems = func() error {
		if batches.Add(1) == 3 {
			return status.Error(codes.Unavailable, "connection lost")
		}
		return nil
	}
	addr, _ := serve(t, s, "")
	dir := shop(t, 500, 1, 1)
	edit(t, filepath.Join(dir, "items.csv"), func(rows string) string { return strings.Replace(rows, "i150,", ",", 1) })
	sum := mustRun(t, csvOptions(addr, dir))
	want := ItemCounts{Read: 500, Added: 299, Unchanged: 200, Rejected: 1, Catalog: 499, Restarts: 1}
	if diff := cmp.Diff(want, sum.Items); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(sum.BadRows) != 1 {
		t.Errorf("a bad row that was met twice is listed %d times", len(sum.BadRows))
	}
}

func TestUnreachableServiceIsOneClearLine(t *testing.T) {
	addr, stop := serve(t, &service{memory: newMemory()}, "")
	stop()
	var out bytes.Buffer
	command := Command{Format: "csv", Data: shop(t, 1, 1, 1), Addr: addr, Comma: ",", Mode: "merge"}
	err := command.run(t.Context(), &out, io.Discard)
	if !errors.Is(err, ErrUnreachable) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("error %v, want ErrUnreachable in one line", err)
	}
	for _, want := range []string{addr, "connection refused", "--addr"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %q: %v", want, err)
		}
	}
	if out.Len() > 0 {
		t.Errorf("nothing was sent, and yet there is a summary:\n%s", out.String())
	}
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		t.Errorf("exit code %d, want the usual 1", coded.ExitCode())
	}
}

func TestKeyIsSentAndAWrongOneRefused(t *testing.T) {
	s := &service{memory: newMemory(), key: "right"}
	addr, _ := serve(t, s, "")
	opts := csvOptions(addr, shop(t, 3, 2, 2))
	opts.Key = "wrong"
	if _, err := Run(t.Context(), opts, io.Discard); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "KINDRED_KEY") {
		t.Errorf("error %v, want ErrRefused that says how to give a key", err)
	}
	opts.Key = "right"
	if got := text(t, mustRun(t, opts)); !strings.Contains(got, `-H "authorization: Bearer $KINDRED_KEY"`) || strings.Contains(got, "right") {
		t.Errorf("the line to try next should take the key from the environment:\n%s", got)
	}
}

func TestInterruptedImportSaysHowFarItCame(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var batches atomic.Int64
	s := &service{memory: newMemory()}
	s.onEvents = func(*kindredv1.StreamEventsRequest) (*kindredv1.StreamEventsResponse, error) {
		if batches.Add(1) == 4 {
			cancel()
		}
		return nil, nil
	}
	addr, _ := serve(t, s, "")
	sum, err := Run(ctx, csvOptions(addr, shop(t, 10, 20, 100)), io.Discard)
	if !errors.Is(err, ErrInterrupted) || !strings.Contains(err.Error(), "acknowledged so far: 10 items") {
		t.Errorf("error %v, want ErrInterrupted with what had landed", err)
	}
	if sum.Complete {
		t.Error("an interrupted import is complete")
	}
}
