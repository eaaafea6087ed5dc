package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/client"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func newWriter(t testing.TB, c *client.Client, o client.WriterOptions) *client.Writer {
	t.Helper()
	w, err := c.NewWriter(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		w.Close(now) // for tests that ended early; the others have closed it
	})
	return w
}

// The service goes away and comes back while many write: each event is there once.
func TestEventsSurviveARestartOfTheService(t *testing.T) {
	dir := t.TempDir()
	s := startService(t, dir, "127.0.0.1:0")
	addr := s.Addr()
	c := dial(t, addr)
	w := newWriter(t, c, client.WriterOptions{Queue: 64, Batch: 16, Linger: time.Millisecond})
	const writers, each = 4, 200
	half := make(chan struct{}, writers)
	var writing sync.WaitGroup
	for i := range writers {
		writing.Go(func() {
			for j := range each {
				if j == each/2 {
					half <- struct{}{}
				}
				if err := w.Add(context.Background(), view(fmt.Sprint("user-", i), fmt.Sprint("item-", j))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	<-half
	stopService(t, s)
	s = startService(t, dir, addr)
	defer func() { stopService(t, s) }()
	writing.Wait()
	if err := w.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	got := w.Stats()
	if got.Taken != writers*each || got.Added+got.Duplicates != got.Taken || got.Lost != 0 || got.Waiting != 0 {
		t.Errorf("stats %+v, want %d taken and all of them added or known", got, writers*each)
	}
	for i := range writers {
		if n := eventsOf(t, c, fmt.Sprint("user-", i)); n != each {
			t.Errorf("user %d has %d events, want %d", i, n, each)
		}
	}
}

// A flushed event counts in what comes next, and has the time at which it was taken.
func TestFlushedEventsAreThere(t *testing.T) {
	_, c := shop(t)
	w := newWriter(t, c, client.WriterOptions{Linger: time.Hour})
	e := view("ann", "1")
	before := time.Now()
	if err := w.Offer(e); err != nil {
		t.Fatal(err)
	}
	if e.Id == "" || e.Time.AsTime().Before(before.Add(-time.Microsecond)) {
		t.Errorf("taken as %v: without an id, or with a time before it was taken", e)
	}
	if err := w.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := eventsOf(t, c, "ann"); n != 1 {
		t.Errorf("after a flush %d events are there, want 1", n)
	}
}

// One bad event costs nobody else theirs; each kind of badness is told with its event.
func TestBadEventsAreToldAndTheOthersLand(t *testing.T) {
	_, c := shop(t)
	lost := map[string]error{}
	w := newWriter(t, c, client.WriterOptions{Linger: time.Hour, Lost: func(e *kindredv1.Event, err error) { lost[e.Id] = err }})
	long := view("ann", strings.Repeat("x", 200))
	binary := view("ann", "\xff\xfe")
	known, other := view("ann", "1"), view("ann", "2")
	long.Id, binary.Id, known.Id, other.Id = "long", "binary", "same", "same"
	for _, e := range []*kindredv1.Event{view("ann", "a"), long, view("ann", "b"), known, other, binary, view("ann", "c")} {
		if err := w.Add(context.Background(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := eventsOf(t, c, "ann"); n != 4 {
		t.Errorf("%d events landed, want a, b, c and the first of the same id", n)
	}
	var refused *client.RowFault
	if !errors.As(lost["long"], &refused) || !strings.Contains(refused.Field, "item_id") {
		t.Errorf("the event with a long id was lost with %v, want a fault of item_id", lost["long"])
	}
	if !errors.As(lost["same"], &refused) || refused.Code != kindredv1.RowErrorCode_ROW_ERROR_CODE_ALREADY_EXISTS {
		t.Errorf("the second of an id was lost with %v, want ALREADY_EXISTS", lost["same"])
	}
	if lost["binary"] == nil || len(lost) != 3 {
		t.Errorf("lost %v, want long, same and binary", lost)
	}
	if got := w.Stats(); got.Added+got.Duplicates != 4 || got.Lost != 3 {
		t.Errorf("stats %+v, want 4 there and 3 lost", got)
	}
}

// A call of malformed events alone is refused as a whole; each still hears its own fault.
func TestEventsThatAreAllBad(t *testing.T) {
	_, c := shop(t)
	fields := map[string]string{}
	w := newWriter(t, c, client.WriterOptions{Linger: time.Hour, Lost: func(e *kindredv1.Event, err error) {
		var refused *client.RowFault
		if errors.As(err, &refused) {
			fields[e.Id] = refused.Field
		}
	}})
	for _, e := range []*kindredv1.Event{
		{Id: "nobody", ItemId: "1", Type: kindredv1.EventType_EVENT_TYPE_VIEW},
		{Id: "nothing", UserId: "ann", Type: kindredv1.EventType_EVENT_TYPE_VIEW},
	} {
		if err := w.Offer(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(fields) != 2 || !strings.HasPrefix(fields["nobody"], "events[0]") || fields["nobody"] == fields["nothing"] {
		t.Errorf("told %v, want the fault of each", fields)
	}
}

// The queue holds what it may and no more; whoever waits for room stops with the context.
func TestQueueIsBounded(t *testing.T) {
	free := make(chan struct{})
	s := &script{answer: func(ctx context.Context, _ int) error {
		select {
		case <-free:
		case <-ctx.Done():
		}
		return ctx.Err()
	}}
	w := newWriter(t, dial(t, play(t, s)), client.WriterOptions{Queue: 5, Batch: 2, Linger: time.Millisecond})
	for i := range 5 {
		if err := w.Offer(view("ann", fmt.Sprint(i))); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := w.Offer(view("ann", "6")); !errors.Is(err, client.ErrQueueFull) {
		t.Errorf("the sixth of five: %v, want ErrQueueFull", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := w.Add(ctx, view("ann", "6")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for room: %v, want the context's error", err)
	}
	close(free)
	if err := w.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := w.Offer(view("ann", "7")); !errors.Is(err, client.ErrWriterClosed) {
		t.Errorf("after Close: %v, want ErrWriterClosed", err)
	}
	if got := w.Stats(); got.Taken != 5 || got.Added != 5 {
		t.Errorf("stats %+v, want 5 taken and added", got)
	}
}

// Close that has no time loses what waits, and says of what and why.
func TestCloseWithoutTimeTellsWhatIsLost(t *testing.T) {
	s := &script{answer: func(context.Context, int) error { return status.Error(codes.Unavailable, "away") }}
	w := newWriter(t, dial(t, play(t, s)), client.WriterOptions{Linger: time.Millisecond})
	for i := range 3 {
		if err := w.Offer(view("ann", fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := w.Close(ctx)
	if err == nil || !strings.Contains(err.Error(), "was lost") {
		t.Errorf("Close says %v, want the first event that was lost", err)
	}
	if got := w.Stats(); got.Lost != 3 || got.Waiting != 0 {
		t.Errorf("stats %+v, want 3 lost", got)
	}
}

// Past its time a batch is given up, and the next one is tried.
func TestBatchIsGivenUpInTheEnd(t *testing.T) {
	s := &script{answer: func(context.Context, int) error { return status.Error(codes.Unavailable, "away") }}
	var told []string
	w := newWriter(t, dial(t, play(t, s)), client.WriterOptions{
		Linger: time.Millisecond, GiveUp: 20 * time.Millisecond,
		Lost: func(e *kindredv1.Event, err error) { told = append(told, e.ItemId+" "+status.Code(err).String()) },
	})
	if err := w.Offer(view("ann", "1")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || told[0] != "1 Unavailable" {
		t.Errorf("told %q, want the one event and why", told)
	}
}

func TestWriterRefusesOptions(t *testing.T) {
	c := dial(t, "127.0.0.1:1")
	for _, o := range []client.WriterOptions{{Queue: -1}, {Queue: 1 << 25}, {Batch: 1001}, {Batch: -1}, {Linger: -1}, {GiveUp: -1}} {
		if w, err := c.NewWriter(o); !errors.Is(err, client.ErrOptions) {
			t.Errorf("%+v: %v and error %v, want ErrOptions", o, w, err)
		}
	}
}
