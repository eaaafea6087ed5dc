package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress draws one bar after another for the parts of a command. It is silent unless it writes to a terminal. Not safe for
// concurrent use.
type progress struct {
	to   *os.File // nil: silent
	what string
	bar  *progressbar.ProgressBar
}

func newProgress(log io.Writer) *progress {
	f, ok := log.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &progress{}
	}
	return &progress{to: f}
}

// barSteps is how finely a share is drawn.
const barSteps = 1000

// show draws the share, 0 to 1, of what goes on. A bar that cannot be drawn is no reason to stop.
func (p *progress) show(what string, share float64) {
	if p.to == nil {
		return
	}
	if p.bar == nil || what != p.what {
		p.finish()
		p.what = what
		p.bar = progressbar.NewOptions(barSteps, progressbar.OptionSetWriter(p.to), progressbar.OptionSetDescription(what),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())
	}
	_ = p.bar.Set(int(share * barSteps))
}

// finish takes the bar away.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
		p.bar = nil
	}
}
