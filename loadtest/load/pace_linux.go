package load

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pacer sleeps to within some tens of microseconds without spinning. The runtime's own timers are a millisecond late on an
// idle Linux machine (epoll counts in milliseconds), which would be seen in every latency; a timer descriptor is not.
type pacer struct {
	file  *os.File // owns fd and puts reads of it to the runtime's poller
	fd    int
	start time.Time
	buf   [8]byte
}

func newPacer() (*pacer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("load: timer: %w", err)
	}
	return &pacer{file: os.NewFile(uintptr(fd), "timerfd"), fd: fd, start: time.Now()}, nil
}

// sleep waits for d.
func (p *pacer) sleep(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	if err := unix.TimerfdSettime(p.fd, 0, &spec, nil); err != nil {
		return fmt.Errorf("load: timer: %w", err)
	}
	if _, err := p.file.Read(p.buf[:]); err != nil {
		return fmt.Errorf("load: timer: %w", err)
	}
	return nil
}

// now is the time since the pacer was made.
func (p *pacer) now() time.Duration { return time.Since(p.start) }

func (p *pacer) close() error { return p.file.Close() }
