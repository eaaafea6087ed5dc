package limit

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAFixedNumberAdmitsAsManyAndNoMore(t *testing.T) {
	l := New(Config{Most: 3})
	for i := range 3 {
		if !l.Acquire() {
			t.Fatalf("call %d of 3 is refused", i+1)
		}
	}
	if l.Acquire() {
		t.Fatal("a fourth call is admitted")
	}
	l.Release(time.Hour)
	if !l.Acquire() || l.Acquire() || l.UnderWay() != 3 {
		t.Errorf("after a release: %d under way", l.UnderWay())
	}
	for range 1000 {
		l.Release(time.Hour)
		l.Acquire()
	}
	if l.Now() != 3 {
		t.Errorf("a fixed number became %d", l.Now())
	}
}

// machine does its calls in a time that grows with those under way, as processors do that
// have no more to give.
func machine(l *Limiter, cores int, callers, rounds int, rng *rand.Rand) {
	for range rounds {
		n := 0
		for range callers {
			if l.Acquire() {
				n++
			}
		}
		took := time.Duration(float64(max(n, cores)) / float64(cores) * float64(time.Millisecond))
		for range n {
			l.Release(took + time.Duration(rng.IntN(100))*time.Microsecond)
		}
	}
}

func TestTheNumberSettlesWhereCallsMeetTheTarget(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct{ cores, callers, least, most int }{
		{2, 1000, 12, 24}, // 10 ms at 20 under way
		{8, 1000, 60, 90}, // 10 ms at 80
		{2, 5, 500, 512},  // few callers: nothing is slow, the number stays
	} {
		l := New(Config{Most: 512, Target: 10 * time.Millisecond})
		l.least = 1
		machine(l, c.cores, c.callers, 5000, rng)
		if n := l.Now(); n < c.least || n > c.most {
			t.Errorf("%d cores, %d callers: the number is %d, want %d to %d", c.cores, c.callers, n, c.least, c.most)
		}
	}
}

func TestTheNumberStaysBetweenLeastAndMost(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	l := New(Config{Most: 100, Least: 10, Target: time.Microsecond})
	machine(l, 1, 1000, 1000, rng)
	if l.Now() != 10 {
		t.Errorf("a target that cannot be met: %d", l.Now())
	}
	l.target = time.Hour
	machine(l, 1, 1000, 1000, rng)
	if l.Now() != 100 {
		t.Errorf("a target that is always met: %d", l.Now())
	}
}

func TestConcurrentCallsNeverExceedTheMost(t *testing.T) {
	l := New(Config{Most: 8, Least: 2, Target: 50 * time.Microsecond})
	var inside, over, admitted atomic.Int64
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for i := range 20_000 {
				if !l.Acquire() {
					continue
				}
				if inside.Add(1) > 8 {
					over.Add(1)
				}
				admitted.Add(1)
				inside.Add(-1)
				l.Release(time.Duration(i%100) * time.Microsecond)
			}
		})
	}
	callers.Wait()
	if over.Load() > 0 || l.UnderWay() != 0 || admitted.Load() == 0 {
		t.Errorf("%d over the most, %d left under way, %d admitted", over.Load(), l.UnderWay(), admitted.Load())
	}
}

func BenchmarkLimiter(b *testing.B) {
	for name, target := range map[string]time.Duration{"fixed": 0, "adaptive": time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			l := New(Config{Most: 64, Target: target})
			b.ReportAllocs()
			for b.Loop() {
				if l.Acquire() {
					l.Release(time.Microsecond)
				}
			}
			if l.UnderWay() != 0 {
				b.Fatal("calls are left")
			}
		})
	}
}
