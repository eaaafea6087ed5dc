//go:build unix && !linux

package schedule

import "golang.org/x/sys/unix"

const lowestNice = 19

// lowestPriority gives this process the lowest priority.
func lowestPriority() error { return unix.Setpriority(unix.PRIO_PROCESS, 0, lowestNice) }
