package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// datasetCommand is `loadtest dataset`.
type datasetCommand struct {
	Check   datasetCheck   `cmd:"" default:"withargs" help:"Read everything, name every malformed row, and count (the default)."`
	Convert datasetConvert `cmd:"" help:"Write a catalog and a log in another format."`
	Export  datasetExport  `cmd:"" help:"Write what a running server has: its log, its catalog, its decisions, or features to train on."`
}

// datasetCheck is `loadtest dataset check`.
type datasetCheck struct {
	logFlags `embed:""`
	All      bool   `name:"check" hidden:"" help:"What this command does anyway."`
	Errors   string `placeholder:"FILE" help:"Write each malformed row to a file as well, a line of JSON each."`
	JSON     bool   `name:"json" help:"Print the counts as one line of JSON."`
}

// Help is what --help says beyond the flags.
func (datasetCheck) Help() string {
	return `Each malformed row is named with its file, line, column, value and reason. The exit code is 1 if there is one.

Examples:
  go run ./loadtest dataset --check --format movielens --data ../shared/data/movielens-small
  go run ./loadtest dataset check --format csv --data shop --map title=name,price=cost --currency EUR --errors bad.jsonl
`
}

// Run reads a source from end to end.
func (c *datasetCheck) Run(ctx context.Context, to output) (err error) {
	source, err := c.open()
	if err != nil {
		return err
	}
	tell, closeErrors, err := tellBroken(ctx, to.log, c.Errors)
	if err != nil {
		return err
	}
	sum, err := dataset.Check(source, tell)
	if err := errors.Join(err, closeErrors()); err != nil {
		return err
	}
	if c.JSON {
		err = writeJSON(to.out, sum)
	} else {
		err = writeSummary(to.out, sum)
	}
	if n := sum.Broken(); err == nil && n > 0 {
		err = fmt.Errorf("%d of %d rows are malformed", n, n+sum.Items.Good+sum.Events.Good+sum.Cases.Good)
	}
	return err
}

// tellBroken gives a function that writes broken rows to the log and, if there is one, to a file, as JSON.
func tellBroken(ctx context.Context, log io.Writer, path string) (tell func(*dataset.RowError) error, done func() error, err error) {
	var file *os.File
	if path != "" {
		if file, err = os.Create(path); err != nil {
			return nil, nil, err
		}
	}
	tell = func(row *dataset.RowError) error {
		fmt.Fprintln(log, row)
		if file != nil {
			if err := json.NewEncoder(file).Encode(row); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	done = func() error {
		if file == nil {
			return nil
		}
		return file.Close()
	}
	return tell, done, nil
}

func writeSummary(out io.Writer, s dataset.Summary) error {
	var b strings.Builder
	for _, kind := range []struct {
		name string
		dataset.RowCount
	}{{"items", s.Items}, {"events", s.Events}, {"test cases", s.Cases}} {
		fmt.Fprintf(&b, "%-11s %d good, %d malformed, %d with an id that stood before\n", kind.name+":", kind.Good, kind.Broken, kind.Repeated)
	}
	if s.Events.Good > 0 {
		fmt.Fprintf(&b, "of:         %s users, %s sessions without a user, on %s items\n", distinct(s.Users), distinct(s.Sessions), distinct(s.EventItems))
		fmt.Fprintf(&b, "time:       %s to %s, %d made up, %d out of order, up to %v behind\n", s.First.Format(time.RFC3339), s.Last.Format(time.RFC3339),
			s.Synthetic, s.OutOfOrder, s.Disorder)
		var types []string
		for _, name := range slices.Sorted(maps.Keys(s.Types)) {
			types = append(types, fmt.Sprintf("%s %d", name, s.Types[name]))
		}
		fmt.Fprintf(&b, "types:      %s\n", strings.Join(types, ", "))
	}
	if s.UnknownItems.Count > 0 {
		fmt.Fprintf(&b, "unknown:    %s items of events are not in the catalog, such as %s\n", distinct(s.UnknownItems), strings.Join(s.UnknownSample, ", "))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func distinct(d dataset.Distinct) string {
	if d.AtLeast {
		return fmt.Sprintf("at least %d", d.Count)
	}
	return fmt.Sprint(d.Count)
}

// datasetConvert is `loadtest dataset convert`.
type datasetConvert struct {
	logFlags `embed:""`
	To       string `required:"" enum:"jsonl,csv,parquet" help:"Format to write: ${enum}."`
	Out      string `required:"" placeholder:"DIR" help:"Directory to write items and events to."`
	Pack     string `enum:"none,gzip,zstd" default:"none" help:"How to compress: ${enum} (${default})."`
	SkipBad  bool   `help:"Leave malformed rows out, naming each. Without it the first one ends the command."`
	JSON     bool   `name:"json" help:"Print what was written as one line of JSON."`
}

// Help is what --help says beyond the flags.
func (datasetConvert) Help() string {
	return `The files appear whole or not at all. Ids, order and times stay; --map, --event-type and --currency say what the files do not.

Examples:
  go run ./loadtest dataset convert --format movielens --data ../shared/data/movielens-small --to parquet --pack zstd --out ml
  go run ./loadtest dataset convert --format csv --data shop --map title=name,price=cost --currency EUR --to jsonl --out feed
`
}

// Run converts.
func (c *datasetConvert) Run(ctx context.Context, to output) error {
	source, err := c.open()
	if err != nil {
		return err
	}
	o := dataset.WriteOptions{Format: dataset.Format(c.To), Packing: dataset.Packing(c.Pack)}
	skipped := 0
	if c.SkipBad {
		o.OnRowError = func(row *dataset.RowError) error {
			skipped++
			fmt.Fprintln(to.log, row)
			return ctx.Err()
		}
	}
	written, err := dataset.Write(c.Out, cancellable{ctx, source}, o)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(to.out, map[string]any{"items": written.Items, "events": written.Events, "items_file": written.ItemsFile,
			"events_file": written.EventsFile, "skipped": skipped})
	}
	_, err = fmt.Fprintf(to.out, "%d items to %s, %d events to %s, %d malformed rows left out\n", written.Items, orNone(written.ItemsFile), written.Events,
		orNone(written.EventsFile), skipped)
	return err
}

func orNone(path string) string {
	if path == "" {
		return "no file"
	}
	return path
}
