package schedule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

// keyName is what stands in the log as who promoted.
const keyName = "scheduled-training"

// ended is how a child did.
type ended struct {
	outcome Outcome
	reason  string
	model   string
}

// child runs a training and waits for it.
func (s *Scheduler) child(ctx context.Context, name string, sh *shop.Shop) ended {
	dir := filepath.Join(s.config.Dir, strconv.FormatUint(uint64(sh.Settings().Number), 10))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return ended{outcome: Failed, reason: "folder of checkpoints: " + err.Error()}
	}
	if err := removeWork(dir); err != nil {
		s.config.Log.Warn("what an earlier training left behind stays", "tenant", name, "error", err)
	}
	secret, end := s.keys.Lend(name, record.RoleScientist, keyName)
	defer end()
	log := &lines{log: s.config.Log.With("tenant", name)}
	var out tail
	err := s.start(ctx, dir, secret, log, &out)
	log.flush()
	return judge(ctx, err, &out, log.last)
}

// WorkPrefix begins the names of the folders that a child works in, in that of its checkpoints. It removes them at its end,
// unless it is killed.
const WorkPrefix = "kindred-train-"

// removeWork removes what killed children left. No child runs meanwhile.
func removeWork(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, WorkPrefix+"*"))
	for _, folder := range left {
		err = errors.Join(err, os.RemoveAll(folder))
	}
	return err
}

// start starts the child and waits for its end. Nothing secret is in its arguments.
func (s *Scheduler) start(ctx context.Context, dir, secret string, log *lines, out *tail) error {
	c := s.config
	args := append(c.Command[1:len(c.Command):len(c.Command)], "--addr", s.addr, "--promote", "--json", "--child", "--checkpoint", dir,
		"--workers", strconv.Itoa(c.Cores), "--memory", strconv.FormatInt(c.Memory>>20, 10)+"MiB")
	cmd := exec.CommandContext(ctx, c.Command[0], args...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, log, c.Grace
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "KINDRED_KEY=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "GOMAXPROCS="+strconv.Itoa(c.Cores), "GOMEMLIMIT="+strconv.FormatInt(c.Memory, 10))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	cmd.Cancel = stdin.Close // the child ends with it, and is killed after the grace
	if err := cmd.Start(); err != nil {
		return errors.Join(err, stdin.Close())
	}
	_, written := fmt.Fprintln(stdin, secret)
	if err := cmd.Wait(); err != nil {
		return err
	}
	return written
}

// report is what the child prints.
type report struct {
	Bundle   string `json:"bundle"`
	Promoted bool   `json:"promoted"`
	Refused  string `json:"refused"`
}

// judge says how a child did, by its exit code and what it printed.
func judge(ctx context.Context, err error, out *tail, last string) ended {
	var r report
	known := json.Unmarshal(out.line(), &r) == nil && r.Bundle != ""
	code := 0
	if err != nil {
		code = -1
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			code = exit.ExitCode()
		}
	}
	switch {
	case code == 0 && known && r.Promoted:
		return ended{outcome: Promoted, model: r.Bundle}
	case code == ExitKept && known:
		return ended{outcome: Kept, model: r.Bundle, reason: r.Refused}
	case code == ExitTooLittle:
		return ended{outcome: TooLittle, reason: last}
	case ctx.Err() != nil:
		return ended{outcome: Failed, reason: "the service stopped"}
	case err == nil:
		return ended{outcome: Failed, reason: "the child said nothing of a model"}
	case last == "":
		return ended{outcome: Failed, reason: err.Error()}
	}
	return ended{outcome: Failed, reason: err.Error() + ": " + last}
}

// reachable is where a child of this machine reaches a service that listens on an address.
func reachable(addr string) (string, error) {
	if strings.HasPrefix(addr, "unix:") {
		return addr, nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("%w: address %q: %w", ErrConfig, addr, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port), nil
}

const maxLine = 4 << 10

// lines has what a child says in the log, line by line.
type lines struct {
	log  *slog.Logger
	part []byte
	last string
}

// Write implements io.Writer. Of a long line the beginning is kept.
func (l *lines) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		l.part = append(l.part, line[:min(len(line), maxLine-len(l.part))]...)
		if whole {
			l.flush()
		}
		rest = after
	}
	return len(p), nil
}

func (l *lines) flush() {
	if text := strings.TrimSpace(string(l.part)); text != "" {
		l.last = text
		l.log.Info("training says", "line", text)
	}
	l.part = l.part[:0]
}

const maxTail = 64 << 10

// tail keeps the end of what was written.
type tail struct{ end []byte }

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.end = append(t.end, p[max(0, len(p)-maxTail):]...)
	t.end = t.end[max(0, len(t.end)-maxTail):]
	return len(p), nil
}

// line is the last whole one.
func (t *tail) line() []byte {
	text := bytes.TrimSpace(t.end)
	return text[bytes.LastIndexByte(text, '\n')+1:]
}
