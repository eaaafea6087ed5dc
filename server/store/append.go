package store

import (
	"context"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// Append writes a batch into the log and returns when it is durable: one outcome
// for each mutation, in their order, and the place after which all of them, and
// the first writes that duplicates repeat, can be read.
//
// A mutation that is refused does not hold up the others. The error is for the
// whole batch: record.ErrOverloaded, at once, when too much waits;
// record.ErrDiskFull; record.ErrClosed; record.ErrLimit for a batch that can
// never fit; the context's, if it ended before the batch was taken up. After any
// other error the batch may be written or not; sending it again is safe for
// events and for rows alike.
//
// The batch must not be changed afterwards.
func (t *Tenant) Append(ctx context.Context, batch []record.Mutation) ([]record.Outcome, record.Token, error) {
	p, err := t.Submit(ctx, batch)
	if err != nil {
		return nil, record.Token{}, err
	}
	return p.Wait(ctx)
}

// DryRun returns what Append would answer to the batch now, and writes nothing.
// One thing differs: within one batch, an event of a person whom the batch erased
// before is still known by its id.
func (t *Tenant) DryRun(ctx context.Context, batch []record.Mutation) ([]record.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := t.store
	rows, _ := s.prepare(batch)
	outcomes := make([]record.Outcome, len(batch))
	err := s.view(func(txn *badger.Txn) error {
		var m storepb.Head
		if _, err := fetch(reader{txn}, prefixKey(t.number, kindHead), &m); err != nil {
			return err
		}
		h := headOf(&m)
		p := &plan{
			store: s, owner: t, settings: t.Settings(), tenant: t.number, head: &h,
			ledger:  &overlay{reader{txn}, make(map[string][]byte)},
			persons: newCache[personKey, *storepb.Person](s.options.Directory),
			items:   newCache[itemIDKey, itemRef](s.options.Directory),
			now:     s.options.Now().UTC(), random: s.options.Random,
		}
		for i := range rows {
			var err error
			if outcomes[i], err = p.apply(&rows[i]); err != nil {
				return err
			}
			if outcomes[i].Status <= record.Removed {
				outcomes[i].Seq = 0 // the place is given when it is written
			}
		}
		return nil
	})
	return outcomes, err
}
