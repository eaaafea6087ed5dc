package schedule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestWhenATenantIsDue(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, c := range map[string]struct {
		config Config
		tenant tenant
		events int64
		want   bool
	}{
		"never trained, by the clock": {Config{Every: time.Hour}, tenant{}, 100, true},
		"fewer events than any model": {Config{Every: time.Hour}, tenant{}, 99, false},
		"never trained, by events":    {Config{After: 500}, tenant{}, 499, false},
		"enough events at last":       {Config{After: 500}, tenant{}, 500, true},
		"trained an hour ago":         {Config{Every: time.Hour}, tenant{last: ago(time.Hour)}, 1000, true},
		"trained just now":            {Config{Every: time.Hour}, tenant{last: ago(59 * time.Minute)}, 1000, false},
		"new events":                  {Config{After: 500}, tenant{last: ago(0), events: 1000}, 1500, true},
		"too few new events":          {Config{After: 500}, tenant{last: ago(time.Hour * 999), events: 1000}, 1499, false},
		"either reason does":          {Config{Every: time.Hour, After: 500}, tenant{last: ago(0), events: 1000}, 1500, true},
		"it failed and waits":         {Config{Every: time.Hour}, tenant{status: Status{Next: now.Add(1)}}, 1000, false},
		"it failed and waited":        {Config{Every: time.Hour}, tenant{status: Status{Next: now}}, 1000, true},
		"there was too little":        {Config{Every: time.Hour}, tenant{enough: 1100}, 1099, false},
		"there may be enough":         {Config{Every: time.Hour}, tenant{enough: 1100}, 1100, true},
	} {
		if got := c.tenant.due(c.config, now, c.events); got != c.want {
			t.Errorf("%s: due %v", name, got)
		}
	}
}

func TestTheWaitAfterFailuresDoublesAndASuccessEndsIt(t *testing.T) {
	c, now := Config{Backoff: time.Minute}, time.Now()
	var x tenant
	for i, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
		x.note(c, ended{outcome: Failed, reason: "killed"}, now, now, 1000)
		if got := x.status.Next.Sub(now); got != want || x.status.Failures != i+1 || !x.last.IsZero() {
			t.Errorf("after failure %d the wait is %s, want %s", i+1, got, want)
		}
	}
	if got := backoff(time.Minute, 1000); got != maxBackoff {
		t.Errorf("after a thousand failures the wait is %s", got)
	}
	x.note(c, ended{outcome: TooLittle}, now, now, 1000)
	if x.enough != 1100 || x.status.Failures != 0 || !x.status.Next.IsZero() {
		t.Errorf("too little: %+v", x)
	}
	x.note(c, ended{outcome: Kept, model: "m", reason: "worse"}, now, now, 2000)
	if x.enough != 0 || x.events != 2000 || x.last != now || x.status.Model != "m" {
		t.Errorf("kept: %+v", x)
	}
}

// exited is the error of a process that ended with a code.
func exited(t *testing.T, code int) error {
	t.Helper()
	if code == 0 {
		return nil
	}
	err := exec.Command("sh", "-c", fmt.Sprint("exit ", code)).Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Skip("there is no shell:", err)
	}
	return err
}

func TestHowAChildDidIsReadFromItsEnd(t *testing.T) {
	const line = `{"bundle":"ab","promoted":true}`
	for name, c := range map[string]struct {
		code      int
		out, last string
		want      ended
	}{
		"promoted":   {0, "noise\n" + line + "\n", "", ended{Promoted, "", "ab"}},
		"kept":       {ExitKept, `{"bundle":"ab","promoted":false,"refused":"worse"}`, "", ended{Kept, "worse", "ab"}},
		"too little": {ExitTooLittle, "", "3 events", ended{TooLittle, "3 events", ""}},
		"failed":     {1, "", "disk full", ended{Failed, "exit status 1: disk full", ""}},
		"silent":     {1, line, "", ended{Failed, "exit status 1", ""}},
		"nonsense":   {0, "hello", "", ended{Failed, "the child said nothing of a model", ""}},
	} {
		var out tail
		fmt.Fprint(&out, c.out)
		if got := judge(t.Context(), exited(t, c.code), &out, c.last); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := judge(ctx, errors.New("killed"), &tail{}, ""); got.reason != "the service stopped" {
		t.Errorf("a stop: %+v", got)
	}
}

func TestWhereAChildReachesAService(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:1": "127.0.0.1:1", "0.0.0.0:1": "127.0.0.1:1", "[::]:1": "[::1]:1", ":1": "127.0.0.1:1", "10.0.0.5:1": "10.0.0.5:1", "[fe80::1]:1": "[fe80::1]:1",
	} {
		if got, err := reachable(addr); err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", addr, got, err, want)
		}
	}
	if _, err := reachable("nowhere"); !errors.Is(err, ErrConfig) {
		t.Errorf("no port: %v", err)
	}
}

func TestLongOutputIsBounded(t *testing.T) {
	var text strings.Builder
	l := &lines{log: slog.New(slog.NewTextHandler(&text, nil))}
	var out tail
	for range 100 {
		both := io.MultiWriter(l, &out)
		if _, err := io.WriteString(both, strings.Repeat("x", 3000)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(l, "\nsecond\n\nthird"); err != nil {
		t.Fatal(err)
	}
	l.flush()
	if len(l.part) > maxLine || len(out.end) > maxTail || len(text.String()) > 2*maxLine || l.last != "third" {
		t.Errorf("%d, %d and %d bytes were kept, the last line is %q", cap(l.part), len(out.end), text.Len(), l.last)
	}
	if !strings.Contains(text.String(), "line=second") {
		t.Error("a line is not in the log")
	}
}

func TestSettingsOutOfRangeAreNamed(t *testing.T) {
	good := Config{Every: time.Hour, Command: []string{"x"}, Dir: "d"}
	if c, err := good.withDefaults(); err != nil || c.Cores < 1 || c.Memory != 1<<30 {
		t.Errorf("%+v %v", c, err)
	}
	for name, edit := range map[string]func(*Config){
		"every":   func(c *Config) { c.Every = time.Millisecond },
		"after":   func(c *Config) { c.After = -1 },
		"cores":   func(c *Config) { c.Cores = -1 },
		"memory":  func(c *Config) { c.Memory = 1 },
		"Command": func(c *Config) { c.Command = nil },
	} {
		c := good
		edit(&c)
		if _, err := c.withDefaults(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
