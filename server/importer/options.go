package importer

import (
	"errors"
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// DefaultAddr is where a service on this machine listens when nothing else was said.
const DefaultAddr = "127.0.0.1:50051"

// Mode says what an upload of items means for the items that are not in it.
type Mode string

// The modes of an import.
const (
	Merge   Mode = "merge"   // they stay
	Replace Mode = "replace" // they are removed
)

// Options say what to import, and where to. The zero value of a field means its default.
type Options struct {
	Format dataset.Format  // required
	Data   string          // required: the directory, or one file where the format allows it
	Files  dataset.Options // what the files do not say

	Addr string // host:port; default DefaultAddr
	Key  string // API key; empty: none is sent, which a service on loopback may allow
	TLS  bool   // encrypt, with the system's roots of trust; needed with a key beyond loopback

	Mode Mode // default Merge
	// ConfirmDrop is the largest share of the present catalog that Replace may remove, 0 to 1. Nil: the service's 0.2.
	ConfirmDrop *float64
	// ConfirmRemoval is the number of items that Replace is to remove, whatever their share. Nil: it is not confirmed.
	ConfirmRemoval *int64
	// ImpactUsers is how many users' first ten items a dry run of Replace looks at, 0 to 1,000.
	ImpactUsers int
	// DryRun sends items for judgement only, checks events here without sending them, and changes nothing.
	DryRun     bool
	ItemsOnly  bool
	EventsOnly bool

	Batch    int           // rows a batch, 1 to 1,000; default 100
	InFlight int           // batches of events under way at once, 1 to 256; default 8
	RetryFor time.Duration // how long to try for one batch, 0 to 1h; default 30s
	// MaxErrors ends the import when so many rows were rejected, 1 to 100,000; what landed stays. 0: no such bound.
	MaxErrors int
	// ErrorsFile gets every rejected row as a line of JSON. Empty: none is written.
	ErrorsFile string
	// KeepSettings leaves the tenant's clock and retention alone, also where they do not suit an old log.
	KeepSettings bool
	// Seed decides the jitter of pauses, nothing else. 0 is a seed like any other.
	Seed uint64
}

var errOptions = errors.New("bad option")

func (o Options) withDefaults() (Options, error) {
	if o.Addr == "" {
		o.Addr = DefaultAddr
	}
	if o.Mode == "" {
		o.Mode = Merge
	}
	if o.Batch == 0 {
		o.Batch = 100
	}
	if o.InFlight == 0 {
		o.InFlight = 8
	}
	if o.RetryFor == 0 {
		o.RetryFor = 30 * time.Second
	}
	return o, o.check()
}

func (o Options) check() error {
	switch {
	case o.Data == "":
		return fmt.Errorf("importer: %w: data is empty: name the directory with the files", errOptions)
	case o.ItemsOnly && o.EventsOnly:
		return fmt.Errorf("importer: %w: items only and events only: choose one", errOptions)
	case o.Mode != Merge && o.Mode != Replace:
		return fmt.Errorf("importer: %w: mode %q: must be %s or %s", errOptions, o.Mode, Merge, Replace)
	case o.Mode == Replace && o.EventsOnly:
		return fmt.Errorf("importer: %w: mode replace is about items: leave out events only", errOptions)
	case o.ConfirmDrop != nil && (!(*o.ConfirmDrop >= 0) || *o.ConfirmDrop > 1):
		return fmt.Errorf("importer: %w: confirm drop %v: must lie between 0 and 1, a share of the catalog", errOptions, *o.ConfirmDrop)
	case o.ConfirmRemoval != nil && *o.ConfirmRemoval < 0:
		return fmt.Errorf("importer: %w: confirm removal %d: must be a number of items, 0 or more", errOptions, *o.ConfirmRemoval)
	case o.ConfirmRemoval != nil && o.Mode != Replace:
		return fmt.Errorf("importer: %w: confirm removal is of mode replace: merge removes nothing", errOptions)
	case o.ImpactUsers < 0 || o.ImpactUsers > 1000:
		return fmt.Errorf("importer: %w: impact users %d: must lie between 0 and 1,000", errOptions, o.ImpactUsers)
	case o.Batch < 1 || o.Batch > maxBatchRows:
		return fmt.Errorf("importer: %w: batch %d: must lie between 1 and %d", errOptions, o.Batch, maxBatchRows)
	case o.InFlight < 1 || o.InFlight > 256:
		return fmt.Errorf("importer: %w: in flight %d: must lie between 1 and 256", errOptions, o.InFlight)
	case o.RetryFor < 0 || o.RetryFor > time.Hour:
		return fmt.Errorf("importer: %w: retry for %s: must lie between 0 and 1h", errOptions, o.RetryFor)
	case o.MaxErrors < 0 || o.MaxErrors > maxListedErrors:
		return fmt.Errorf("importer: %w: max errors %d: must lie between 1 and %d; 0 means no bound", errOptions, o.MaxErrors, maxListedErrors)
	}
	return nil
}

// The bounds of the wire contract.
const (
	maxBatchRows    = 1000
	maxListedErrors = 100_000
	// maxBatchBytes keeps a batch below the 4 MiB that a gRPC server takes by default, with room for framing.
	maxBatchBytes = 3 << 20
)
