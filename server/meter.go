package main

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// meter shows bytes as they go by. It is silent unless it writes to a terminal. Safe for
// concurrent use.
type meter struct {
	mu  sync.Mutex
	bar *progressbar.ProgressBar
}

// newMeter has no total: how much will come is known at the end.
func newMeter(out io.Writer, what string) *meter {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &meter{}
	}
	return &meter{bar: progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(f),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // it draws when bytes come, and needs no goroutine
		progressbar.OptionClearOnFinish(),
	)}
}

// A bar that cannot be drawn is no reason to stop: its errors are let go.

func (m *meter) add(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bar != nil {
		_ = m.bar.Add64(bytes)
	}
}

func (m *meter) finish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bar != nil {
		_ = m.bar.Finish()
	}
}
