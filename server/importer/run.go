package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Run imports what opts name. progressOut gets a progress bar if it is a terminal, and nothing otherwise.
//
// The summary holds also beside an error: it says how far the import came. The error is nil when every row was answered;
// rejected rows are no error here, Summary.Rejected counts them. Errors wrap ErrUnreachable, ErrRefused, ErrGaveUp,
// ErrTooManyErrors or ErrInterrupted, or those of package dataset, or say what is wrong with opts. Run ends all that it
// started before it returns.
func Run(ctx context.Context, opts Options, progressOut io.Writer) (Summary, error) {
	opts, err := opts.withDefaults()
	sum := Summary{Format: string(opts.Format), Data: opts.Data, Addr: opts.Addr, DryRun: opts.DryRun,
		Batch: opts.Batch, InFlight: opts.InFlight, ErrorsFile: opts.ErrorsFile, key: opts.Key != "", tls: opts.TLS}
	if err != nil {
		return sum, err
	}
	source, err := dataset.Open(opts.Format, opts.Data, opts.Files)
	if err != nil {
		return sum, fmt.Errorf("importer: %w", err)
	}
	bad, err := newRejects(opts.ErrorsFile, opts.MaxErrors)
	if err != nil {
		return sum, err
	}
	start := time.Now()
	r := &transfer{opts: opts, source: source, bad: bad, sum: &sum, progressOut: progressOut}
	err = r.run(ctx)
	if ctx.Err() != nil && err != nil {
		err = fmt.Errorf("importer: %w", ErrInterrupted)
	}
	if closing := bad.close(); err == nil {
		err = closing
	}
	sum.Complete = err == nil
	sum.closeBooks(bad, time.Since(start))
	return sum, withHowFar(err, &sum)
}

// transfer is one import under way.
type transfer struct {
	opts        Options
	source      dataset.Source
	bad         *rejects
	sum         *Summary
	progressOut io.Writer

	catalog kindredv1.CatalogServiceClient
	events  kindredv1.EventServiceClient
	admin   kindredv1.AdminServiceClient

	// badItemsSeen is how many bad rows of the items file were reported: a reading that begins anew meets them again.
	badItemsSeen int64
}

func (t *transfer) run(ctx context.Context) error {
	// Checking events needs no service.
	if !(t.opts.DryRun && t.opts.EventsOnly) {
		conn, err := dial(t.opts)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := greet(ctx, conn, t.opts.Addr); err != nil {
			return err
		}
		t.catalog = kindredv1.NewCatalogServiceClient(conn)
		t.events = kindredv1.NewEventServiceClient(conn)
		t.admin = kindredv1.NewAdminServiceClient(conn)
	}
	if err := t.suitOldLog(ctx); err != nil {
		return err
	}
	if !t.opts.EventsOnly {
		t.sum.itemsRan = true
		if err := t.importItems(ctx); err != nil {
			return err
		}
	}
	if t.opts.ItemsOnly {
		return nil
	}
	t.sum.eventsRan = true
	start := time.Now()
	defer func() { t.sum.EventSeconds = time.Since(start).Seconds() }()
	if t.opts.DryRun {
		return t.checkEvents(ctx)
	}
	return t.importEvents(ctx)
}

func (t *transfer) note(format string, args ...any) {
	t.sum.Notes = append(t.sum.Notes, fmt.Sprintf(format, args...))
}

// withHowFar adds to an error what had landed, where that is the question a reader has next.
func withHowFar(err error, s *Summary) error {
	if !errors.Is(err, ErrGaveUp) && !errors.Is(err, ErrInterrupted) {
		return err
	}
	landed := s.Items.Added + s.Items.Changed + s.Items.Unchanged
	acknowledged := s.Events.Added + s.Events.Duplicates
	return fmt.Errorf("%w; acknowledged so far: %s and %s; running the same command again continues safely",
		err, count(landed, "item"), count(acknowledged, "event"))
}
