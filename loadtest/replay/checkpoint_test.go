package replay

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// cutter is a connection that is lost at the n-th write, before or after the server has taken it.
type cutter struct {
	grpc.ClientConnInterface
	at    int32
	after bool
	calls atomic.Int32
}

func (c *cutter) Invoke(ctx context.Context, method string, in, out any, options ...grpc.CallOption) error {
	if !strings.HasSuffix(method, "/WriteEvents") {
		return c.ClientConnInterface.Invoke(ctx, method, in, out, options...)
	}
	if n := c.calls.Add(1); n < c.at || n > c.at && !c.after {
		return c.ClientConnInterface.Invoke(ctx, method, in, out, options...)
	} else if n == c.at && c.after {
		if err := c.ClientConnInterface.Invoke(ctx, method, in, out, options...); err != nil {
			return err
		}
	}
	return status.Error(codes.Internal, "lost")
}

func checkpointed(t *testing.T) Options {
	o := testOptions()
	o.Checkpoint, o.RetryFor = filepath.Join(t.TempDir(), "replay.checkpoint"), 0
	return o
}

// Wherever a replay is ended, before or after the server took the write that was under way, calling it again leads to the
// figures and to the server's log of a replay that went through.
func TestReplayThatWasEndedGoesOnToTheSameFigures(t *testing.T) {
	log, catalog := randomLog(400, 12, 11)
	whole := &shop{catalog: catalog}
	want, err := Run(t.Context(), whole.serve(t), log, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	withoutClock(want)
	for _, after := range []bool{false, true} {
		for _, at := range []int32{1, 2, 3, 17, 40} {
			s := &shop{catalog: catalog}
			conn, o := s.serve(t), checkpointed(t)
			_, err := Run(t.Context(), &cutter{ClientConnInterface: conn, at: at, after: after}, log, o)
			if err == nil || !strings.Contains(err.Error(), "of 400 events") || !strings.Contains(err.Error(), o.Checkpoint+" keeps what was done") {
				t.Fatalf("lost at write %d: %v", at, err)
			}
			got, err := Run(t.Context(), conn, log, o)
			if err != nil {
				t.Fatalf("lost at write %d, after it landed %v: %v", at, after, err)
			}
			withoutClock(got)
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("lost at write %d, after it landed %v (-whole +in two parts):\n%s", at, after, diff)
			}
			if !slices.EqualFunc(s.written, whole.written, func(a, b *kindredv1.Event) bool { return a.Id == b.Id }) {
				t.Errorf("lost at write %d: the server's log differs", at)
			}
			again, err := Run(t.Context(), conn, log, o) // all of it is done
			if err != nil {
				t.Fatal(err)
			}
			withoutClock(again)
			if diff := gocmp.Diff(want, again); diff != "" {
				t.Errorf("read again (-want +got):\n%s", diff)
			}
		}
	}
}

func TestLineThatWasCutOffIsAskedAgain(t *testing.T) {
	log, catalog := randomLog(200, 12, 12)
	whole := &shop{catalog: catalog}
	want, err := Run(t.Context(), whole.serve(t), log, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{catalog: catalog}
	conn, o := s.serve(t), checkpointed(t)
	if _, err := Run(t.Context(), &cutter{ClientConnInterface: conn, at: 9}, log, o); err == nil {
		t.Fatal("the connection was lost, and nobody saw it")
	}
	text, err := os.ReadFile(o.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.Checkpoint, text[:len(text)-7], 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Run(t.Context(), conn, log, o)
	if err != nil {
		t.Fatal(err)
	}
	withoutClock(want)
	withoutClock(got)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-whole +in two parts):\n%s", diff)
	}
}

func TestCheckpointOfSomethingElseIsRefused(t *testing.T) {
	log, catalog := randomLog(200, 12, 13)
	conn, o := (&shop{catalog: catalog}).serve(t), checkpointed(t)
	if _, err := Run(t.Context(), &cutter{ClientConnInterface: conn, at: 9}, log, o); err == nil {
		t.Fatal("the connection was lost, and nobody saw it")
	}
	refused := func(what, want string, conn grpc.ClientConnInterface, log logSource, o Options) {
		t.Helper()
		if _, err := Run(t.Context(), conn, log, o); !errors.Is(err, ErrCheckpoint) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v; want %v with %q", what, err, ErrCheckpoint, want)
		}
	}
	other := o
	other.Seed, other.Limit = 5, 20
	refused("another seed", "it is of limit 10, this replay of 20, it is of seed 1, this replay of 5", conn, log, other)
	refused("another log", "log", conn, log[1:], o)
	refused("another server", "another store", (&shop{catalog: catalog}).serve(t), log, o)
	if err := os.WriteFile(o.Checkpoint, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("another file", "not that of a replay", conn, log, o)
}

func TestWriteWhoseReplyWasLostIsNoKnownEvent(t *testing.T) {
	log, catalog := randomLog(60, 5, 14)
	s := &shop{catalog: catalog}
	conn := &loser{ClientConnInterface: s.serve(t)}
	if _, err := Run(t.Context(), conn, log, testOptions()); err != nil || len(s.written) != 60 {
		t.Errorf("%d of 60 events, error %v", len(s.written), err)
	}
}

// loser loses the reply to the third write.
type loser struct {
	grpc.ClientConnInterface
	calls int
}

func (l *loser) Invoke(ctx context.Context, method string, in, out any, options ...grpc.CallOption) error {
	err := l.ClientConnInterface.Invoke(ctx, method, in, out, options...)
	if strings.HasSuffix(method, "/WriteEvents") {
		if l.calls++; l.calls == 3 {
			return status.Error(codes.Unavailable, "connection reset")
		}
	}
	return err
}
