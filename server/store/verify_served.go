package store

import (
	"context"
	"time"

	"github.com/kindred-rec/kindred/server/internal/pause"
)

// VerifyServed is Verify for a store that serves. It reads so many bytes of rows a second
// at most, and tells progress of rows and bytes now and then, from the calling goroutine.
// Chunks of checkpoints that nothing names are no fault: one may be being written. It holds
// one snapshot, as a dump does; a compaction waits for its end.
func (s *Store) VerifyServed(ctx context.Context, bytesPerSecond int64, progress func(rows, bytes int64)) (*Verification, error) {
	s.cleaning.running.RLock()
	defer s.cleaning.running.RUnlock()
	p := &pace{rate: float64(bytesPerSecond), begin: time.Now(), tell: progress}
	return s.verify(&checker{ctx: ctx, served: p})
}

// pace keeps reading under a rate.
type pace struct {
	rate  float64 // bytes a second
	begin time.Time
	rows  int64
	bytes int64
	tell  func(rows, bytes int64)
}

// paceStep is how long reading runs ahead before it waits: short beside what a caller
// notices, long beside a timer.
const paceStep = 5 * time.Millisecond

// read counts a row, and waits while the rate is exceeded. On nil it does nothing.
func (p *pace) read(ctx context.Context, bytes int) error {
	if p == nil {
		return nil
	}
	p.rows++
	p.bytes += int64(bytes)
	if p.rows%1024 == 0 && p.tell != nil {
		p.tell(p.rows, p.bytes)
	}
	ahead := time.Duration(float64(p.bytes)/p.rate*float64(time.Second)) - time.Since(p.begin)
	if ahead < paceStep {
		return nil
	}
	return pause.For(ctx, ahead)
}
