package importer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// importItems uploads the catalog, from its beginning as often as the connection breaks.
func (t *transfer) importItems(ctx context.Context) error {
	mode, err := t.chooseMode()
	if err != nil {
		return err
	}
	patient := t.patience(0)
	bar := newProgress(t.progressOut, "items")
	defer bar.finish()
	for {
		t.sum.Items = ItemCounts{Restarts: t.sum.Items.Restarts}
		began := time.Now()
		err := t.uploadItems(ctx, mode, bar)
		if mode == kindredv1.ImportMode_IMPORT_MODE_REPLACE && status.Code(err) == codes.FailedPrecondition && !largeDrop(err) {
			// Rows were rejected, and the service says no more than that. Merged they are counted, and named.
			t.note("nothing was removed, the rows were merged: %s", oneLine(status.Convert(err).Message()))
			mode = kindredv1.ImportMode_IMPORT_MODE_MERGE
			t.sum.Items.Restarts++
			continue
		}
		if err == nil || !retryable(err) {
			return t.uploadFailed(err)
		}
		if t.sum.Items.Restarts == maxRestarts {
			return fmt.Errorf("importer: %w: the upload of the items broke %d times: %s", ErrGaveUp, maxRestarts+1, oneLine(status.Convert(err).Message()))
		}
		if time.Since(began) > t.opts.RetryFor {
			patient = t.patience(0) // it went well for a while: not the same fault
		}
		if err := patient.wait(ctx, err, retryHint(err)); err != nil {
			return err
		}
		t.sum.Items.Restarts++
	}
}

// maxRestarts bounds the uploads that go well for a while and break again.
const maxRestarts = 10

// patience is for one line of requests; which tells the jitter of one line from that of another.
func (t *transfer) patience(which uint64) *patience {
	return &patience{limit: t.opts.RetryFor, rand: rand.New(rand.NewPCG(t.opts.Seed, which))}
}

// chooseMode reads a catalog that is to replace another through once: a row that cannot be read must not take its item away.
func (t *transfer) chooseMode() (kindredv1.ImportMode, error) {
	if t.opts.Mode == Merge {
		return kindredv1.ImportMode_IMPORT_MODE_MERGE, nil
	}
	var rows, bad int64
	for _, err := range t.source.Items() {
		rows++
		if err == nil {
			continue
		}
		if _, ok := rowError(err); !ok {
			return 0, fmt.Errorf("importer: %w", err)
		}
		bad++
	}
	if bad == 0 {
		return kindredv1.ImportMode_IMPORT_MODE_REPLACE, nil
	}
	t.note("nothing was removed, the rows were merged: to replace a catalog all of its rows must be good, and %s of %s are not",
		grouped(bad), grouped(rows))
	return kindredv1.ImportMode_IMPORT_MODE_MERGE, nil
}

// uploadItems is one reading of the catalog into one stream. Errors of the stream are returned as they are.
func (t *transfer) uploadItems(ctx context.Context, mode kindredv1.ImportMode, bar progress) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // a stream that is left before its end removes nothing
	stream, err := t.catalog.ImportItems(ctx)
	if err != nil {
		return err
	}
	up := &upload{stream: stream, max: t.opts.Batch, bar: bar}
	options := &kindredv1.ImportOptions{
		Mode: mode, DryRun: t.opts.DryRun, ConfirmDropShare: t.opts.ConfirmDrop, MaxErrors: int32(t.opts.MaxErrors),
	}
	if mode == kindredv1.ImportMode_IMPORT_MODE_REPLACE {
		options.ConfirmRemoval = t.opts.ConfirmRemoval
		if t.opts.DryRun {
			options.ImpactUsers = int32(t.opts.ImpactUsers)
		}
	}
	up.send(&kindredv1.ImportItemsRequest{Part: &kindredv1.ImportItemsRequest_Options{Options: options}})
	reading := t.readItems(up)
	if reading != nil && mode == kindredv1.ImportMode_IMPORT_MODE_REPLACE {
		return reading
	}
	reply, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	if err := t.bookItems(reply, up.numbers); err != nil {
		return err
	}
	if reading == nil && t.bad.enough() {
		return fmt.Errorf("importer: %w: %s", ErrTooManyErrors, count(t.bad.total, "row"))
	}
	return reading
}

// uploadFailed turns the stream's error into the import's; errors of our own pass.
func (t *transfer) uploadFailed(err error) error {
	s, ok := status.FromError(err)
	switch {
	case err == nil || !ok:
		return err
	case t.opts.MaxErrors > 0 && s.Code() == codes.InvalidArgument && strings.Contains(s.Message(), "max_errors"):
		return fmt.Errorf("importer: %w: %s", ErrTooManyErrors, oneLine(s.Message()))
	}
	return refusal("the items", err)
}

// readItems sends the catalog until it ends, the service ends the stream, or too many rows are bad.
func (t *transfer) readItems(up *upload) error {
	var bad int64
	for item, err := range t.source.Items() {
		row, isRow := rowError(err)
		switch {
		case err != nil && !isRow:
			return fmt.Errorf("importer: %w", err)
		case isRow:
			t.sum.Items.Read++
			t.sum.Items.Rejected++
			if bad++; bad > t.badItemsSeen {
				t.badItemsSeen = bad
				t.bad.add(fromFile(kindItem, t.sum.Items.Read, row))
			}
		default:
			t.sum.Items.Read++
			up.add(t.sum.Items.Read, itemMessage(item))
		}
		if up.ended || t.bad.enough() {
			break
		}
	}
	up.flush()
	return nil
}

// bookItems takes over the service's counts, which must cover every row sent.
func (t *transfer) bookItems(reply *kindredv1.ImportItemsResponse, numbers numbering) error {
	c, it := reply.GetCounts(), &t.sum.Items
	it.Added, it.Changed, it.Unchanged, it.Stale = c.GetAdded(), c.GetChanged(), c.GetUnchanged(), c.GetStale()
	it.Rejected += c.GetRejected()
	it.Removed, it.Catalog = c.GetRemoved(), reply.GetCatalogItems()
	t.bookReplacement(reply)
	for _, e := range reply.GetErrors() {
		t.bad.add(fromService(kindItem, numbers.of(e.GetRow()), e))
	}
	t.bad.unlisted(reply.GetErrorsOmitted())
	if omitted := reply.GetErrorsOmitted(); omitted > 0 {
		t.note("the service named the first %s and counted %s more", count(int64(len(reply.GetErrors())), "rejected item"), grouped(omitted))
	}
	answered := c.GetAdded() + c.GetChanged() + c.GetUnchanged() + c.GetStale() + c.GetRejected()
	if answered != numbers.rows && !t.bad.enough() {
		return fmt.Errorf("importer: the service answered for %s of %s sent", grouped(answered), count(numbers.rows, "item"))
	}
	return nil
}

func rowError(err error) (*dataset.RowError, bool) {
	var row *dataset.RowError
	ok := errors.As(err, &row)
	return row, ok
}
