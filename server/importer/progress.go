package importer

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows rows as they are answered. It is silent unless it writes to a terminal. Safe for concurrent use.
type progress struct{ bar *progressbar.ProgressBar }

// newProgress has no total: what a file holds is known when it has been read.
func newProgress(out io.Writer, what string) progress {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return progress{}
	}
	return progress{progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(f),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionThrottle(100*time.Millisecond),
		// Without an interval of its own the bar draws when rows are added, and needs no goroutine.
		progressbar.OptionSetSpinnerChangeInterval(0),
		progressbar.OptionClearOnFinish(),
	)}
}

// A bar that cannot be drawn is no reason to stop an import: its errors are let go.

func (p progress) add(rows int) {
	if p.bar != nil {
		_ = p.bar.Add(rows)
	}
}

func (p progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
