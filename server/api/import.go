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

// defaultDropShare is the share of a catalog that a replacement may remove
// without being confirmed.
const defaultDropShare = 0.2

// ImportItems streams a catalog in. Rows land as they come; for REPLACE the items
// that were not seen are removed at the end, if the drop was confirmed and no
// row had an error.
func (s *catalogService) ImportItems(stream kindredv1.CatalogService_ImportItemsServer) error {
	ctx := stream.Context()
	sh, err := s.shop(ctx)
	if err != nil {
		return err
	}
	run := &importRun{service: s, stream: stream, shop: sh, seen: map[string]struct{}{}}
	if err := run.options(); err != nil {
		return err
	}
	if err := run.rows(); err != nil {
		return err
	}
	if run.replace {
		if err := run.removeUnseen(); err != nil {
			return err
		}
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
	dropShare float64
	maxErrors int64
	seen      map[string]struct{} // ids of the stream, for REPLACE
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
	r.dropShare = defaultDropShare
	if o.ConfirmDropShare != nil {
		r.dropShare = o.GetConfirmDropShare()
	}
	if !(r.dropShare >= 0 && r.dropShare <= 1) {
		return invalid(violation{"options.confirm_drop_share", fmt.Sprintf("is %v: give 0 to 1", r.dropShare)})
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
	r.reply = &kindredv1.ImportItemsResponse{ImportId: id, Counts: &kindredv1.RowCounts{}}
	return nil
}

// rows takes batches until the stream ends or the bound of errors is reached.
func (r *importRun) rows() error {
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
		if err := sized("items", len(items)); err != nil {
			return err
		}
		if err := r.take(items); err != nil {
			return err
		}
		if r.maxErrors > 0 && r.reply.Counts.Rejected >= r.maxErrors {
			return invalid(violation{"items", fmt.Sprintf(
				"%d rows had errors, max_errors is %d: the rows before row %d stay; the first error was: %s",
				r.reply.Counts.Rejected, r.maxErrors, r.row, r.reply.Errors[0].Description)})
		}
	}
}

func (r *importRun) take(items []*kindredv1.Item) error {
	b := itemBatch(items, r.row)
	if r.replace {
		for _, w := range items {
			r.seen[w.GetId()] = struct{}{}
		}
	}
	counts, _, token, err := r.service.write(r.stream.Context(), r.shop, b, r.dry)
	if err != nil {
		return err
	}
	r.row += int64(len(items))
	add(r.reply.Counts, counts)
	room := max(0, maxListed-len(r.reply.Errors))
	listed := b.errors[:min(room, len(b.errors))]
	r.reply.Errors = append(r.reply.Errors, listed...)
	r.reply.ErrorsOmitted += b.more + int64(len(b.errors)-len(listed))
	if token != "" {
		r.reply.WriteToken = token
	}
	return nil
}

// removeUnseen ends a replacement: what the stream did not name goes.
func (r *importRun) removeUnseen() error {
	if r.reply.Counts.Rejected > 0 {
		return r.refuse(fmt.Sprintf("%d rows had errors, so nothing was removed: mend them and import again", r.reply.Counts.Rejected))
	}
	// What is removed and how much of the catalog that is can be told once all that
	// was written serves.
	if err := r.shop.Reach(r.stream.Context(), r.shop.Head()); err != nil {
		return r.service.statusOf(r.stream.Context(), err)
	}
	before := r.shop.CatalogItems()
	if r.dry {
		before += r.reply.Counts.Added
	}
	drop := r.shop.Unseen(r.seen)
	if share := float64(len(drop)) / float64(max(1, before)); share > r.dropShare {
		return r.refuse(fmt.Sprintf("%d of %d items (%.0f%%) would be removed, confirm_drop_share allows %.0f%%: check the file, or confirm a larger share; nothing was removed",
			len(drop), before, 100*share, 100*r.dropShare))
	}
	for len(drop) > 0 {
		n := min(maxRows, len(drop))
		b := newBatch("removed", n, 0)
		for i, id := range drop[:n] {
			b.add(i, id, record.Mutation{Delete: &record.Delete{ID: id}}, nil)
		}
		counts, _, token, err := r.service.write(r.stream.Context(), r.shop, b, r.dry)
		if err != nil {
			return err
		}
		r.reply.Counts.Removed += counts.Removed
		if token != "" {
			r.reply.WriteToken = token
		}
		drop = drop[n:]
	}
	return nil
}

func (r *importRun) refuse(why string) error {
	return preconditionFailed("import", r.reply.ImportId, why)
}

func add(total, part *kindredv1.RowCounts) {
	total.Added += part.Added
	total.Changed += part.Changed
	total.Unchanged += part.Unchanged
	total.Removed += part.Removed
	total.Stale += part.Stale
	total.Rejected += part.Rejected
}
