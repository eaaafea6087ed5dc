package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// launchVariable tells this program to become the server; its socket to the client is descriptor 3.
const launchVariable = "KINDRED_FAULTS_LAUNCH"

// delay holds up the syncs of a server.
type delay struct {
	by   atomic.Int64 // ns; 0: not at all
	held atomic.Int64 // syncs that were held up
	wait sync.WaitGroup
}

// spawn starts the server through this program, which hands over the descriptor of its filter.
func (d *delay) spawn(path string, args []string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()   // they carry one descriptor
	defer theirs.Close() // and no data
	p, err := spawn(self, append([]string{path}, args...), []string{launchVariable + "=1"}, theirs)
	if err != nil {
		return nil, err
	}
	theirs.Close() // so that the end of the process ends the wait
	listener, err := receive(ours)
	if err != nil {
		p.kill()
		return nil, fmt.Errorf("%w: system calls cannot be held up: %w (%s)", errUnsupported, err, p.log.last())
	}
	d.wait.Go(func() { d.serve(listener) })
	return p, nil
}

// receive takes a descriptor from a socket.
func receive(from *os.File) (int, error) {
	conn, err := net.FileConn(from)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	b, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.(*net.UnixConn).ReadMsgUnix(b, oob)
	if err != nil {
		return 0, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) == 0 {
		return 0, errors.Join(errors.New("the launched process sent no filter"), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return 0, err
	}
	return fds[0], nil
}

// notification and answer are struct seccomp_notif and seccomp_notif_resp.
type notification struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type answer struct {
	id    uint64
	val   int64
	err   int32
	flags uint32
}

// serve lets each held call go on after the delay, until the process is gone.
func (d *delay) serve(listener int) {
	defer unix.Close(listener)
	var calls sync.WaitGroup
	defer calls.Wait()
	for {
		ready := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, -1); err != nil && err != unix.EINTR {
			return
		}
		if ready[0].Revents&unix.POLLIN == 0 {
			if ready[0].Revents != 0 {
				return // nobody is left under the filter
			}
			continue
		}
		var n notification
		if err := ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); err != nil {
			continue // the caller was killed meanwhile
		}
		calls.Go(func() {
			if by := time.Duration(d.by.Load()); by > 0 {
				time.Sleep(by)
				d.held.Add(1)
			}
			a := answer{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
			_ = ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&a)) // the caller may be gone
		})
	}
}

func ioctl(fd int, request uintptr, argument unsafe.Pointer) error {
	if _, _, err := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(argument)); err != 0 {
		return err
	}
	return nil
}

// Launch becomes the server that is named by the arguments, under a filter that hands its syncs to the client, if this
// process was started for that; otherwise it does nothing. It comes first in main.
func Launch() {
	if os.Getenv(launchVariable) == "" {
		return
	}
	err := launch()
	fmt.Fprintln(os.Stderr, "launch:", err)
	os.Exit(1)
}

func launch() error {
	runtime.LockOSThread() // the filter is the thread's, and exec keeps the thread that calls it
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	hold := func(nr uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: nr, Jt: skip}
	}
	rules := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the call's number
		hold(unix.SYS_FSYNC, 3), hold(unix.SYS_FDATASYNC, 2), hold(unix.SYS_MSYNC, 1),
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
	}
	program := unix.SockFprog{Len: uint16(len(rules)), Filter: &rules[0]}
	listener, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return fmt.Errorf("seccomp filter: %w", errno)
	}
	if err := unix.Sendmsg(3, []byte{0}, unix.UnixRights(int(listener)), nil, 0); err != nil {
		return fmt.Errorf("hand over the filter: %w", err)
	}
	unix.CloseOnExec(int(listener))
	unix.CloseOnExec(3)
	if len(os.Args) < 2 {
		return errors.New("no program is named")
	}
	if err := os.Unsetenv(launchVariable); err != nil {
		return err
	}
	return unix.Exec(os.Args[1], os.Args[1:], os.Environ())
}

func slowSyncs(_ context.Context, w *world, row *Row) error {
	row.Way = "seccomp user notification: fsync, fdatasync and msync of the server go on 200 ms after they are called"
	w.delay = &delay{}
	w.later(func() error { w.delay.wait.Wait(); return nil }) // after the server is killed
	return nil
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
