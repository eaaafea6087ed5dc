package load

import (
	"errors"
	"testing"
	"time"
	"unsafe"
)

// stepClock gives t as time.Now would have given it had the machine's wall clock then been an hour behind, and been set right
// since. In a time.Time with a monotonic reading the wall seconds stand above the 30 bits of nanoseconds of its first word.
func stepClock(t time.Time) time.Time {
	(*[2]uint64)(unsafe.Pointer(&t))[0] -= 3600 << 30
	return t
}

// A client whose wall clock is set in the middle of a run measures what it would have measured.
func TestSteppedWallClockChangesNothing(t *testing.T) {
	now := time.Now()
	stepped := stepClock(now)
	if now.Round(0).Sub(stepped.Round(0)) != time.Hour || now.Sub(stepped) != 0 {
		t.Fatalf("wall clock moved by %v, monotonic by %v: time.Time is laid out otherwise in this Go; mend stepClock",
			now.Round(0).Sub(stepped.Round(0)), now.Sub(stepped))
	}
	client := (&fake{}).serve(t, Target{})
	pace, err := newPacer()
	if err != nil {
		t.Fatal(err)
	}
	pace.start = stepClock(pace.start)
	plan := onlyRecommend(100, 300*time.Millisecond)
	g := newGenerator(client, plan, someUsers(), pace)
	g.arrivals = newSequence(plan, g.traffic.Users, 0)
	step, err := g.run(t.Context())
	if err := errors.Join(err, pace.close()); err != nil {
		t.Fatal(err)
	}
	if step.Histogram.TotalCount() != 30 || step.Max > 60_000 || step.OfferedRPS != 100 {
		t.Errorf("%d of 30 calls, %.0f a second offered, the slowest %.0f ms: an hour of the wall clock is in them",
			step.Histogram.TotalCount(), step.OfferedRPS, step.Max)
	}
}
