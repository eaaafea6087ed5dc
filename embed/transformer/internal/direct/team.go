package direct

import (
	"runtime"
	"sync/atomic"
	"time"
)

// team is the goroutines that compute the same texts together.
type team struct {
	size    int
	waiting atomic.Int32  // how many are at the barrier
	round   atomic.Uint32 // how often all have met
	broken  atomic.Bool   // one of them will not come
}

// How long a member waits in which way: it looks again and again, then yields its
// thread to other goroutines between looks, then sleeps between looks, since whom it
// waits for may need this very core.
const (
	eagerLooks = 1 << 8
	looks      = 1 << 15
	nap        = 10 * time.Microsecond
)

// meet returns when all members have called it, or panics when one will not.
func (t *team) meet() {
	if t.size == 1 {
		return
	}
	round := t.round.Load()
	if int(t.waiting.Add(1)) == t.size {
		t.waiting.Store(0)
		t.round.Add(1)
		return
	}
	for i := 1; t.round.Load() == round; i++ {
		switch {
		case t.broken.Load():
			panic("another member of the team broke")
		case i > looks:
			time.Sleep(nap)
		case i%eagerLooks == 0:
			runtime.Gosched()
		}
	}
}

// abandon tells the others that a member will not come.
func (t *team) abandon() { t.broken.Store(true) }

// share is the part of n that a member takes.
func (t *team) share(rank, n int) (from, to int) { return n * rank / t.size, n * (rank + 1) / t.size }
