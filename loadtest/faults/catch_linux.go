package faults

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// launchVariable tells this program to become the server, under the filter of its value; its socket to the client
// is descriptor 3.
const launchVariable = "KINDRED_FAULTS_LAUNCH"

func init() {
	if os.Getenv(launchVariable) != "" {
		runtime.LockOSThread() // to the first thread: a filter is of one thread, and so is a tracer
	}
}

// catcher answers system calls of a server.
type catcher struct {
	filter string // of filters
	// traced is called with a server that has just become one, and runs nothing of its own yet; nil: nobody looks.
	traced func(pid int) error
	// answer says what becomes of a call; slow, that it takes a while.
	answer func(n *notification) answer
	slow   bool
	wait   sync.WaitGroup
}

// catch has the servers of a world run under a filter.
func (w *world) catch(c *catcher) {
	w.catcher = c
	w.later(func() error { c.wait.Wait(); return nil }) // after the server is killed
}

// filters are programs that pick system calls.
var filters = map[string][]unix.SockFilter{
	"syncs": {
		loaded(0), // the call's number
		equal(unix.SYS_FSYNC, 3, 0), equal(unix.SYS_FDATASYNC, 2, 0), equal(unix.SYS_MSYNC, 1, 0),
		give(unix.SECCOMP_RET_ALLOW), give(unix.SECCOMP_RET_USER_NOTIF),
	},
	"clock": {
		loaded(0), equal(unix.SYS_CLOCK_GETTIME, 0, 2),
		loaded(16), equal(unix.CLOCK_REALTIME, 1, 0), // the first argument, of which the low half is first
		give(unix.SECCOMP_RET_ALLOW), give(unix.SECCOMP_RET_USER_NOTIF),
	},
}

func loaded(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func equal(to uint32, skip, otherwise uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: to, Jt: skip, Jf: otherwise}
}

func give(verdict uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: verdict}
}

// spawn starts the server through this program, which hands over the descriptor of its filter.
func (c *catcher) spawn(path string, args []string) (*process, error) {
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
	start := spawn
	if c.traced != nil {
		start = func(path string, args, env []string, files ...*os.File) (*process, error) {
			return spawnTraced(c.traced, path, args, env, files...)
		}
	}
	p, err := start(self, append([]string{path}, args...), []string{launchVariable + "=" + c.filter}, theirs)
	if err != nil {
		return nil, err
	}
	theirs.Close() // so that the end of the process ends the wait
	listener, err := receive(ours)
	if err != nil {
		p.kill()
		return nil, fmt.Errorf("%w: system calls cannot be caught: %w (%s)", errUnsupported, err, p.log.last())
	}
	c.wait.Go(func() { c.serve(listener) })
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

// serve answers calls until the process is gone.
func (c *catcher) serve(listener int) {
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
		reply := func() {
			a := c.answer(&n)
			_ = ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&a)) // the caller may be gone
		}
		if c.slow {
			calls.Go(reply)
			continue
		}
		reply()
	}
}

func ioctl(fd int, request uintptr, argument unsafe.Pointer) error {
	if _, _, err := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(argument)); err != 0 {
		return err
	}
	return nil
}

// Launch becomes the server that is named by the arguments, under a filter that hands some of its system calls to the
// client, if this process was started for that; otherwise it does nothing. It comes first in main.
func Launch() {
	name := os.Getenv(launchVariable)
	if name == "" {
		return
	}
	err := launch(filters[name])
	fmt.Fprintln(os.Stderr, "launch:", err)
	os.Exit(1)
}

func launch(rules []unix.SockFilter) error {
	if len(rules) == 0 || len(os.Args) < 2 {
		return errors.New("no filter or no program is named")
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
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
	if err := os.Unsetenv(launchVariable); err != nil {
		return err
	}
	return unix.Exec(os.Args[1], os.Args[1:], os.Environ())
}
