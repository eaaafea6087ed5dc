package faults

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// shifted is a wall clock that one process sees, and no other.
type shifted struct {
	by    atomic.Int64            // ns
	asked atomic.Int64            // times that it was read
	mem   atomic.Pointer[os.File] // the memory of the process
}

func shiftClock(_ context.Context, w *world, row *Row) error {
	row.Way = fmt.Sprintf("the server runs without vDSO, and is answered clock_gettime(CLOCK_REALTIME) by seccomp user notification: steps of %v, one after another; its monotonic clock is the machine's; it has quotas", steps)
	w.clock = &shifted{}
	w.later(w.clock.close)
	w.catch(&catcher{filter: "clock", traced: w.clock.begin, answer: w.clock.answer})
	w.args = append(w.args, "--tenant-requests", "1000", "--tenant-events", "10000", "--tenant-bytes", "10MiB")
	return nil
}

// steps are those of the wall clock; their sum is 0.
var steps = []time.Duration{24 * time.Hour, -time.Hour, -24 * time.Hour, time.Hour}

func stepClock(ctx context.Context, w *world, row *Row) error {
	for _, step := range steps {
		at := time.Now()
		w.clock.by.Add(int64(step))
		pause(ctx, w.options.Hold)
		seconds, ok := w.traffic.recovered(ctx, at.Add(w.options.Hold))
		if !ok {
			row.Process = failed(fmt.Sprintf("after a step of %v calls are not answered for %.0f s", step, seconds))
			break
		}
	}
	w.clock.by.Store(0)
	row.over = time.Now()
	asked := w.clock.asked.Load()
	row.note("the wall clock was read %d times", asked)
	if asked == 0 {
		row.Process = failed("the wall clock was never read through the filter: the row shows nothing")
	}
	return nil
}

// begin takes the vDSO from a process that has just become a server, so that it asks the kernel for the time.
func (s *shifted) begin(pid int) error {
	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if before := s.mem.Swap(mem); before != nil {
		_ = before.Close() // of a process that has ended
	}
	at, err := startOfStack(pid)
	if err != nil {
		return err
	}
	return hideVDSO(mem, at)
}

func (s *shifted) close() error {
	if mem := s.mem.Load(); mem != nil {
		return mem.Close()
	}
	return nil
}

// answer writes the time into the memory of the caller.
func (s *shifted) answer(n *notification) answer {
	s.asked.Add(1)
	now := time.Now().Add(time.Duration(s.by.Load()))
	var b [16]byte
	binary.NativeEndian.PutUint64(b[:], uint64(now.Unix()))
	binary.NativeEndian.PutUint64(b[8:], uint64(now.Nanosecond()))
	if _, err := s.mem.Load().WriteAt(b[:], int64(n.args[1])); err != nil {
		return answer{id: n.id, err: -int32(unix.EFAULT)}
	}
	return answer{id: n.id}
}

// startOfStack is where the kernel put the arguments of a process, the environment and the auxiliary vector.
func startOfStack(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:])) // from the third on
	const startStack = 28 - 3
	if len(fields) <= startStack {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return strconv.ParseInt(fields[startStack], 10, 64)
}

// Types of entries of the auxiliary vector (getauxval(3)).
const (
	auxNull   = 0
	auxIgnore = 1
	auxVDSO   = 33 // AT_SYSINFO_EHDR
)

// hideVDSO overwrites the entry of the auxiliary vector that says where the vDSO is.
func hideVDSO(mem *os.File, at int64) error {
	const word = 8
	read := func() (uint64, error) {
		var b [word]byte
		_, err := mem.ReadAt(b[:], at)
		at += word
		return binary.NativeEndian.Uint64(b[:]), err
	}
	arguments, err := read()
	if err != nil {
		return fmt.Errorf("the stack of the server: %w", err)
	}
	at += int64(arguments+1) * word // their end is a zero
	for v := uint64(1); v != 0; {   // the environment
		if v, err = read(); err != nil {
			return fmt.Errorf("the stack of the server: %w", err)
		}
	}
	for {
		kind, err := read()
		if err != nil || kind == auxNull {
			return errors.Join(errors.New("the auxiliary vector names no vDSO"), err)
		}
		if kind == auxVDSO {
			var b [word]byte
			binary.NativeEndian.PutUint64(b[:], auxIgnore)
			_, err := mem.WriteAt(b[:], at-word)
			return err
		}
		at += word
	}
}

// spawnTraced starts a program and calls fn when it has become another one by exec, before that runs.
func spawnTraced(fn func(pid int) error, path string, args, env []string, files ...*os.File) (*process, error) {
	runtime.LockOSThread() // the thread that starts it is the one that may trace it
	defer runtime.UnlockOSThread()
	p := newProcess(path, args, env, files...)
	p.command.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("%w: trace %s: %w", errUnsupported, path, err)
	}
	err := untilExec(p.command, fn)
	p.await()
	if err != nil {
		p.kill()
		return nil, fmt.Errorf("%w: trace %s: %w", errUnsupported, path, err)
	}
	return p, nil
}

// untilExec lets a traced program run until its second exec; the first, by which it was started, has stopped it.
func untilExec(command *exec.Cmd, fn func(pid int) error) error {
	pid := command.Process.Pid
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil {
		return err
	}
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACEEXEC|unix.PTRACE_O_EXITKILL); err != nil {
		return err
	}
	for signal := 0; ; {
		if err := unix.PtraceCont(pid, signal); err != nil {
			return err
		}
		if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil {
			return err
		}
		switch {
		case !status.Stopped():
			return fmt.Errorf("it ended: %v", status)
		case status.TrapCause() == unix.PTRACE_EVENT_EXEC:
			return errors.Join(fn(pid), unix.PtraceDetach(pid))
		}
		signal = int(status.StopSignal())
	}
}
