package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// Command is `server import` for kong: list it as a command, and bind a context.Context for Run.
type Command struct {
	Format string `required:"" placeholder:"FORMAT" enum:"jsonl,movielens,amazon,amazon-reviews,s3rec,recbole,csv,parquet" help:"How the files are laid out: ${enum}."`
	Data   string `required:"" placeholder:"DIR" help:"Directory with the files, or one file of items or events (jsonl, csv, parquet)."`

	Addr string `default:"127.0.0.1:50051" help:"Address of the running service."`
	Key  string `env:"KINDRED_KEY" help:"API key. A service on this machine may need none."`
	TLS  bool   `name:"tls" help:"Encrypt the connection; wise with a key beyond this machine."`

	DryRun     bool `help:"Change nothing: the service judges the items, events are checked here and not sent."`
	ItemsOnly  bool `xor:"part" help:"Import the catalog alone."`
	EventsOnly bool `xor:"part" help:"Import the events alone."`

	Mode           string   `enum:"merge,replace" default:"merge" help:"merge: other items stay. replace: the files are the whole catalog, other items are removed."`
	Replace        bool     `help:"The same as --mode replace."`
	ConfirmDrop    *float64 `placeholder:"SHARE" help:"With replace: largest share of the catalog that may be removed, 0 to 1 (the tenant's default is 0.2)."`
	ConfirmRemoval *int64   `placeholder:"N" help:"With replace: remove N items, as a dry run says, whatever their share. Another number is refused."`
	ImpactUsers    int      `default:"100" help:"With replace and dry-run: look at the first ten items of so many users, 0 to 1,000."`

	ItemsFile     string   `placeholder:"FILE" help:"File of the items, where its name is not the usual one."`
	EventsFile    string   `placeholder:"FILE" help:"File of the events, where its name is not the usual one."`
	Map           []string `placeholder:"FIELD=COLUMN" help:"Columns that have other names (csv, parquet), as title=name,price=cost."`
	IgnoreColumns []string `placeholder:"COLUMN" help:"Columns to leave out (csv, parquet); * leaves out all that are not known."`
	Comma         string   `default:"," help:"What separates the columns of csv: one character, or 'tab'."`
	TimeUnit      string   `enum:"s,ms" default:"s" help:"Unit of times that are written as numbers: s or ms."`
	EventType     string   `placeholder:"TYPE" help:"Type of events whose file names none, such as view or purchase."`
	Currency      string   `placeholder:"EUR" help:"Currency of prices whose row names none."`

	Batch        int           `default:"100" help:"Rows a batch, 1 to 1,000."`
	InFlight     int           `default:"8" help:"Batches of events under way at once, 1 to 256."`
	RetryFor     time.Duration `default:"30s" help:"How long to try again while the service is overloaded or away."`
	MaxErrors    int           `placeholder:"N" help:"Stop when N rows were rejected. Not set: go on to the end."`
	Errors       string        `placeholder:"FILE" help:"Write every rejected row to this file, a line of JSON each."`
	KeepSettings bool          `help:"Leave the tenant's clock and retention alone, also for an old log."`
	JSON         bool          `name:"json" help:"Print the summary as one line of JSON."`
}

// Help is what `import --help` says beyond its flags.
func (Command) Help() string {
	return `Streams a catalog and an event log from files to a running service. Running it again is safe: what is known already is
not counted twice. Rows that cannot be taken are listed with the reason, and all others land.

Exit code: 0 if every row landed, 3 if some rows were rejected and all others landed, 1 if the import could not be done.

Examples:
  go run ./server import --format movielens --data ml-latest-small
  go run ./server import --format csv --data shop --map title=name,price=cost --currency EUR --errors bad.jsonl
  go run ./server import --format jsonl --data feed --items-only --replace --dry-run
  go run ./server import --format jsonl --data feed --items-only --replace --confirm-removal 120
`
}

// Run imports, and prints the summary to standard output, the progress to standard error. Its error is one line; a
// *RejectedError has an exit code of its own.
func (c *Command) Run(ctx context.Context) error { return c.run(ctx, os.Stdout, os.Stderr) }

func (c *Command) run(ctx context.Context, out, progressOut io.Writer) error {
	opts, err := c.options()
	if err != nil {
		return err
	}
	sum, failure := Run(ctx, opts, progressOut)
	// Beside a failure before the first row there is nothing to sum up.
	if failure == nil || sum.Items.Read+sum.Events.Read > 0 || c.JSON {
		write := sum.WriteText
		if c.JSON {
			write = sum.WriteJSON
		}
		if err := write(out); err != nil {
			return errors.Join(failure, fmt.Errorf("importer: printing the summary: %w", err))
		}
	}
	if failure == nil && sum.Rejected() > 0 {
		return &RejectedError{Items: sum.Items.Rejected, Events: sum.Events.Rejected, DryRun: sum.DryRun}
	}
	return failure
}

// ReaderOptions reads the flags that say how files are laid out: a format, columns of other
// names, columns to leave out, what separates columns, and the unit of times, "s" or "ms".
func ReaderOptions(format string, mapping, ignore []string, comma, unit string) (dataset.Format, dataset.Options, error) {
	var o dataset.Options
	f, err := dataset.ParseFormat(format)
	if err != nil {
		return f, o, fmt.Errorf("importer: %w", err)
	}
	if o.Map, err = dataset.ParseMap(strings.Join(mapping, ",")); err != nil {
		return f, o, fmt.Errorf("importer: %w", err)
	}
	if o.Comma, err = separator(comma); err != nil {
		return f, o, err
	}
	o.IgnoreColumns, o.TimeUnit = ignore, dataset.Seconds
	if unit == "ms" {
		o.TimeUnit = dataset.Milliseconds
	}
	return f, o, nil
}

func (c *Command) options() (Options, error) {
	format, files, err := ReaderOptions(c.Format, c.Map, c.IgnoreColumns, c.Comma, c.TimeUnit)
	if err != nil {
		return Options{}, err
	}
	files.ItemsFile, files.EventsFile, files.EventType, files.Currency = c.ItemsFile, c.EventsFile, c.EventType, c.Currency
	mode := Mode(c.Mode)
	if c.Replace {
		mode = Replace
	}
	return Options{
		Format: format, Data: c.Data, Files: files,
		Addr: c.Addr, Key: c.Key, TLS: c.TLS,
		Mode: mode, ConfirmDrop: c.ConfirmDrop, ConfirmRemoval: c.ConfirmRemoval, ImpactUsers: c.ImpactUsers,
		DryRun: c.DryRun, ItemsOnly: c.ItemsOnly, EventsOnly: c.EventsOnly,
		Batch: c.Batch, InFlight: c.InFlight, RetryFor: c.RetryFor,
		MaxErrors: c.MaxErrors, ErrorsFile: c.Errors, KeepSettings: c.KeepSettings,
		Seed: uint64(time.Now().UnixNano()), // many importers must not come back in step
	}, nil
}

func separator(text string) (rune, error) {
	if text == "tab" {
		return '\t', nil
	}
	r, size := utf8.DecodeRuneInString(text)
	if size == 0 || size != len(text) {
		return 0, fmt.Errorf("importer: comma %q: must be one character, or tab", text)
	}
	return r, nil
}
