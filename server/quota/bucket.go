package quota

import (
	"sync/atomic"
	"time"
)

const (
	// burst is how much can come at once, in time at the bucket's rate.
	burst = int64(time.Second)
	// maxDebt bounds what is owed, in time.
	maxDebt = int64(time.Hour)
)

// bucket counts one thing. The zero bucket is full.
type bucket struct {
	paid atomic.Int64 // when all that was taken is paid, in nanoseconds since the Keeper was made
}

// wait returns how long from now on nothing is left; 0: something is.
func (b *bucket) wait(now int64) time.Duration {
	return time.Duration(max(0, b.paid.Load()-now-burst+1))
}

// take takes n at a rate a second, whether something is left or not.
func (b *bucket) take(now int64, n, rate float64) {
	owed := int64(min(n/rate*1e9, float64(maxDebt)))
	for {
		old := b.paid.Load()
		next := min(max(old, now)+owed, now+burst+maxDebt)
		if b.paid.CompareAndSwap(old, next) {
			return
		}
	}
}
