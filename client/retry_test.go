package client_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kindred-rec/kindred/client"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// The write arrives, its answer does not: the repeated call must find a duplicate.
func TestWriteWhoseAnswerIsLostCountsOnce(t *testing.T) {
	s, direct := shop(t)
	network := newWire(t, s.Addr())
	c := dial(t, network.listener.Addr().String())
	ctx := context.Background()
	if _, err := c.WriteEvents(ctx, view("ann", "first")); err != nil {
		t.Fatal(err)
	}

	network.swallow(true)
	type outcome struct {
		reply *kindredv1.WriteEventsResponse
		err   error
	}
	ended := make(chan outcome, 1)
	go func() {
		reply, err := c.WriteEvents(ctx, view("ann", "second"))
		ended <- outcome{reply, err}
	}()
	for eventsOf(t, direct, "ann") < 2 {
		time.Sleep(time.Millisecond)
	}
	network.swallow(false)
	network.cut()

	got := <-ended
	if got.err != nil {
		t.Fatal(got.err)
	}
	if got.reply.Duplicates != 1 || got.reply.Added != 0 {
		t.Errorf("the repeated call added %d and found %d duplicates, want 0 and 1", got.reply.Added, got.reply.Duplicates)
	}
	if n := eventsOf(t, direct, "ann"); n != 2 {
		t.Errorf("the service keeps %d events, want 2", n)
	}
}

func TestWhatIsRepeated(t *testing.T) {
	overloaded, err := status.New(codes.ResourceExhausted, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	unavailable := status.New(codes.Unavailable, "not yet")
	bound := status.New(codes.ResourceExhausted, "the catalog is full")
	write := func(c *client.Client) error {
		_, err := c.WriteEvents(context.Background(), view("ann", "1"))
		return err
	}
	anonymous := func(c *client.Client) error {
		_, err := c.Events.WriteEvents(context.Background(), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{view("ann", "1")}})
		return err
	}
	recommend := func(c *client.Client) error {
		_, err := c.Recommendations.Recommend(context.Background(), &kindredv1.RecommendRequest{})
		return err
	}
	upsert := func(c *client.Client) error {
		_, err := c.Catalog.UpsertItems(context.Background(), &kindredv1.UpsertItemsRequest{})
		return err
	}
	for _, tc := range []struct {
		name  string
		call  func(*client.Client) error
		fault *status.Status
		calls int
	}{
		{"a read of a service that is away", recommend, unavailable, 3},
		{"a read that is asked to come back", recommend, overloaded, 3},
		{"a read past a bound", recommend, bound, 1},
		{"a read that is wrong", recommend, status.New(codes.InvalidArgument, "no"), 1},
		{"events with ids, of a service that is away", write, unavailable, 3},
		{"events with ids that are asked to come back", write, overloaded, 3},
		{"events with ids past a bound", write, bound, 1},
		{"events without ids would count again", anonymous, unavailable, 1},
		{"a catalog row could overwrite a newer one", upsert, unavailable, 1},
		{"and is not repeated when asked to come back either", upsert, overloaded, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &script{answer: func(context.Context, int) error { return tc.fault.Err() }}
			c := dial(t, play(t, s), func(o *client.Options) { o.Attempts = 3 })
			if got := status.Code(tc.call(c)); got != tc.fault.Code() {
				t.Errorf("the caller is told %v, want %v", got, tc.fault.Code())
			}
			if got := s.called(); got != tc.calls {
				t.Errorf("%d calls, want %d", got, tc.calls)
			}
			for _, ids := range s.ids[min(1, len(s.ids)):] {
				if ids[0] != s.ids[0][0] {
					t.Errorf("the repeated event is %q, was %q", ids[0], s.ids[0][0])
				}
			}
		})
	}
}

func TestRepeatedCallSucceeds(t *testing.T) {
	s := &script{answer: func(_ context.Context, n int) error {
		if n < 3 {
			return status.Error(codes.Unavailable, "not yet")
		}
		return nil
	}}
	reply, err := dial(t, play(t, s)).WriteEvents(context.Background(), view("ann", "1"))
	if err != nil || reply.Added != 1 || s.called() != 3 {
		t.Errorf("after %d calls: %v, %v; want one event added by the third", s.called(), reply, err)
	}
}

// A pause that the service asks for is kept, and none is begun that the deadline cuts off.
func TestPauseThatTheServiceAsksFor(t *testing.T) {
	const pause = 80 * time.Millisecond
	var at []time.Time
	s := &script{answer: func(_ context.Context, n int) error {
		at = append(at, time.Now())
		if n > 1 {
			return nil
		}
		st, err := status.New(codes.ResourceExhausted, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(pause)})
		if err != nil {
			return err
		}
		return st.Err()
	}}
	c := dial(t, play(t, s))
	if _, err := c.WriteEvents(context.Background(), view("ann", "1")); err != nil {
		t.Fatal(err)
	}
	if got := at[1].Sub(at[0]); got < pause {
		t.Errorf("came back after %v, was asked to wait %v", got, pause)
	}

	long, err := status.New(codes.ResourceExhausted, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	s2 := &script{answer: func(context.Context, int) error { return long.Err() }}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err = dial(t, play(t, s2)).WriteEvents(ctx, view("ann", "1"))
	if status.Code(err) != codes.ResourceExhausted || ctx.Err() != nil {
		t.Errorf("got %v with the context %v; want the service's answer at once", err, ctx.Err())
	}
}

func TestCallWithoutDeadlineGetsOne(t *testing.T) {
	s := &script{answer: func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }}
	c := dial(t, play(t, s), func(o *client.Options) { o.Timeout = 50 * time.Millisecond })
	_, err := c.Recommendations.Recommend(context.Background(), &kindredv1.RecommendRequest{})
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("got %v, want DEADLINE_EXCEEDED", err)
	}
}
