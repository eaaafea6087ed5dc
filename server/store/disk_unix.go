//go:build unix

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

// syncDirectory makes names durable that were created in a directory.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
