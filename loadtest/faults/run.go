package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/kindred-rec/kindred/loadtest/load"
)

// Options say what is broken, and how long.
type Options struct {
	// Server is the service's program, built from ./server.
	Server string
	// Dir is where worlds have their directories; empty: the system's temporary one. Each takes about 100 MB while it lasts.
	Dir string
	// Only names the faults to try; empty: all.
	Only []string
	// Hold is how long a fault lasts that could last for ever, such as a slow disk. 0: 3 s.
	Hold time.Duration
	// Settle is how long traffic runs before the fault. 0: 1 s.
	Settle time.Duration
	// Seed of all that is drawn.
	Seed uint64
	// Done, if not nil, is told each row as it comes.
	Done func(Row)
}

// fault is one thing that can go wrong.
type fault struct {
	name, title string
	// prepare sets the world up before its server starts.
	prepare func(ctx context.Context, w *world, row *Row) error
	// inject does it, and returns when it is over; the row's way says how it was done. The server may be down then:
	// a process that ended is started again. It sets row.over where the fault ended before it returns.
	inject func(ctx context.Context, w *world, row *Row) error
	// recommend and write are the codes that callers of each may get meanwhile.
	recommend, write []codes.Code
	// mayEnd says that the process may end unasked; its data must hold all the same.
	mayEnd bool
}

// errUnsupported is wrapped by what this machine does not allow.
var errUnsupported = errors.New("not possible here")

// Names lists the faults in their order.
func Names() []string {
	var names []string
	for _, f := range matrix() {
		names = append(names, f.name)
	}
	return names
}

// Run tries the faults, one after another. An error means that it could not try; what a fault broke stands in the rows.
func Run(ctx context.Context, o Options) (*Result, error) {
	if _, err := os.Stat(o.Server); err != nil {
		return nil, fmt.Errorf("faults: the server's program: %w; build it with: go build -o kindred ./server", err)
	}
	for _, name := range o.Only {
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("faults: there is no fault %q; there are %s", name, strings.Join(Names(), ", "))
		}
	}
	if o.Hold == 0 {
		o.Hold = 3 * time.Second
	}
	if o.Settle == 0 {
		o.Settle = time.Second
	}
	r := &Result{Machine: load.MachineFor("127.0.0.1:1"), Started: time.Now().UTC()}
	for _, f := range matrix() {
		if len(o.Only) > 0 && !slices.Contains(o.Only, f.name) {
			continue
		}
		row, err := try(ctx, o, f)
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		if err != nil {
			return r, err
		}
		r.add(row)
		if o.Done != nil {
			o.Done(row)
		}
	}
	return r, nil
}

// try makes one row.
func try(ctx context.Context, o Options, f fault) (row Row, err error) {
	row = Row{Name: f.name, Fault: f.title}
	if f.inject == nil {
		return row.skipped("no way to do it to one process: see the package"), nil
	}
	w, err := newWorld(o)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if f.prepare != nil {
		if err := f.prepare(ctx, w, &row); err != nil {
			return row.unless(err)
		}
	}
	if err := w.populate(ctx); err != nil {
		return row.unless(err)
	}
	began := time.Now()
	if err := f.inject(ctx, w, &row); err != nil {
		return row.unless(err)
	}
	row.judgeProcess(w, f)
	if !w.server.isUp() {
		if err := w.start(ctx); err != nil {
			row.Process = failed("it does not start again: " + err.Error())
		}
	}
	if row.over.IsZero() {
		row.over = time.Now()
	}
	row.HeldS = row.over.Sub(began).Seconds()
	row.judgeRecovery(w.traffic.recovered(ctx, row.over))
	w.traffic.stop()
	row.RecommendCalls, row.WriteCalls = w.traffic.counts()
	row.judgeCalls(f)
	row.Events, err = w.settle(ctx)
	row.judgeData(err)
	if line := w.server.log.panicked(); line != "" {
		row.Process = failed("after the fault: " + line)
	}
	return row.sum(), nil
}
