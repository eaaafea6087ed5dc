package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program that was started here and is waited for.
type process struct {
	command *exec.Cmd
	log     *tail
	ended   chan struct{} // closed when it has ended, then err is set
	err     error
	asked   bool // the end was ordered
}

// spawn starts a program. Its standard error is kept, the last part of it.
func spawn(path string, args, env []string, files ...*os.File) (*process, error) {
	p := newProcess(path, args, env, files...)
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	p.await()
	return p, nil
}

// newProcess is one that was not started yet.
func newProcess(path string, args, env []string, files ...*os.File) *process {
	p := &process{command: exec.Command(path, args...), log: &tail{}, ended: make(chan struct{})}
	p.command.Env = append(os.Environ(), env...)
	p.command.Stderr, p.command.ExtraFiles = p.log, files
	return p
}

// await waits for the end of what was started, apart.
func (p *process) await() {
	go func() { p.err = p.command.Wait(); close(p.ended) }()
}

// isUp says whether it runs.
func (p *process) isUp() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// kill ends it at once, as a power cut does for the process.
func (p *process) kill() {
	p.asked = p.asked || p.isUp()
	_ = p.command.Process.Kill() // it may have ended
	<-p.ended
}

// stop ends it in order, or kills it after a minute and says so.
func (p *process) stop() error {
	if !p.isUp() {
		return nil
	}
	p.asked = true
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may end meanwhile
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		p.kill()
		return errors.New("it did not stop within a minute of SIGTERM")
	}
	return nil
}

var serving = regexp.MustCompile(`msg=serving grpc=(\S+) http=(\S+)`)

// longestStart is how long a server may take to serve, on a machine that has other work.
const longestStart = 2 * time.Minute

// ports waits until a server serves. An error is what the process said last.
func (p *process) ports(ctx context.Context) (grpc, http string, err error) {
	late := time.After(longestStart)
	for {
		if m := serving.FindStringSubmatch(p.log.String()); m != nil {
			return m[1], m[2], nil
		}
		select {
		case <-ctx.Done():
			return "", "", ctx.Err()
		case <-p.ended:
			return "", "", refusedStart(p.log.last())
		case <-late:
			return "", "", fmt.Errorf("no port is open after %v; the server says: %s", longestStart, p.log.last())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// refusedStart is what a server said that ended instead of serving.
type refusedStart string

func (r refusedStart) Error() string { return "the server does not start: " + string(r) }

// tail keeps the first and the last part of a log. Safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// tailBytes bounds what is kept: the first half stays, the second is the newest.
const tailBytes = 256 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - tailBytes; over > 0 {
		t.text = append(t.text[:tailBytes/2], t.text[tailBytes/2+over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// last is the last line.
func (t *tail) last() string {
	text := strings.TrimSpace(t.String())
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// panicked is the line of a panic, or empty. Go writes "panic: " or "fatal error: " at the start of a line.
func (t *tail) panicked() string {
	for line := range strings.Lines(t.String()) {
		for _, sign := range []string{"panic: ", "fatal error: ", "unexpected fault address"} {
			if strings.HasPrefix(line, sign) || strings.Contains(line, "msg=\"panic") {
				return strings.TrimSpace(line)
			}
		}
	}
	return ""
}
