package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/loadtest/dataset/export"
	"github.com/kindred-rec/kindred/loadtest/load"
)

// datasetExport is `loadtest dataset export`.
type datasetExport struct {
	serverFlags `embed:""`
	What        string `required:"" enum:"events,items,decisions,features" help:"What to export: ${enum}. features: a row for each item shown and each sampled loser, with what became of it."`
	Out         string `required:"" placeholder:"DIR" help:"Directory to write to."`
	As          string `enum:"parquet,jsonl,csv" default:"parquet" help:"Format of events and items: ${enum} (${default})."`
	Pack        string `enum:"none,gzip,zstd" default:"zstd" help:"How to compress: ${enum} (${default})."`

	From   string        `placeholder:"TIME" help:"First decision, in RFC 3339. Not set: from the first kept."`
	Until  string        `placeholder:"TIME" help:"End of the decisions, exclusive, in RFC 3339. Not set: all."`
	Click  []string      `placeholder:"TYPE" help:"Types of events that are a click on what was shown (click,view)."`
	Buy    []string      `placeholder:"TYPE" help:"Types of events that are a purchase (purchase)."`
	Within time.Duration `default:"24h" help:"How long after the decision a click or a purchase counts (${default})."`

	MaxOutcomes int           `default:"5000000" help:"Clicked items to remember, at about 200 bytes each (${default})."`
	RetryFor    time.Duration `default:"30s" help:"How long a broken stream is taken up again (${default})."`
	JSON        bool          `name:"json" help:"Print what was written as one line of JSON."`
}

// Help is what --help says beyond the flags.
func (datasetExport) Help() string {
	return `The file appears whole or not at all. Needs a key of role scientist or admin; items one that reads the catalog.

Examples:
  go run ./loadtest dataset export --addr 127.0.0.1:50051 --what events --as jsonl --pack none --out export
  go run ./loadtest dataset export --what features --within 72h --out export
`
}

// Run exports.
func (c *datasetExport) Run(ctx context.Context, to output) (err error) {
	o, err := c.options()
	if err != nil {
		return err
	}
	client, err := load.Dial(ctx, load.Target{Addr: c.Addr, Key: c.Key, Connections: 1, Timeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	r, err := export.Run(ctx, client.Conn(), o)
	if err != nil {
		return err
	}
	if r.LeftOut > 0 {
		fmt.Fprintf(to.log, "%d items have a vector of their own, or a list of bools or times, that %s has no column for: left out\n", r.LeftOut, c.As)
	}
	if c.JSON {
		return writeJSON(to.out, r)
	}
	if _, err := fmt.Fprintf(to.out, "%d rows of %s to %s in %.1f s\n", r.Rows, r.What, orNone(r.File), r.Seconds); err != nil || o.What != export.Features {
		return err
	}
	_, err = fmt.Fprintf(to.out, "of %d decisions with %d features; shown items clicked %d, purchased %d\n", r.Decisions, r.Features, r.Clicked, r.Purchased)
	return err
}

func (c *datasetExport) options() (export.Options, error) {
	o := export.DefaultOptions()
	o.What, o.Dir, o.Format, o.Packing = export.What(c.What), c.Out, dataset.Format(c.As), dataset.Packing(c.Pack)
	o.Window, o.MaxOutcomes, o.RetryFor = c.Within, c.MaxOutcomes, c.RetryFor
	if len(c.Click) > 0 {
		o.ClickTypes = c.Click
	}
	if len(c.Buy) > 0 {
		o.PurchaseTypes = c.Buy
	}
	var err error
	if o.From, err = instant("--from", c.From); err != nil {
		return o, err
	}
	o.Until, err = instant("--until", c.Until)
	return o, err
}

func instant(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, fmt.Errorf("%s %q: must be a time in RFC 3339, as 2006-01-02T15:04:05Z", flag, text)
	}
	return t, nil
}
