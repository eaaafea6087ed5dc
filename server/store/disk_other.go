//go:build !linux && !darwin && !freebsd

package store

import "strings"

// freeSpace is not known here: a full disk shows when Badger's write fails.
func freeSpace(string) (free int64, known bool) { return 0, false }

func isNoSpace(error) bool { return false }

func isLockHeld(err error) bool {
	return strings.Contains(err.Error(), "Another process is using this Badger database")
}

// alone runs fn: a file that another process has open cannot be removed here.
func alone(_ string, fn func() error) (ok bool, err error) { return true, fn() }

// syncDirectory has nothing to do where directories cannot be synced.
func syncDirectory(string) error { return nil }
