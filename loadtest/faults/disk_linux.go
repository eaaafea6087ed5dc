package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// smallDisk mounts a file system in memory over the world's directory.
func smallDisk(size string, args ...string) func(context.Context, *world, *Row) error {
	return func(_ context.Context, w *world, _ *Row) error {
		if err := unix.Mount("tmpfs", w.root, "tmpfs", 0, "size="+size); err != nil {
			return fmt.Errorf("%w: mounting a small file system takes root: %w", errUnsupported, err)
		}
		w.later(func() error { return unix.Unmount(w.root, unix.MNT_DETACH) })
		w.args = append(w.args, args...)
		return nil
	}
}

func freeBytes(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}

func noSpace(err error) bool { return errors.Is(err, unix.ENOSPC) }

// limitFiles bounds the size of the server's files from outside, as a quota would, below what its next file takes.
func limitFiles(ctx context.Context, w *world, row *Row) error {
	const bound = 64 << 10
	row.Way = "prlimit of the running process: RLIMIT_FSIZE 64 KiB, so that no file can be made larger; lifted by a new start"
	limit := unix.Rlimit{Cur: bound, Max: bound}
	if err := unix.Prlimit(w.server.command.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		return fmt.Errorf("%w: %w", errUnsupported, err)
	}
	// More than a memtable, so that files must be made.
	burst, cancel := context.WithTimeout(ctx, 4*w.options.Hold)
	defer cancel()
	sent := 0
	for burst.Err() == nil && w.server.isUp() && sent < 60_000 {
		number, events := w.ledger.batch(1000)
		reply, err := w.traffic.writes.WriteEvents(burst, writeOf(events))
		if err != nil {
			row.note("after %d events: %v", sent, err)
			break
		}
		w.ledger.close(number, reply)
		sent += len(events)
	}
	pause(ctx, w.options.Hold)
	row.note("%d events written under the limit; the process runs: %v", sent, w.server.isUp())
	if w.server.isUp() {
		w.server.kill() // the limit cannot be raised again without privileges
	}
	row.over = time.Now()
	return nil
}
