package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/kindred-rec/kindred/loadtest/load"
)

// loadCommand is `loadtest load`.
type loadCommand struct {
	serverFlags `embed:""`
	Mode        string        `enum:"auto,rate,stepped,spike,saturation,events,all" default:"auto" help:"rate: one rate for a time. stepped: one rate after another. spike: one rate with a spike in it, and the time to recover. saturation: the highest rate held, then half of it. events: durable events a second. all: saturation, then events. auto: what the flags given are of (--rates, --spike-factor, --rate), else saturation."`
	Rate        float64       `placeholder:"R" help:"Calls a second to offer."`
	Rates       string        `placeholder:"LIST" help:"Rates of mode stepped: 500,1000,2000, or 500-4000/500 for 500 to 4,000 by 500."`
	Duration    time.Duration `default:"30s" help:"How long a rate, each step or events are measured (${default})."`
	WarmUp      time.Duration `default:"2s" help:"How long each run goes before it counts (${default})."`
	Mix         string        `placeholder:"MIX" help:"Calls and their weights: recommend, event, similar, search, rank, patch, add, empty (recommend=80,event=20). patch overwrites the stock of items, add leaves new items in the catalog."`
	Arrivals    string        `enum:"poisson,fixed" default:"poisson" help:"How arrivals are spread: poisson or fixed."`
	Limit       int           `default:"10" help:"Items a call asks for, 1 to 1,000 (${default})."`
	Seed        uint64        `default:"1" help:"Makes times, users and items of the calls the same again."`

	Repeat int           `placeholder:"N" help:"Make the test so often, 2 to 1,000, with means and confidence intervals. With --json each run is a line, the summary the last."`
	GiveUp time.Duration `default:"10s" help:"A server that answers nothing for so long, no empty call either, ends the test; 0: never (${default})."`

	SpikeFactor float64       `placeholder:"X" help:"Factor on the rate in the spike, above 1."`
	SpikeFor    time.Duration `default:"5s" help:"How long the spike lasts (${default})."`
	SpikeAfter  time.Duration `placeholder:"T" help:"When the spike begins, after the warm-up; by default a third into --duration."`

	Sessions string        `placeholder:"STEPS" help:"Instead of a mix, visitors who do these one after another: view, click, like, add_to_cart, purchase, recommend, similar, search, rank. Such as view,recommend,click,recommend,add_to_cart. --rate is still calls a second."`
	Think    time.Duration `default:"5s" help:"Mean time between two steps of a session, exponential (${default})."`
	Stay     float64       `default:"0.8" help:"Chance that a visitor stays for the next step (${default})."`

	Connections int           `default:"4" help:"Connections that share the calls, 1 to 1,024 (${default})."`
	InFlight    int           `default:"2048" help:"Calls under way at most; an arrival past it counts as client_limited (${default})."`
	Timeout     time.Duration `default:"5s" help:"Longest time of a call (${default})."`
	Empty       time.Duration `default:"2s" help:"Step of the search for the rate of empty calls, empty_rps; 0 leaves them out (${default})."`

	Users      int     `default:"10000" help:"Made-up users, u0 and up; with --format and --data the users of that log call (${default})."`
	UserPrefix string  `default:"u" help:"What the made-up ids begin with."`
	Zipf       float64 `default:"1.1" help:"Exponent of the Zipf law of users, above 1 to 10 (${default})."`
	MaxUsers   int     `default:"5000000" hidden:""`
	MaxItems   int     `default:"100000" help:"Catalog rows that the client reads from the server (${default})."`
	logFlags   `embed:"" group:"Users of a log"`

	StartRate float64       `default:"500" help:"First rate of the search for saturation (${default})."`
	Step      time.Duration `default:"10s" help:"How long a rate must hold in the search (${default})."`
	P99       time.Duration `name:"p99" default:"50ms" help:"Bound that p99 must stay under in the search (${default})."`
	Tolerance float64       `default:"0.05" help:"The search ends when it is this close, as a share (${default})."`
	Attempts  int           `default:"2" help:"Failures after which a rate counts as not held (${default})."`

	Writers int    `default:"8" help:"Writers of events, each with one batch under way (${default})."`
	Batch   int    `default:"100" help:"Events a batch, 1 to 1,000 (${default})."`
	Stream  bool   `help:"Write over StreamEvents instead of WriteEvents."`
	SyncDir string `placeholder:"DIR" help:"Also time one sync in this folder, which should be on the server's disk."`

	Report string `placeholder:"FILE" help:"Draw the result into a file: HTML, or Markdown if its name ends in .md. Of a repeated test, the last run."`
	JSON   bool   `name:"json" help:"Print the figures as one line of JSON."`
}

// Help is what --help says beyond the flags.
func (loadCommand) Help() string {
	return `Arrivals follow a schedule whatever the server does, and latency counts from when a call was due: a slow server cannot slow
the clock.

Examples:
  go run ./loadtest load --rate 2000 --duration 30s --mix recommend=80,event=20
  go run ./loadtest load --format amazon --data ../shared/data/amazon-office --report load.html --json
  go run ./loadtest load --mode events --batch 100 --writers 8 --sync-dir data
  go run ./loadtest load --rates 500-4000/500 --duration 10s
  go run ./loadtest load --rate 500 --spike-factor 5 --spike-for 10s --duration 60s
  go run ./loadtest load --rate 500 --sessions view,recommend,click,recommend,add_to_cart --think 5s
  go run ./loadtest load --rate 500 --repeat 5 --json > a.json   # then: go run ./loadtest compare a.json b.json
`
}

// Run puts the load on.
func (c *loadCommand) Run(ctx context.Context, to output) error {
	options, err := c.options()
	if err != nil {
		return err
	}
	if err := checkReport(c.Report); err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(400)) // memory for processor time, which the server may share
	}
	bars := newProgress(to.log)
	defer bars.finish()
	options.Progress = bars.show
	if !c.JSON {
		options.Stepped = func(s *load.Step) {
			bars.finish()
			fmt.Fprintf(to.log, "%.0f a second: %s, p99 %.1f ms\n", s.Rate, heldText(*s.Held), s.P99)
		}
	}
	if c.Repeat != 0 {
		return c.repeat(ctx, options, bars, to)
	}
	result, err := load.Run(ctx, options)
	bars.finish()
	if result == nil {
		return err
	}
	return errors.Join(c.show(result, to), c.draw(result), err)
}

// repeat makes the test several times. What was measured before a failure is told.
func (c *loadCommand) repeat(ctx context.Context, options load.Options, bars *progress, to output) error {
	results, err := load.Repeat(ctx, options, c.Repeat, func(r *load.Result) error {
		bars.finish()
		if c.JSON {
			return writeJSON(to.out, r)
		}
		_, err := fmt.Fprintf(to.log, "run %d of %d is done\n", r.Repetition, c.Repeat)
		return err
	})
	bars.finish()
	if len(results) > 0 {
		err = errors.Join(err, c.draw(results[len(results)-1]))
	}
	if err != nil {
		return err
	}
	sum, err := load.Summarize(results)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(to.out, sum)
	}
	return sum.WriteTable(to.out)
}

// show comes before draw: figures are not lost to a report that cannot be written.
func (c *loadCommand) show(result *load.Result, to output) error {
	if c.JSON {
		return writeJSON(to.out, result)
	}
	return result.WriteTable(to.out)
}

func (c *loadCommand) draw(result *load.Result) error {
	if c.Report == "" {
		return nil
	}
	return result.Page().WriteFile(c.Report)
}

func heldText(held bool) string {
	if held {
		return "held"
	}
	return "not held"
}

func (c *loadCommand) options() (load.Options, error) {
	plan, rates, err := c.plan()
	if err != nil {
		return load.Options{}, err
	}
	users := load.Population{Count: c.Users, Prefix: c.UserPrefix, Exponent: c.Zipf}
	if c.Format != "" || c.Data != "" {
		source, err := c.open()
		if err != nil {
			return load.Options{}, err
		}
		if users.IDs, err = load.UsersOf(source.Events(), c.MaxUsers); err != nil {
			return load.Options{}, err
		}
	}
	return load.Options{
		Target: load.Target{Addr: c.Addr, Key: c.Key, Connections: c.Connections, Timeout: c.Timeout},
		Mode:   c.mode(), Users: users, MaxItems: c.MaxItems, Empty: c.Empty, SyncDir: c.SyncDir,
		Plan: plan, Rates: rates,
		Search: load.Search{Start: c.StartRate, Step: c.Step, P99: c.P99, Tolerance: c.Tolerance, Attempts: c.Attempts},
		Events: load.EventsPlan{Duration: c.Duration, WarmUp: c.WarmUp, Writers: c.Writers, Batch: c.Batch, Stream: c.Stream, Seed: c.Seed},
	}, nil
}

// defaultMix is the mix that figures are quoted with.
const defaultMix = "recommend=80,event=20"

// plan is the open loop that the flags ask for, and the rates of its steps.
func (c *loadCommand) plan() (plan load.Plan, rates []float64, err error) {
	plan = load.Plan{Rate: c.Rate, Arrivals: load.Arrivals(c.Arrivals), Duration: c.Duration, WarmUp: c.WarmUp,
		InFlight: c.InFlight, Limit: c.Limit, Seed: c.Seed, GiveUp: c.GiveUp}
	if c.Sessions != "" {
		steps, err := load.ParseSessionSteps(c.Sessions)
		if err != nil {
			return plan, nil, err
		}
		plan.Sessions = &load.Sessions{Steps: steps, Think: c.Think, Stay: c.Stay}
	}
	if mix := c.Mix; mix != "" || c.Sessions == "" {
		if plan.Mix, err = load.ParseMix(cmp.Or(mix, defaultMix)); err != nil {
			return plan, nil, err
		}
	}
	if c.mode() == load.ModeSpike {
		plan.Spike = &load.Spike{After: cmp.Or(c.SpikeAfter, c.Duration/3), For: c.SpikeFor, Factor: c.SpikeFactor}
	}
	if c.Rates != "" {
		rates, err = load.ParseRates(c.Rates)
	}
	return plan, rates, err
}

func (c *loadCommand) mode() load.Mode {
	switch {
	case c.Mode != "auto":
		return load.Mode(c.Mode)
	case c.Rates != "":
		return load.ModeStepped
	case c.SpikeFactor != 0:
		return load.ModeSpike
	case c.Rate != 0:
		return load.ModeRate
	}
	return load.ModeSaturation
}
