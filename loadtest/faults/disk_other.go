//go:build !linux

package faults

import (
	"context"
	"fmt"
	"syscall"
)

// smallDisk is for Linux.
func smallDisk(string, ...string) func(context.Context, *world, *Row) error {
	return func(context.Context, *world, *Row) error {
		return fmt.Errorf("%w: mounting a small file system is done on Linux alone", errUnsupported)
	}
}

func freeBytes(dir string) (uint64, error) {
	return 0, fmt.Errorf("%w: free bytes of %s", errUnsupported, dir)
}

func noSpace(err error) bool { return err == syscall.ENOSPC }

func limitFiles(context.Context, *world, *Row) error {
	return fmt.Errorf("%w: prlimit is of Linux", errUnsupported)
}

// What catches system calls is for Linux.
type (
	catcher struct{}
	delay   struct{}
	shifted struct{}
)

func (*catcher) spawn(string, []string) (*process, error) { return nil, errUnsupported }

// Launch becomes the server under a filter of system calls, on Linux and where Run asked for it.
func Launch() {}

func slowSyncs(context.Context, *world, *Row) error {
	return fmt.Errorf("%w: system calls are caught on Linux alone", errUnsupported)
}

func slowDisk(context.Context, *world, *Row) error { return errUnsupported }

func shiftClock(context.Context, *world, *Row) error {
	return fmt.Errorf("%w: system calls are caught on Linux alone", errUnsupported)
}

func stepClock(context.Context, *world, *Row) error { return errUnsupported }
