package main

import (
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// process is this program as another process, which serves.
type process struct {
	t          *testing.T
	command    *exec.Cmd
	log        *book
	grpc, http string
	ended      chan error
}

// startKindred runs `serve` on free ports over a new directory until the test ends.
func startKindred(t *testing.T, log *book, args ...string) *process {
	t.Helper()
	p := launchKindred(t, log, args...)
	p.awaitPorts()
	return p
}

// launchKindred is startKindred, without waiting until it serves.
func launchKindred(t *testing.T, log *book, args ...string) *process {
	t.Helper()
	args = append([]string{"serve", "--data", t.TempDir(), "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--max-items", "8192"}, args...)
	p := &process{t: t, log: log, command: exec.Command(os.Args[0], args...), ended: make(chan error, 1)}
	p.command.Env = append(os.Environ(), asKindred+"=1")
	p.command.Stderr = log
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.command.Wait() }()
	t.Cleanup(func() { _ = p.command.Process.Kill() })
	return p
}

var ports = regexp.MustCompile(`msg=serving grpc=(\S+) http=(\S+)`)

func (p *process) awaitPorts() {
	p.t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if m := ports.FindStringSubmatch(p.log.String()); m != nil {
			p.grpc, p.http = m[1], m[2]
			return
		}
	}
	p.t.Fatalf("it does not serve:\n%s", p.log.String())
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) hangUp() { p.t.Helper(); p.signal(syscall.SIGHUP) }
