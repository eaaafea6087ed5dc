package selfcheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/stat"

	"github.com/kindred-rec/kindred/loadtest/ope"
)

// Options of a check.
type Options struct {
	// Runs is how many logs are drawn from a world, at least 2.
	Runs int
	// Judge is how each is judged. Lists are as the world has them.
	Judge ope.Options
	// Progress is told the share of the runs that are done, from one goroutine at a time. Nil: nobody asks.
	Progress func(share float64)
}

// Figures are what one estimator did in a world.
type Figures struct {
	World     string        `json:"world"`
	Estimator ope.Estimator `json:"estimator"`
	Decisions int           `json:"decisions"` // of a log
	Truth     float64       `json:"truth"`
	Bias      float64       `json:"bias"`  // mean of estimate - truth
	Error     float64       `json:"error"` // standard deviation of the estimates
	Width     float64       `json:"width"` // mean width of the intervals
	// Coverage is the share of the runs whose interval holds the truth. A run without an interval is not in it.
	Coverage float64 `json:"coverage"`
	Runs     int     `json:"runs"`    // with an interval
	Without  int     `json:"without"` // refused, or without an interval
}

// checked are the estimators meant for use, and the direct method for comparison.
var checked = []ope.Estimator{ope.IPS, ope.SNIPS, ope.DR, ope.DM}

// Run draws and judges the logs of a world, one a processor at a time. The figures depend on the options
// alone.
func Run(ctx context.Context, w World, o Options) ([]Figures, error) {
	if o.Runs < 2 {
		return nil, fmt.Errorf("selfcheck: Runs is %d; must be at least 2", o.Runs)
	}
	results := make([]*ope.Result, o.Runs)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	var done atomic.Int64
	for run := range o.Runs {
		group.Go(func() (err error) {
			defer done.Add(1)
			results[run], err = judge(ctx, w, o, uint64(run))
			return err
		})
		if o.Progress != nil {
			o.Progress(float64(done.Load()) / float64(o.Runs))
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all []Figures
	for _, by := range checked {
		all = append(all, figuresOf(w, by, results))
	}
	return all, nil
}

// judge draws and judges one log.
func judge(ctx context.Context, w World, o Options, run uint64) (*ope.Result, error) {
	log, target := w.Draw(rand.New(rand.NewPCG(o.Judge.Seed, run)), w.Decisions)
	options := o.Judge
	options.Lists, options.Seed, options.Progress = w.Lists, o.Judge.Seed+run, nil
	result, err := ope.Evaluate(ctx, log, target, options)
	if err != nil && !errors.Is(err, ope.ErrRefused) {
		return nil, fmt.Errorf("selfcheck: world %s, run %d: %w", w.Name, run, err)
	}
	return result, nil
}

// figuresOf sums up the runs.
func figuresOf(w World, by ope.Estimator, results []*ope.Result) Figures {
	f := Figures{World: w.Name, Estimator: by, Decisions: w.Decisions, Truth: w.Truth}
	var values []float64
	for _, r := range results {
		e, ok := r.Estimate(by)
		if ok {
			values = append(values, e.Value)
		}
		if !ok || e.Interval == nil {
			f.Without++
			continue
		}
		f.Runs++
		f.Width += e.Interval.High - e.Interval.Low
		if e.Interval.Low <= w.Truth && w.Truth <= e.Interval.High {
			f.Coverage++
		}
	}
	f.Width, f.Coverage = over(f.Width, f.Runs), over(f.Coverage, f.Runs)
	if len(values) > 1 { // else they were all but refused
		mean, spread := stat.MeanStdDev(values, nil)
		f.Bias, f.Error = mean-w.Truth, spread
	}
	return f
}

func over(sum float64, n int) float64 {
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

// WriteWorlds says what each world is hard in.
func WriteWorlds(to io.Writer) error {
	t := tabwriter.NewWriter(to, 2, 0, 2, ' ', 0)
	for _, w := range Worlds() {
		fmt.Fprintf(t, "%s\t%s\n", w.Name, w.What)
	}
	fmt.Fprintln(t)
	return t.Flush()
}

// WriteTable writes the figures for people.
func WriteTable(to io.Writer, figures []Figures) error {
	t := tabwriter.NewWriter(to, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "world\tdecisions\testimator\ttruth\tbias\terror\twidth\tcoverage\truns\twithout\t\n") // the writer keeps an error for Flush
	for _, f := range figures {
		width, coverage := "–", "–"
		if f.Runs > 0 {
			width, coverage = fmt.Sprintf("%.4f", f.Width), fmt.Sprintf("%.1f%%", 100*f.Coverage)
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%.4f\t%+.5f\t%.4f\t%s\t%s\t%d\t%d\t\n", f.World, f.Decisions, f.Estimator, f.Truth, f.Bias, f.Error,
			width, coverage, f.Runs, f.Without)
	}
	return t.Flush()
}
