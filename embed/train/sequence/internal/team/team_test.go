package team

import (
	"strings"
	"sync/atomic"
	"testing"
)

func TestEveryPartRunsOnce(t *testing.T) {
	for size := 1; size <= 4; size++ {
		team := New(size)
		for parts := range 40 {
			times := make([]atomic.Int32, parts)
			team.Do(parts, func(member, part int) {
				if member < 0 || member >= size {
					t.Errorf("member %d of %d", member, size)
				}
				times[part].Add(1)
			})
			for part := range times {
				if n := times[part].Load(); n != 1 {
					t.Errorf("size %d: part %d of %d ran %d times", size, part, parts, n)
				}
			}
		}
		team.Close()
	}
}

func TestAPanicComesToTheCallerAndTheTeamWorksOn(t *testing.T) {
	team := New(3)
	defer team.Close()
	func() {
		defer func() {
			if p, _ := recover().(string); !strings.Contains(p, "part 5") {
				t.Errorf("recovered %q, want what part 5 said", p)
			}
		}()
		team.Do(20, func(_, part int) {
			if part == 5 {
				panic("part 5")
			}
		})
	}()
	var sum atomic.Int64
	team.Do(10, func(_, part int) { sum.Add(int64(part)) })
	if sum.Load() != 45 {
		t.Errorf("the parts after a panic sum to %d, want 45", sum.Load())
	}
}
