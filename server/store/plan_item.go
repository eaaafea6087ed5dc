package store

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// item puts a catalog row.
func (p *plan) item(m *prepared) (record.Outcome, error) {
	ref, known, err := p.lookItem(m.Item.ID)
	if err != nil {
		return record.Outcome{}, err
	}
	stored := &storepb.ItemRow{Id: m.Item.ID}
	if known {
		if _, err := fetch(p.ledger, itemKey(p.tenant, ref.number), stored); err != nil {
			return record.Outcome{}, err
		}
	} else if err := p.roomFor(0, true); err != nil {
		return refused(err), nil
	}
	next := &storepb.ItemRow{Id: m.Item.ID, Content: m.content, Item: m.item}
	if old := stored.Item; old != nil {
		switch {
		case stored.Content == m.content:
			return record.Outcome{Status: record.Unchanged, Seq: stored.Seq}, p.renew(ref, stored, m.item.SourceTime)
		case older(m.item.SourceTime, old.SourceTime):
			return record.Outcome{Status: record.Stale, Seq: stored.Seq}, nil
		}
	}
	if m.item.Created == nil {
		next.CreatedFilled = true
		m.item.Created = instant(p.now)
		if stored.Item != nil {
			m.item.Created = stored.Item.Created
		}
	}
	if err := p.fits(next); err != nil {
		return refused(err), nil
	}
	if !known {
		if ref, err = p.mention(m.Item.ID); err != nil {
			return record.Outcome{}, err
		}
	}
	return p.putItem(ref, stored, next, record.Mutation{Item: m.Item})
}

// renew moves the source time of an unchanged row forward, so that a feed of
// between does not replace it. That is no change: it is not in the log.
func (p *plan) renew(ref itemRef, stored *storepb.ItemRow, source *storepb.Instant) error {
	if source == nil || stored.Item.SourceTime != nil && !older(stored.Item.SourceTime, source) {
		return nil
	}
	stored.Item.SourceTime = source
	return place(p.ledger, itemKey(p.tenant, ref.number), stored)
}

// older reports whether a is before b, both known.
func older(a, b *storepb.Instant) bool {
	return a != nil && b != nil && (a.Seconds < b.Seconds || a.Seconds == b.Seconds && a.Nanos < b.Nanos)
}

// fits refuses a row that is too large to be kept.
func (p *plan) fits(next *storepb.ItemRow) error {
	if n := proto.Size(next); n > p.store.options.MaxValue {
		return fmt.Errorf("store: item %q takes %d bytes, at most %d are taken: shorten its attributes: %w",
			next.Id, n, p.store.options.MaxValue, record.ErrLimit)
	}
	return nil
}

// putItem writes a row and its place in the log, which leaves its earlier one.
func (p *plan) putItem(ref itemRef, old, next *storepb.ItemRow, m record.Mutation) (record.Outcome, error) {
	next.Seq = p.next()
	if err := p.replace(old.Seq); err != nil {
		return record.Outcome{}, err
	}
	if err := place(p.ledger, itemKey(p.tenant, ref.number), next); err != nil {
		return record.Outcome{}, err
	}
	change := &storepb.ItemChange{Number: ref.number, ReceivedNs: p.now.UnixNano(), Deleted: next.Item == nil}
	if err := p.log(next.Seq, valueItemChange, change); err != nil {
		return record.Outcome{}, err
	}
	o := record.Outcome{Seq: next.Seq}
	e := record.Entry{Seq: next.Seq, Mutation: m, ItemNumber: ref.number}
	switch {
	case next.Item == nil:
		o.Status = record.Removed
		p.head.items--
	case old.Item == nil:
		o.Status = record.Added
		p.head.items++
	default:
		o.Status = record.Changed
	}
	p.items.put(itemIDKey{p.tenant, next.Id}, itemRef{number: ref.number, live: next.Item != nil})
	if p.collect && next.Item != nil {
		e.Row = fromItemMessage(next.Item)
	}
	p.note(e)
	return o, nil
}

// stored reads the row of an item that must be in the catalog.
func (p *plan) stored(id string) (itemRef, *storepb.ItemRow, error) {
	ref, known, err := p.lookItem(id)
	if err != nil {
		return ref, nil, err
	}
	if !known || !ref.live {
		return ref, nil, fmt.Errorf("store: item %q: %w", id, record.ErrNotFound)
	}
	row := new(storepb.ItemRow)
	if _, err := fetch(p.ledger, itemKey(p.tenant, ref.number), row); err != nil {
		return ref, nil, err
	}
	if row.Item == nil {
		return ref, nil, fmt.Errorf("store: item %q has lost its row: %w", id, record.ErrCorrupt)
	}
	return ref, row, nil
}

// patch changes single fields of a row.
func (p *plan) patch(patch *record.Patch) (record.Outcome, error) {
	ref, stored, err := p.stored(patch.ID)
	if err != nil {
		return rowError(err)
	}
	source := instant(patch.SourceTime)
	if older(source, stored.Item.SourceTime) {
		return record.Outcome{Status: record.Stale, Seq: stored.Seq}, nil
	}
	it := fromItemMessage(stored.Item)
	if err := applyPatch(it, patch); err != nil {
		return refused(err), nil
	}
	if err := record.CheckDates(it.AvailableFrom, it.AvailableUntil); err != nil {
		return refused(fmt.Errorf("store: item %q patched: available_until %w: %w", patch.ID, err, record.ErrInvalid)), nil
	}
	next := &storepb.ItemRow{Id: stored.Id, CreatedFilled: stored.CreatedFilled, Item: itemMessage(it)}
	given := next.Item.Created
	if stored.CreatedFilled {
		next.Item.Created = nil
	}
	if next.Content, err = itemContent(next.Item); err != nil {
		return refused(fmt.Errorf("store: %w: %w", record.ErrInvalid, err)), nil
	}
	next.Item.Created = given
	if next.Content == stored.Content {
		return record.Outcome{Status: record.Unchanged, Seq: stored.Seq}, p.renew(ref, stored, source)
	}
	if source != nil {
		next.Item.SourceTime = source
	}
	if err := p.fits(next); err != nil {
		return refused(err), nil
	}
	return p.putItem(ref, stored, next, record.Mutation{Patch: patch})
}

func applyPatch(it *record.Item, patch *record.Patch) error {
	for _, f := range patch.Fields {
		switch f {
		case record.FieldPrice:
			it.Price = patch.Price
		case record.FieldStock:
			it.Stock = patch.Stock
		case record.FieldAvailableFrom:
			it.AvailableFrom = patch.AvailableFrom
		case record.FieldAvailableUntil:
			it.AvailableUntil = patch.AvailableUntil
		case record.FieldHidden:
			it.Hidden = patch.Hidden
		default:
			return fmt.Errorf("store: field %q of item %q cannot be patched: %w", f, patch.ID, record.ErrInvalid)
		}
	}
	return nil
}

// delete removes a row; the number stays.
func (p *plan) delete(d *record.Delete) (record.Outcome, error) {
	ref, stored, err := p.stored(d.ID)
	if err != nil {
		return rowError(err)
	}
	return p.putItem(ref, stored, &storepb.ItemRow{Id: stored.Id}, record.Mutation{Delete: d})
}

// rowError parts what is wrong with the row from what is wrong with the store.
func rowError(err error) (record.Outcome, error) {
	if isRowError(err) {
		return refused(err), nil
	}
	return record.Outcome{}, err
}
