package faults

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

func slowSyncs(_ context.Context, w *world, row *Row) error {
	row.Way = "seccomp user notification: fsync, fdatasync and msync of the server go on 200 ms after they are called"
	w.delay = &delay{}
	w.catch(&catcher{filter: "syncs", slow: true, answer: w.delay.answer})
	return nil
}

// delay holds up the syncs of a server.
type delay struct {
	by   atomic.Int64 // ns; 0: not at all
	held atomic.Int64 // syncs that were held up
}

// answer lets a call go on after the delay.
func (d *delay) answer(n *notification) answer {
	if by := time.Duration(d.by.Load()); by > 0 {
		time.Sleep(by)
		d.held.Add(1)
	}
	return answer{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
}

func slowDisk(ctx context.Context, w *world, row *Row) error {
	w.delay.by.Store(int64(200 * time.Millisecond))
	pause(ctx, 2*w.options.Hold)
	w.delay.by.Store(0)
	row.over = time.Now()
	held := w.delay.held.Load()
	row.note("%d syncs were held up", held)
	if held == 0 {
		row.Process = failed("no sync was held up: the row shows nothing")
	}
	return nil
}
