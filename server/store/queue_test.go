package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// blockCommitter keeps the committer busy until release is called.
func blockCommitter(t *testing.T, s *Store) (release func()) {
	t.Helper()
	entered, done := make(chan struct{}), make(chan struct{})
	r := &request{control: func(*writer) error { close(entered); <-done; return nil }, done: make(chan struct{})}
	if err := s.queue.put(r); err != nil {
		t.Fatal(err)
	}
	<-entered
	return func() { close(done); <-r.done }
}

func TestFullQueueRefusesAtOnce(t *testing.T) {
	o := testOptions()
	o.QueueMutations = 10
	s, tenant := openTest(t, t.TempDir(), o)
	batch := make([]record.Mutation, 11)
	if _, _, err := tenant.Append(context.Background(), batch); !errors.Is(err, record.ErrLimit) {
		t.Errorf("a batch that never fits: %v", err)
	}
	release := blockCommitter(t, s)
	waiting := make(chan error)
	go func() {
		_, _, err := tenant.Append(context.Background(), batch[:8])
		waiting <- err
	}()
	for s.Stats().Waiting != 8 {
		time.Sleep(time.Millisecond)
	}
	if _, _, err := tenant.Append(context.Background(), batch[:3]); !errors.Is(err, record.ErrOverloaded) {
		t.Errorf("past the bound: %v", err)
	}
	// Who leaves while the batch waits takes it back.
	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan error)
	go func() {
		_, _, err := tenant.Append(ctx, []record.Mutation{view("left", "ann", "i1"), view("left2", "ann", "i1")})
		left <- err
	}()
	for s.Stats().Waiting != 10 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("left: %v", err)
	}
	if s.Stats().Waiting != 8 {
		t.Error("the batch still waits")
	}
	release()
	if err := <-waiting; err != nil {
		t.Errorf("the batch that waited: %v", err)
	}
	if _, known := tenant.UserNumber("ann", ""); known {
		t.Error("the batch that was taken back was written")
	}
}

func TestOneSyncForManyWriters(t *testing.T) {
	o := testOptions()
	o.Sync = true
	s, tenant := openTest(t, t.TempDir(), o)
	release := blockCommitter(t, s)
	const writers = 20
	answers := make(chan error)
	for w := range writers {
		go func() {
			_, _, err := tenant.Append(context.Background(), []record.Mutation{view(fmt.Sprint(w), "ann", "i1")})
			answers <- err
		}()
	}
	for s.Stats().Waiting != writers {
		time.Sleep(time.Millisecond)
	}
	before := s.Stats()
	release()
	for range writers {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	after := s.Stats()
	// One for the group that blocked, one for all writers.
	if after.Syncs-before.Syncs != 2 || after.Groups-before.Groups != 1 {
		t.Errorf("%d writers took %d syncs and %d groups", writers, after.Syncs-before.Syncs, after.Groups-before.Groups)
	}
}

func TestSlowFollowerHoldsUpAndLosesNothing(t *testing.T) {
	o := testOptions()
	o.FollowBuffer = 1
	_, tenant := openTest(t, t.TempDir(), o)
	gate := make(chan struct{})
	var got []uint64
	done := make(chan struct{})
	const n = 20
	stop, err := tenant.Follow(0, func(entries []record.Entry) {
		<-gate
		for _, e := range entries {
			if got = append(got, e.Seq); len(got) == n {
				close(done)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for !tenant.followed() { // until it has joined it replays and holds up nobody
		time.Sleep(time.Millisecond)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i := range n {
			if _, _, err := tenant.Append(context.Background(), []record.Mutation{view(fmt.Sprint(i), "ann", "i1")}); err != nil {
				t.Error(err)
			}
		}
	}()
	select {
	case <-written:
		t.Error("the follower did not hold up the writer")
	case <-time.After(100 * time.Millisecond):
	}
	close(gate)
	<-written
	<-done
	for i, seq := range got {
		if seq != uint64(i+1) {
			t.Fatalf("entry %d has place %d", i, seq)
		}
	}
}
