package record

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestDecisionIDsSayTheirTimeAndKeepItsOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	at, before := time.UnixMicro(0), ""
	for range 1000 {
		at = at.Add(time.Duration(1+r.Int64N(int64(100*24*time.Hour))) * 1).Truncate(time.Microsecond).Add(time.Microsecond)
		id := NewDecisionID(at, r.Uint64())
		if got, ok := DecisionTime(id); !ok || !got.Equal(at) {
			t.Fatalf("%s of %s says %s, %v", id, at, got, ok)
		}
		if got, ok := DecisionTime(id + ".2"); !ok || !got.Equal(at) {
			t.Fatalf("the second row of %s says %s, %v", id, got, ok)
		}
		if id <= before {
			t.Fatalf("%s comes after %s", before, id)
		}
		before = id
	}
	for _, other := range []string{"", "r1", before[1:], before + "0", "!" + before[1:], "é" + before[2:]} {
		if _, ok := DecisionTime(other); ok {
			t.Errorf("%q is taken for an id", other)
		}
	}
	if NewDecisionID(at, 1) == NewDecisionID(at, 1<<39) {
		t.Error("40 bits are not kept apart")
	}
}
