package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/kindred-rec/kindred/loadtest/load"
)

// loadCommand is `loadtest load`.
type loadCommand struct {
	serverFlags `embed:""`
	Mode        string        `enum:"auto,rate,saturation,events,all" default:"auto" help:"rate: one rate for a time. saturation: the highest rate held, then half of it. events: durable events a second. all: saturation, then events. auto: rate if --rate is given, else saturation."`
	Rate        float64       `placeholder:"R" help:"Calls a second to offer."`
	Duration    time.Duration `default:"30s" help:"How long a rate or events are measured (${default})."`
	WarmUp      time.Duration `default:"2s" help:"How long each run goes before it counts (${default})."`
	Mix         string        `default:"recommend=80,event=20" help:"Calls and their weights: recommend, event, similar, search, rank, patch, empty (${default}). patch overwrites the stock of items."`
	Arrivals    string        `enum:"poisson,fixed" default:"poisson" help:"How arrivals are spread: poisson or fixed."`
	Limit       int           `default:"10" help:"Items a call asks for, 1 to 1,000 (${default})."`
	Seed        uint64        `default:"1" help:"Makes times, users and items of the calls the same again."`

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

	Report string `placeholder:"FILE.html" help:"Draw the result into a file."`
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
`
}

// Run puts the load on.
func (c *loadCommand) Run(ctx context.Context, to output) error {
	options, err := c.options()
	if err != nil {
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
	result, err := load.Run(ctx, options)
	bars.finish()
	if err != nil {
		return err
	}
	if c.Report != "" {
		if err := result.Page().WriteFile(c.Report); err != nil {
			return err
		}
	}
	if c.JSON {
		return writeJSON(to.out, result)
	}
	return result.WriteTable(to.out)
}

func heldText(held bool) string {
	if held {
		return "held"
	}
	return "not held"
}

func (c *loadCommand) options() (load.Options, error) {
	mix, err := load.ParseMix(c.Mix)
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
		Plan: load.Plan{Rate: c.Rate, Arrivals: load.Arrivals(c.Arrivals), Mix: mix, Duration: c.Duration, WarmUp: c.WarmUp,
			InFlight: c.InFlight, Limit: c.Limit, Seed: c.Seed},
		Search: load.Search{Start: c.StartRate, Step: c.Step, P99: c.P99, Tolerance: c.Tolerance, Attempts: c.Attempts},
		Events: load.EventsPlan{Duration: c.Duration, WarmUp: c.WarmUp, Writers: c.Writers, Batch: c.Batch, Stream: c.Stream, Seed: c.Seed},
	}, nil
}

func (c *loadCommand) mode() load.Mode {
	switch {
	case c.Mode != "auto":
		return load.Mode(c.Mode)
	case c.Rate != 0:
		return load.ModeRate
	}
	return load.ModeSaturation
}
