package store

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// A promotion stands whole in the log. One row points at the last, and each at the one
// before, so that the history is read without a scan of the log.

func checkPromotion(p *record.Promotion) error {
	for _, v := range p.Validate() {
		return fmt.Errorf("store: promotion: %s %s: %w", v.Field, v.Description, record.ErrInvalid)
	}
	return nil
}

// promote makes a bundle the promoted one.
func (p *plan) promote(m *record.Promotion) (record.Outcome, error) {
	var last storepb.Promoted
	key := prefixKey(p.tenant, kindPromoted)
	if _, err := fetch(p.ledger, key, &last); err != nil {
		return record.Outcome{}, err
	}
	if m.Bundle == last.Bundle {
		return record.Outcome{Status: record.Unchanged, Seq: last.Seq}, nil
	}
	if m.Previous != last.Bundle {
		o := refused(fmt.Errorf("store: bundle %q is promoted by now, the promotion expects %q: look at it again: %w",
			last.Bundle, m.Previous, record.ErrConflict))
		o.Seq = last.Seq
		return o, nil
	}
	seq := p.next()
	row := promotionMessage(m)
	row.ReceivedNs, row.PreviousSeq = p.now.UnixNano(), last.Seq
	if err := p.log(seq, valuePromotion, row); err != nil {
		return record.Outcome{}, err
	}
	if err := place(p.ledger, key, &storepb.Promoted{Seq: seq, Bundle: m.Bundle}); err != nil {
		return record.Outcome{}, err
	}
	p.note(record.Entry{Seq: seq, Mutation: record.Mutation{Promote: m}, ItemNumber: record.NoItem})
	if last.Seq == 0 {
		return record.Outcome{Status: record.Added, Seq: seq}, nil
	}
	return record.Outcome{Status: record.Changed, Seq: seq}, nil
}

// Promotions returns the last promotions, newest first, at most limit. The first names
// the bundle that is promoted; none: there was no promotion.
func (t *Tenant) Promotions(limit int) ([]record.Promoted, error) {
	var list []record.Promoted
	err := t.store.view(func(txn *badger.Txn) error {
		var last storepb.Promoted
		if _, err := fetch(reader{txn}, prefixKey(t.number, kindPromoted), &last); err != nil {
			return err
		}
		for seq := last.Seq; seq != 0 && len(list) < limit; {
			v, err := getCopy(txn, numberKey(t.number, kindLog, seq))
			if err != nil {
				return err
			}
			if v == nil {
				return fmt.Errorf("store: promotion %d is not in the log: %w", seq, record.ErrCorrupt)
			}
			p, err := decodePromotion(v, seq)
			if err != nil {
				return fmt.Errorf("store: promotion %d: %w", seq, err)
			}
			list = append(list, p.Promoted)
			seq = p.before
		}
		return nil
	})
	return list, err
}

// promotionRow is a promotion with the place of the one before.
type promotionRow struct {
	record.Promoted
	before uint64
}

// decodePromotion reads a row of the log. The one before it lies before it, so that a
// chain ends.
func decodePromotion(v []byte, seq uint64) (promotionRow, error) {
	var m storepb.Promotion
	if err := decode(v, valuePromotion, &m); err != nil {
		return promotionRow{}, err
	}
	if m.PreviousSeq >= seq {
		return promotionRow{}, fmt.Errorf("store: promotion %d says that it follows %d: %w", seq, m.PreviousSeq, record.ErrCorrupt)
	}
	p := promotionRow{before: m.PreviousSeq}
	p.Seq, p.Time = seq, received(m.ReceivedNs)
	p.Promotion = record.Promotion{
		Bundle: m.Bundle, Previous: m.Previous, By: m.By, Note: m.Note, Rollback: m.Rollback, Forced: m.Forced,
	}
	for _, c := range m.Checks {
		p.Checks = append(p.Checks, record.Check{
			Name: c.Name, Measured: c.Measured, Bound: c.Bound, AtMost: c.AtMost, Unmeasured: c.Unmeasured, Failed: c.Failed,
		})
	}
	return p, nil
}

func promotionMessage(p *record.Promotion) *storepb.Promotion {
	m := &storepb.Promotion{
		Bundle: p.Bundle, Previous: p.Previous, By: p.By, Note: p.Note, Rollback: p.Rollback, Forced: p.Forced,
	}
	for _, c := range p.Checks {
		m.Checks = append(m.Checks, &storepb.Check{
			Name: c.Name, Measured: c.Measured, Bound: c.Bound, AtMost: c.AtMost, Unmeasured: c.Unmeasured, Failed: c.Failed,
		})
	}
	return m
}
