package schedule

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	lowestNice = 19
	// ioIdle is the class of disk access that waits for all others, as ioprio_set has it.
	ioIdle      = 3 << 13
	ioWhoThread = 1
)

// lowestPriority gives every thread of this process the lowest priority; those that are made
// later have that of their makers. Threads may be made meanwhile: it goes on until it has
// seen all. What Linux or a sandbox does not allow beside nice is left as it is.
func lowestPriority() error {
	// Who is killed first when memory runs out should not be the service.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	done := map[int]bool{}
	for {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return unix.Setpriority(unix.PRIO_PROCESS, 0, lowestNice)
		}
		fresh := false
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil || done[id] {
				continue
			}
			done[id], fresh = true, true
			if err := lower(id); err != nil {
				return err
			}
		}
		if !fresh {
			return nil
		}
	}
}

func lower(thread int) error {
	if err := unix.Setpriority(unix.PRIO_PROCESS, thread, lowestNice); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	_ = unix.SchedSetAttr(thread, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE, Nice: lowestNice}, 0)
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ioWhoThread, uintptr(thread), ioIdle)
	return nil
}
