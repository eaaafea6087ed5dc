package replay

import (
	"errors"
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Options say how to replay. Start from DefaultOptions.
type Options struct {
	// Limit is how many items are asked for, 10 to 1,000.
	Limit int
	// Seen is what happens to items that the user had to do with.
	Seen kindredv1.SeenPolicy
	// Surface is named in asks and events; may be empty.
	Surface string
	// Ask lists the types of events before which the server is asked. Others are only written.
	Ask []string
	// WarmUp is the share of the log, from its start, that is only written: 0 to below 1.
	WarmUp float64
	// Window is how many events may change places with each other, 1 to 1,000.
	Window int
	// Parallel is how many asks are under way at once, 1 to 256.
	Parallel int
	// MaxWait is how long an ask may wait for the last write to count, 0 to 2 s.
	MaxWait time.Duration
	// MaxEvents bounds the log, and the memory that it takes, at about 500 bytes an event: at least 1.
	MaxEvents int
	// First, if above 0, replays the first so many events alone.
	First int
	// AllowKnown goes on when the server knows events already. The figures are then not prequential.
	AllowKnown bool
	// Seed decides the seeds of the asks.
	Seed uint64
	// RetryFor is how long one call is tried again while the server is away or has no room, at least 0.
	RetryFor time.Duration
	// Speed is the multiple of real time that the events keep to after the warm-up; 0: as fast as it goes. See ParseSpeed.
	Speed float64
	// MaxDisorder refuses a log with an event further behind a later one of the file; 0: any order, it is sorted.
	MaxDisorder time.Duration
	// Checkpoint names a file that keeps what was done, so that a replay that was ended goes on; empty: none.
	Checkpoint string
	// Progress, if not nil, is told after each wave how many events of how many are done.
	Progress func(done, total int)
}

// DefaultOptions suit logs of a shop: ten items, purchases hidden as the surface says, a tenth of the log as warm-up.
func DefaultOptions() Options {
	return Options{
		Limit: 10, WarmUp: 0.1, Window: 1000, Parallel: 8, MaxWait: 2 * time.Second, MaxEvents: 1_000_000, Seed: 1,
		RetryFor: 30 * time.Second,
		Ask: []string{dataset.TypeView, dataset.TypeClick, dataset.TypeLike, dataset.TypeAddToCart, dataset.TypePurchase,
			dataset.TypeRating, dataset.TypeShare},
	}
}

// Sentinels of this package.
var (
	// ErrOptions: an option is out of its bounds.
	ErrOptions = errors.New("bad option")
	// ErrLog: the log cannot be replayed: it is empty, too long, or has broken rows.
	ErrLog = errors.New("unusable log")
	// ErrKnown: the server knows events of the log already.
	ErrKnown = errors.New("the server knows events of this log already")
	// ErrTooOld: the tenant's retention is shorter than the log is old.
	ErrTooOld = errors.New("events are older than the tenant keeps them")
	// ErrCheckpoint: the checkpoint is of another replay or another server, or damaged.
	ErrCheckpoint = errors.New("unusable checkpoint")
	// ErrMissingItems: items of the log are not in the catalog.
	ErrMissingItems = errors.New("items of the log are not in the catalog")
)

func (o Options) validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("replay: %w: "+format, append([]any{ErrOptions}, args...)...)
	}
	switch {
	case o.Limit < cutoff || o.Limit > 1000:
		return bad("limit %d: must be %d to 1,000", o.Limit, cutoff)
	case !(o.WarmUp >= 0 && o.WarmUp < 1):
		return bad("warm-up %v: must be 0 to below 1, a share of the log", o.WarmUp)
	case o.Window < 1 || o.Window > 1000:
		return bad("window %d: must be 1 to 1,000 events", o.Window)
	case o.Parallel < 1 || o.Parallel > 256:
		return bad("parallel %d: must be 1 to 256", o.Parallel)
	case o.MaxWait < 0 || o.MaxWait > 2*time.Second:
		return bad("longest wait %v: must be 0 to 2s", o.MaxWait)
	case o.MaxEvents < 1 || o.First < 0 || o.RetryFor < 0:
		return bad("at most %d events, the first %d, retries for %v: must be at least 1, 0 and 0", o.MaxEvents, o.First, o.RetryFor)
	case !(o.Speed >= 0 && o.Speed <= maxSpeed) || o.MaxDisorder < 0:
		return bad("speed %gx, disorder of at most %v: must be 0 to %gx, and at least 0", o.Speed, o.MaxDisorder, float64(maxSpeed))
	case len(o.Ask) == 0:
		return bad("no event type to ask before; name some, as %s", dataset.TypePurchase)
	}
	return nil
}
