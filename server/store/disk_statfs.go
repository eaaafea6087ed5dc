//go:build linux || darwin || freebsd

package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// freeSpace returns the bytes that an unprivileged process may still write to
// the file system of a directory.
func freeSpace(dir string) (free int64, known bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}

func isNoSpace(err error) bool {
	return caused(err, unix.ENOSPC) || caused(err, unix.EDQUOT)
}

func isLockHeld(err error) bool { return caused(err, unix.EWOULDBLOCK) }

// alone runs fn while no other process has the directory open in Badger; ok is
// false where one has.
func alone(dir string, fn func() error) (ok bool, err error) {
	d, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer d.Close() // which gives the lock back
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if isLockHeld(err) {
			return false, nil
		}
		return false, err
	}
	return true, fn()
}

// syncDirectory makes names durable that were created in a directory.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
