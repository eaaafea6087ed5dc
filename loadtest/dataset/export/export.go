package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/grpc"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// What names what to export.
type What string

// What there is; the package comment says more.
const (
	Events    What = "events"
	Items     What = "items"
	Decisions What = "decisions"
	Features  What = "features"
)

// Options say what to export and how. Start from DefaultOptions.
type Options struct {
	What What
	Dir  string // is made if need be

	// Format is JSONL, CSV or Parquet for events and items; decisions and features are Parquet.
	Format  dataset.Format
	Packing dataset.Packing

	// From and Until, exclusive, bound decisions and features by the time of the reply. Zero: all that is kept.
	From, Until time.Time
	// Window is how long after the decision an event counts as its outcome, above 0.
	Window time.Duration
	// ClickTypes and PurchaseTypes are names of event types.
	ClickTypes, PurchaseTypes []string
	// MaxOutcomes bounds the clicked items that are remembered, at about 200 bytes each, at least 1.
	MaxOutcomes int
	// GroupRows is how many rows of decisions or features are in memory at once, at least 1.
	GroupRows int
	// RetryFor is how long a broken stream is taken up again, at least 0.
	RetryFor time.Duration
}

// DefaultOptions are events as parquet, packed with zstd.
func DefaultOptions() Options {
	return Options{What: Events, Format: dataset.Parquet, Packing: dataset.Zstd, Window: 24 * time.Hour,
		ClickTypes: []string{dataset.TypeClick, dataset.TypeView}, PurchaseTypes: []string{dataset.TypePurchase},
		MaxOutcomes: 5_000_000, GroupRows: 10_000, RetryFor: 30 * time.Second}
}

// Sentinels of this package.
var (
	// ErrOptions: an option is out of its bounds.
	ErrOptions = errors.New("bad option")
	// ErrLimit: Options.MaxOutcomes was passed.
	ErrLimit = errors.New("limit exceeded")
)

func (o Options) validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("export: %w: "+format, append([]any{ErrOptions}, args...)...)
	}
	table := o.What == Events || o.What == Items
	switch {
	case !slices.Contains([]What{Events, Items, Decisions, Features}, o.What):
		return bad("%q: must be events, items, decisions or features", o.What)
	case o.Dir == "":
		return bad("no directory to write to")
	case !table && o.Format != dataset.Parquet:
		return bad("%s as %s: they are written as parquet", o.What, o.Format)
	case !table && o.Packing != dataset.Plain && o.Packing != dataset.Gzip && o.Packing != dataset.Zstd:
		return bad("packing %q: must be none, gzip or zstd", o.Packing)
	case o.Window <= 0 || o.MaxOutcomes < 1 || o.GroupRows < 1 || o.RetryFor < 0:
		return bad("window %v, %d outcomes, groups of %d rows, retries for %v: must be above 0, at least 1, at least 1 and at least 0",
			o.Window, o.MaxOutcomes, o.GroupRows, o.RetryFor)
	case !o.Until.IsZero() && o.Until.Before(o.From):
		return bad("until %s is before from %s", o.Until.Format(time.RFC3339), o.From.Format(time.RFC3339))
	}
	return nil
}

// Result says what was written. Encoded, it is one JSON object.
type Result struct {
	What What   `json:"what"`
	File string `json:"file,omitempty"` // empty: there was nothing, and there is no file
	Rows int64  `json:"rows"`

	// Of features: decisions they are of, and shown items that were clicked and purchased.
	Decisions int64 `json:"decisions,omitempty"`
	Clicked   int64 `json:"clicked,omitempty"`
	Purchased int64 `json:"purchased,omitempty"`
	Features  int   `json:"features,omitempty"` // columns

	// LeftOut counts items that were written without a vector or a list that the format has no column for.
	LeftOut int64   `json:"left_out,omitempty"`
	Seconds float64 `json:"seconds"`
}

// Run exports over a connection whose key has role scientist or admin; Items need one that reads the catalog.
func Run(ctx context.Context, conn grpc.ClientConnInterface, o Options) (*Result, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	start := time.Now()
	r := &Result{What: o.What}
	var err error
	switch o.What {
	case Events, Items:
		err = writeTable(ctx, conn, o, r)
	case Decisions:
		err = writeDecisions(ctx, conn, o, r)
	case Features:
		err = writeFeatures(ctx, conn, o, r)
	}
	if err != nil {
		return nil, fmt.Errorf("export: %s: %w", o.What, err)
	}
	r.Seconds = time.Since(start).Seconds()
	return r, nil
}

// path is where decisions and features go.
func (o Options) path() string { return filepath.Join(o.Dir, string(o.What)+".parquet") }

// writeTable writes events or items by the writers of package dataset.
func writeTable(ctx context.Context, conn grpc.ClientConnInterface, o Options, r *Result) error {
	source := &service{ctx: ctx, conn: conn, o: o}
	written, err := dataset.Write(o.Dir, source, dataset.WriteOptions{Format: o.Format, Packing: o.Packing})
	if err != nil {
		return err
	}
	r.Rows, r.File = written.Events, written.EventsFile
	if o.What == Items {
		r.Rows, r.File, r.LeftOut = written.Items, written.ItemsFile, source.leftOut
	}
	return nil
}
