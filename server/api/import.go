package api

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"crypto/rand"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

// ImportItems streams a catalog in. For MERGE rows land as they come; for REPLACE they are
// staged, and take their places once all of them are accepted.
func (s *catalogService) ImportItems(stream kindredv1.CatalogService_ImportItemsServer) error {
	ctx := stream.Context()
	sh, err := s.shop(ctx)
	if err != nil {
		return err
	}
	run := &importRun{service: s, stream: stream, shop: sh}
	if err := run.options(); err != nil {
		return err
	}
	if run.replace {
		err = run.whole()
	} else {
		err = run.rows(run.merge)
	}
	if err != nil {
		return err
	}
	if err := sh.Reach(ctx, sh.Head()); err != nil {
		return s.statusOf(ctx, err)
	}
	run.reply.CatalogItems = sh.CatalogItems()
	return stream.SendAndClose(run.reply)
}

// importRun is one import under way.
type importRun struct {
	service   *catalogService
	stream    kindredv1.CatalogService_ImportItemsServer
	shop      *shop.Shop
	reply     *kindredv1.ImportItemsResponse
	row       int64
	dry       bool
	replace   bool
	how       shop.Replacement // for REPLACE
	maxErrors int64
}

// options reads the first message.
func (r *importRun) options() error {
	first, err := r.stream.Recv()
	if errors.Is(err, io.EOF) {
		return invalid(violation{"options", "the stream is empty: send options first, then items"})
	}
	if err != nil {
		return err
	}
	o := first.GetOptions()
	if o == nil {
		return invalid(violation{"options", "the first message carries no options: send them before items"})
	}
	switch o.Mode {
	case kindredv1.ImportMode_IMPORT_MODE_UNSPECIFIED, kindredv1.ImportMode_IMPORT_MODE_MERGE:
	case kindredv1.ImportMode_IMPORT_MODE_REPLACE:
		r.replace = true
	default:
		return invalid(violation{"options.mode", fmt.Sprintf("%d is no mode of this version", o.Mode)})
	}
	if len(o.ImportId) > record.MaxID {
		return invalid(violation{"options.import_id", fmt.Sprintf("is %d bytes, at most %d are taken", len(o.ImportId), record.MaxID)})
	}
	if err := r.replacement(o); err != nil {
		return err
	}
	if o.MaxErrors < 0 || o.MaxErrors > 100_000 {
		return invalid(violation{"options.max_errors", fmt.Sprintf("is %d: give 1 to 100,000, or 0 for no end", o.MaxErrors)})
	}
	r.dry, r.maxErrors = o.DryRun, int64(o.MaxErrors)
	id := o.ImportId
	if id == "" {
		var raw [8]byte
		rand.Read(raw[:])
		id = "import-" + hex.EncodeToString(raw[:])
	}
	r.how.ID = id
	r.reply = &kindredv1.ImportItemsResponse{ImportId: id, Counts: &kindredv1.RowCounts{}}
	return nil
}

// rows hands batches to write until the stream ends or the bound of errors is reached.
func (r *importRun) rows(write func(*batch) (*kindredv1.RowCounts, error)) error {
	for {
		msg, err := r.stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if msg.GetOptions() != nil {
			return invalid(violation{"options", "came twice: send them once, first"})
		}
		items := msg.GetItems().GetItems()
		if err := r.service.Bounds.sized("items", len(items)); err != nil {
			return err
		}
		if err := r.take(items, write); err != nil {
			return err
		}
		if r.maxErrors > 0 && r.reply.Counts.Rejected >= r.maxErrors {
			return invalid(violation{"items", fmt.Sprintf(
				"%d rows had errors, max_errors is %d: %s; the first error was: %s",
				r.reply.Counts.Rejected, r.maxErrors, r.stays(), r.reply.Errors[0].Description)})
		}
	}
}

// stays says what an import that ends early leaves.
func (r *importRun) stays() string {
	if r.replace || r.dry {
		return "nothing was changed"
	}
	return fmt.Sprintf("the rows before row %d stay", r.row)
}

func (r *importRun) take(items []*kindredv1.Item, write func(*batch) (*kindredv1.RowCounts, error)) error {
	b := r.service.itemBatch(items, r.row)
	counts, err := write(b)
	if err != nil {
		return err
	}
	r.row += int64(len(items))
	add(r.reply.Counts, counts)
	room := max(0, maxListed-len(r.reply.Errors))
	listed := b.errors[:min(room, len(b.errors))]
	r.reply.Errors = append(r.reply.Errors, listed...)
	r.reply.ErrorsOmitted += b.more + int64(len(b.errors)-len(listed))
	return nil
}

// merge writes a batch.
func (r *importRun) merge(b *batch) (*kindredv1.RowCounts, error) {
	counts, _, token, err := r.service.write(r.stream.Context(), r.shop, b, r.dry)
	if token != "" {
		r.reply.WriteToken = token
	}
	return counts, err
}

func add(total, part *kindredv1.RowCounts) {
	total.Added += part.Added
	total.Changed += part.Changed
	total.Unchanged += part.Unchanged
	total.Removed += part.Removed
	total.Stale += part.Stale
	total.Rejected += part.Rejected
}
