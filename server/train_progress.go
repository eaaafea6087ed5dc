package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/kindred-rec/kindred/server/training"
)

// trainProgress keeps one line of a terminal up to date. Elsewhere it says nothing.
type trainProgress struct {
	out  io.Writer // nil: no terminal
	best float64
}

func newTrainProgress(out *os.File) *trainProgress {
	if !term.IsTerminal(int(out.Fd())) {
		return &trainProgress{}
	}
	return &trainProgress{out: out}
}

// show tells how far a run is. A terminal that cannot be written to is no reason to stop.
func (p *trainProgress) show(now training.Progress) {
	if p.out == nil {
		return
	}
	p.best = max(p.best, now.NDCG)
	if now.Epoch == 0 {
		_, _ = fmt.Fprintf(p.out, "\r\x1b[K%s …", now.Stage)
		return
	}
	_, _ = fmt.Fprintf(p.out, "\r\x1b[Kepoch %d of %d  loss %.4f  best NDCG@10 %.4f  at most %s left", now.Epoch, now.Epochs, now.Loss, p.best, now.Left.Round(time.Second))
}

// end leaves an empty line.
func (p *trainProgress) end() {
	if p.out != nil {
		_, _ = fmt.Fprint(p.out, "\r\x1b[K")
	}
}
