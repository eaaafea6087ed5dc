package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kindred-rec/kindred/loadtest/experiment"
	"github.com/kindred-rec/kindred/loadtest/load"
)

// experimentCommand is `loadtest experiment`.
type experimentCommand struct {
	serverFlags `embed:""`
	Name        string `arg:"" help:"Name of the experiment."`

	Decisions string `placeholder:"FILE" help:"Read decisions from this file instead of the server: JSON as grpcurl prints ExportDecisions."`
	Events    string `placeholder:"FILE" help:"The events beside --decisions: JSON as grpcurl prints ExportEvents."`
	Shares    string `placeholder:"A=0.5,B=0.5" help:"Variants and the shares of users meant for them, the control first. By default as the server has them; files need it."`

	Window       time.Duration `default:"24h" help:"Time after a user's first list in which their acts count; the user counts when it is over (${default})."`
	Since        string        `placeholder:"TIME" help:"Leave earlier decisions out, as 2026-03-01T00:00:00Z: from when the shares are as they are."`
	Until        string        `placeholder:"TIME" help:"Read out as of this time. By default the latest time in the logs."`
	Click        []string      `default:"click" placeholder:"TYPE" help:"Types of events that are clicks (${default})."`
	Alpha        float64       `default:"0.05" help:"Chance that any of the intervals is ever wrong (${default})."`
	Users        float64       `default:"20000" help:"Number of users at which the intervals are to be narrowest; they hold at any (${default})."`
	MaxDecisions int           `default:"2000000" help:"Lists, and clicks and purchases, to hold in memory, at about 100 bytes each (${default})."`

	Report string `placeholder:"FILE" help:"Draw the result into a file: HTML, or Markdown if its name ends in .md."`
	JSON   bool   `name:"json" help:"Print the figures as one line of JSON."`
}

// Help is what --help says beyond the flags.
func (experimentCommand) Help() string {
	return `Look as often as you like and stop when you like: intervals and p values hold at all looks. Fix --window, --users and --alpha
before the first.

Examples:
  go run ./loadtest experiment ranker-2
  go run ./loadtest experiment ranker-2 --decisions decisions.jsonl --events events.jsonl --shares control=0.5,new=0.5 --report x.md
`
}

// Run reads out.
func (c *experimentCommand) Run(ctx context.Context, to output) (err error) {
	options, err := c.options()
	if err != nil {
		return err
	}
	if err := checkReport(c.Report); err != nil {
		return err
	}
	from, release, err := c.source(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	result, err := experiment.Run(ctx, from, options)
	if err != nil {
		return err
	}
	return to.show(result, c.JSON, c.Report)
}

// source is where the logs are, and what lets go of it.
func (c *experimentCommand) source(ctx context.Context) (experiment.Source, func() error, error) {
	if (c.Decisions == "") != (c.Events == "") {
		return nil, nil, errors.New("experiment: give both --decisions and --events, or neither to ask the server at --addr")
	}
	if c.Decisions != "" {
		return experiment.Files(c.Decisions, c.Events), func() error { return nil }, nil
	}
	client, err := load.Dial(ctx, load.Target{Addr: c.Addr, Key: c.Key, Connections: 1, Timeout: 5 * time.Second})
	if err != nil {
		return nil, nil, err
	}
	return experiment.Server(client.Conn()), client.Close, nil
}

func (c *experimentCommand) options() (experiment.Options, error) {
	o := experiment.Options{Name: c.Name, Window: c.Window, Clicks: c.Click, Alpha: c.Alpha, Users: c.Users, MaxDecisions: c.MaxDecisions}
	var err1, err2, err3 error
	o.Since, err1 = timeFlag("--since", c.Since)
	o.Until, err2 = timeFlag("--until", c.Until)
	o.Variants, err3 = parseShares(c.Shares)
	return o, errors.Join(err1, err2, err3)
}

func timeFlag(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("%s %q: must be a time as 2026-03-01T00:00:00Z", name, text)
	}
	return at, nil
}

func parseShares(text string) ([]experiment.VariantShare, error) {
	if text == "" {
		return nil, nil
	}
	var variants []experiment.VariantShare
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		share, err := strconv.ParseFloat(value, 64)
		if !ok || name == "" || err != nil || !(share > 0) {
			return nil, fmt.Errorf("--shares %q: %q is not VARIANT=SHARE with a share above 0", text, part)
		}
		for _, v := range variants {
			if v.Name == name {
				return nil, fmt.Errorf("--shares %q: %s stands twice", text, name)
			}
		}
		variants = append(variants, experiment.VariantShare{Name: name, Share: share})
	}
	return variants, nil
}
