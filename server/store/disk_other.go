//go:build !unix

package store

import "strings"

// freeSpace is not known here: a full disk shows when Badger's write fails.
func freeSpace(string) (free int64, known bool) { return 0, false }

func isNoSpace(error) bool { return false }

func isLockHeld(err error) bool { return strings.Contains(err.Error(), "LOCK") }

// syncDirectory has nothing to do where directories cannot be synced.
func syncDirectory(string) error { return nil }
