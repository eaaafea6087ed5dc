//go:build !linux

package load

import "time"

// pacer sleeps with the runtime's timers.
type pacer struct{ start time.Time }

func newPacer() (*pacer, error) { return &pacer{start: time.Now()}, nil }

// sleep waits for d.
func (p *pacer) sleep(d time.Duration) error {
	time.Sleep(d)
	return nil
}

// now is the time since the pacer was made.
func (p *pacer) now() time.Duration { return time.Since(p.start) }

func (p *pacer) close() error { return nil }
