package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/loadtest/load"
	"github.com/kindred-rec/kindred/loadtest/replay"
	"github.com/kindred-rec/kindred/server/importer"
)

// replayCommand is `loadtest replay`.
type replayCommand struct {
	serverFlags `embed:""`
	logFlags    `embed:""`
	ImportItems bool `help:"Bring the catalog into the server first."`

	Limit    int           `default:"10" help:"Items to ask for, 10 to 1,000 (${default})."`
	Seen     string        `enum:"surface,keep,hide_purchased,hide_interacted" default:"surface" help:"What happens to items that the user had: surface (the surface's own policy), keep, hide_purchased, hide_interacted."`
	Surface  string        `placeholder:"NAME" help:"Surface to name in asks and events."`
	Ask      []string      `placeholder:"TYPE" help:"Types of events to ask before; others are only written (view,click,like,add_to_cart,purchase,rating,share)."`
	WarmUp   float64       `default:"0.1" help:"Share of the log, from its start, that is only written (${default})."`
	Window   int           `default:"1000" help:"Events that may change places with each other, 1 to 1,000; 1 keeps the order wholly (${default})."`
	Parallel int           `default:"8" help:"Asks under way at once, 1 to 256 (${default})."`
	MaxWait  time.Duration `default:"2s" help:"How long an ask may wait for the last write to count, 0 to 2s (${default})."`
	First    int           `placeholder:"N" help:"Replay the first N events alone."`
	Seed     uint64        `default:"1" help:"Decides the seeds of the asks."`
	Speed    string        `default:"max" placeholder:"100x" help:"Multiple of real time that the events keep to after the warm-up, or max: as fast as it goes (${default})."`

	Checkpoint  string        `placeholder:"FILE" help:"Keep what was done in a file: the same command then goes on where the last one ended, to the same figures."`
	MaxDisorder time.Duration `placeholder:"DURATION" help:"Refuse a log whose file has an event further behind a later one. Not set: any order, it is sorted by time."`

	MaxEvents    int           `default:"1000000" help:"Longest log to hold in memory, at about 500 bytes an event (${default})."`
	RetryFor     time.Duration `default:"30s" help:"How long a call is tried again while the server is away or has no room (${default})."`
	AllowKnown   bool          `help:"Go on although the server knows events of the log already."`
	AllowMissing bool          `help:"Go on although items of the log are not in the catalog."`
	KeepSettings bool          `help:"Leave the tenant's clock and retention alone, also for an old log."`

	Report string `placeholder:"FILE.html" help:"Draw the result into a file."`
	JSON   bool   `name:"json" help:"Print the figures as one line of JSON."`
}

// Help is what --help says beyond the flags.
func (replayCommand) Help() string {
	return `Before each event the server is asked what it would show its user; then the event is written and counts for the next ask.
Start the server on an empty store, or it has seen what it is to be asked for.
A tenant's own log replays too: loadtest dataset export --what events --as jsonl writes it.

Examples:
  go run ./loadtest replay --format movielens --data ../shared/data/movielens-small --import-items --seen hide_interacted
  go run ./loadtest replay --format amazon --data ../shared/data/amazon-office --import-items --seen keep --report replay.html --json
  go run ./loadtest replay --format jsonl --data export --speed 100x --checkpoint replay.checkpoint
`
}

// Run replays.
func (c *replayCommand) Run(ctx context.Context, to output) (err error) {
	options, err := c.options()
	if err != nil {
		return err
	}
	source, err := c.open()
	if err != nil {
		return err
	}
	client, err := load.Dial(ctx, load.Target{Addr: c.Addr, Key: c.Key, Connections: 1, Timeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if err := c.prepare(ctx, client, source, to); err != nil {
		return err
	}
	bars := newProgress(to.log)
	defer bars.finish()
	options.Progress = func(done, total int) { bars.show("replay", float64(done)/float64(total)) }
	result, err := replay.Run(ctx, client.Conn(), source, options)
	bars.finish()
	if err != nil {
		return err
	}
	if c.Report != "" {
		if err := result.Page(fmt.Sprintf("Replay of %s against %s", c.Format, c.Addr)).WriteFile(c.Report); err != nil {
			return err
		}
	}
	if c.JSON {
		return writeJSON(to.out, result)
	}
	return result.WriteTable(to.out)
}

// prepare fits the tenant to the log and sees that the catalog is there.
func (c *replayCommand) prepare(ctx context.Context, client *load.Client, source dataset.Source, to output) error {
	if !c.KeepSettings {
		changed, err := replay.SuitTenant(ctx, client.Conn(), source)
		if err != nil {
			return err
		}
		if changed {
			fmt.Fprintln(to.log, "the log is old: the tenant's clock now follows it, and events are kept for 100 years (--keep-settings leaves that alone)")
		}
	}
	if replay.Begun(c.Checkpoint) {
		fmt.Fprintf(to.log, "going on from %s\n", c.Checkpoint)
		return nil
	}
	if c.ImportItems {
		if err := c.importItems(ctx, to); err != nil {
			return err
		}
	}
	if c.AllowMissing {
		return nil
	}
	return replay.CheckItems(ctx, client.Conn(), source)
}

func (c *replayCommand) importItems(ctx context.Context, to output) error {
	format, files, err := c.logFlags.options()
	if err != nil {
		return err
	}
	summary, err := importer.Run(ctx, importer.Options{Format: format, Data: c.Data, Files: files, Addr: c.Addr, Key: c.Key, ItemsOnly: true}, to.log)
	if err != nil {
		return err
	}
	if n := summary.Items.Rejected; n > 0 {
		fmt.Fprintf(to.log, "%d items of the catalog were rejected; server import shows why\n", n)
	}
	return nil
}

func (c *replayCommand) options() (replay.Options, error) {
	o := replay.DefaultOptions()
	seen, err := replay.ParseSeen(c.Seen)
	if err != nil {
		return o, err
	}
	o.Limit, o.Seen, o.Surface, o.WarmUp, o.Window, o.Parallel = c.Limit, seen, c.Surface, c.WarmUp, c.Window, c.Parallel
	o.MaxWait, o.MaxEvents, o.First, o.AllowKnown, o.Seed, o.RetryFor = c.MaxWait, c.MaxEvents, c.First, c.AllowKnown, c.Seed, c.RetryFor
	o.Checkpoint, o.MaxDisorder = c.Checkpoint, c.MaxDisorder
	if len(c.Ask) > 0 {
		o.Ask = c.Ask
	}
	o.Speed, err = replay.ParseSpeed(c.Speed)
	return o, err
}
