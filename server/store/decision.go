package store

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// Decisions are by far the most numerous rows of a busy shop, so that they are kept
// many to a row: what is put together is sorted by time and cut into batches of one
// moment. Whose they are is noted once for a person and a window of time, and the
// batches of the window are looked through when the person is erased or exported. A
// row for each decision and one for each of its ways in, as it was before, took a
// fifth of the processor at saturation, most of it in merging tables.
const (
	batchDecisions = 256
	// batchSpan bounds the time from the first to the last decision of a batch, and
	// with it how many batches may hold a decision of a given time.
	batchSpan = 100 * time.Millisecond
	// ownedWindow trades rows written against batches looked through at an erase.
	ownedWindow = 10 * time.Second
)

// PutDecisions keeps what replies showed, as long as the tenant says, else for DecisionTTL. Each id must be one of
// [record.NewDecisionID] for the decision's time. They can be read when it returns,
// and survive the end of the process; they are not synced, so that a power cut may
// lose the last ones. One that is put as another again goes when that goes. They share
// the queue with the writes of the log and are refused with record.ErrOverloaded when it
// is full: nobody waits for a decision. The more are put at once the less each costs.
func (t *Tenant) PutDecisions(decisions []record.Decision) error {
	if len(decisions) == 0 {
		return nil
	}
	for i := range decisions {
		if err := t.checkDecision(&decisions[i]); err != nil {
			return err
		}
	}
	expires := uint64(time.Now().Add(t.DecisionsKept()).Unix() + 1)
	r := &request{tenant: t}
	notes := t.owners.missing(decisions)
	for _, n := range notes {
		// It has to outlive whatever is put within the window.
		until := expires + uint64(2*ownedWindow/time.Second)
		r.rows = append(r.rows, row{windowKey(t.number, n.user, n.window), nil, until})
	}
	if err := t.appendBatches(r, decisions, expires); err != nil {
		return err
	}
	if err := t.store.await(r); err != nil {
		return err
	}
	t.owners.wrote(notes)
	return nil
}

func (t *Tenant) checkDecision(d *record.Decision) error {
	if err := t.checkKept(d.ID, d.Time); err != nil {
		return err
	}
	if at, ok := record.DecisionTime(d.ID); !ok || !at.Equal(d.Time.Truncate(time.Microsecond)) {
		return fmt.Errorf("store: recommendation id %.80q was not made for the decision's time %s; use record.NewDecisionID: %w",
			d.ID, d.Time.UTC(), record.ErrInvalid)
	}
	if d.Again == "" {
		return nil
	}
	if at, ok := record.DecisionTime(d.Again); !ok || at.After(d.Time) || len(d.Items)+len(d.Losers)+len(d.FeatureNames) > 0 {
		return fmt.Errorf("store: recommendation %q is put as %.80q again; that must be the id of an earlier one, and items, losers and names are left out: %w",
			d.ID, d.Again, record.ErrInvalid)
	}
	return nil
}

func (t *Tenant) checkKept(id string, at time.Time) error {
	if err := checkID("recommendation", id); err != nil {
		return err
	}
	if at.Before(earliest) || at.After(latest) {
		return fmt.Errorf("store: recommendation %q has time %s, it must be %d to %d: %w",
			id, at.UTC(), earliest.Year(), latest.Year(), record.ErrInvalid)
	}
	return nil
}

func (t *Tenant) tooLarge(what string, bytes int) error {
	return fmt.Errorf("store: %s takes %d bytes, at most %d are taken: log fewer losers or features: %w",
		what, bytes, t.store.options.MaxValue, record.ErrLimit)
}

// appendBatches adds the rows of the batches that decisions make.
func (t *Tenant) appendBatches(r *request, decisions []record.Decision, expires uint64) error {
	sorted := make([]*record.Decision, len(decisions))
	for i := range decisions {
		sorted[i] = &decisions[i]
	}
	slices.SortFunc(sorted, byTime)
	w := batchWriter{limit: t.store.options.MaxValue}
	first := sorted[0]
	flush := func() error {
		v, err := w.finish()
		r.rows = append(r.rows, row{decisionKey(t.number, first.Time, first.ID), v, expires})
		r.bytes += int64(len(v)) + 256
		return err
	}
	for _, d := range sorted {
		if w.count > 0 && (w.count == batchDecisions || d.Time.Sub(first.Time) > batchSpan || !w.fits(d)) {
			if err := flush(); err != nil {
				return err
			}
		}
		if w.count == 0 {
			first = d
			if !w.fits(d) {
				return t.tooLarge(fmt.Sprintf("recommendation %q", d.ID), w.size(d))
			}
		}
		w.add(d)
	}
	return flush()
}

func byTime(a, b *record.Decision) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
}

// Decision returns the decision of a recommendation id, or record.ErrNotFound.
func (t *Tenant) Decision(id string) (record.Decision, error) {
	unknown := fmt.Errorf("store: recommendation %.80q: %w", id, record.ErrNotFound)
	at, ok := record.DecisionTime(id)
	if !ok {
		return record.Decision{}, unknown
	}
	var found *record.Decision
	err := t.store.view(func(txn *badger.Txn) error {
		again := repeats{t: t, txn: txn}
		return t.scanBatches(txn, at, at.Add(time.Microsecond), func(b decisionBatch) error {
			for i, m := range b.Decision {
				if m.Id == id {
					d, there, err := again.decision(b, i)
					if there {
						found = &d
					}
					return cmp.Or(err, errStop)
				}
			}
			return nil
		})
	})
	if err != nil {
		return record.Decision{}, err
	}
	if found == nil {
		return record.Decision{}, unknown
	}
	return *found, nil
}

// decisionBatch is a batch as it was read; key holds while fn of scanBatches runs.
type decisionBatch struct {
	key   []byte
	bytes int // of the value
	*storepb.DecisionBatch
}

// scanBatches calls fn for the batches that may hold decisions from a time until before
// another; a zero time is no bound.
func (t *Tenant) scanBatches(txn *badger.Txn, from, until time.Time, fn func(decisionBatch) error) error {
	return scan(txn, prefixKey(t.number, kindDecision), t.batchesFrom(from), func(key, v []byte) error {
		if !until.IsZero() && !batchTime(key).Before(until) {
			return errStop
		}
		b := new(storepb.DecisionBatch)
		if err := decode(v, valueOther, b); err != nil {
			return err
		}
		return fn(decisionBatch{key, len(v), b})
	})
}

// batchesFrom is where the batches begin that may hold decisions of a time.
func (t *Tenant) batchesFrom(from time.Time) []byte {
	if from.Before(earliest.Add(batchSpan)) {
		return nil
	}
	return decisionKey(t.number, from.Add(-batchSpan), "")
}

// ScanDecisions calls fn for the decisions from a time until before another, in
// the order of their times; a zero time is no bound. An error of fn ends the scan
// and is returned.
func (t *Tenant) ScanDecisions(from, until time.Time, fn func(record.Decision) error) error {
	// Batches may overlap: what was read waits until no earlier one can come.
	var waiting []record.Decision
	release := func(before time.Time) error {
		slices.SortFunc(waiting, func(a, b record.Decision) int { return byTime(&a, &b) })
		n := 0
		for ; n < len(waiting) && (before.IsZero() || waiting[n].Time.Before(before)); n++ {
			if err := fn(waiting[n]); err != nil {
				return err
			}
		}
		waiting = slices.Delete(waiting, 0, n)
		return nil
	}
	err := t.store.view(func(txn *badger.Txn) error {
		again := repeats{t: t, txn: txn}
		return t.scanBatches(txn, from, until, func(b decisionBatch) error {
			again.keep(b)
			for i, m := range b.Decision {
				at := time.Unix(0, m.TimeNs)
				if at.Before(from) || !until.IsZero() && !at.Before(until) {
					continue
				}
				d, there, err := again.decision(b, i)
				if err != nil {
					return err
				}
				if there {
					waiting = append(waiting, d)
				}
			}
			return release(batchTime(b.key))
		})
	})
	if err != nil {
		return err
	}
	return release(time.Time{})
}
