package store

import (
	"fmt"
	"iter"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// Export yields everything that is kept about a user, over one snapshot: the
// profile with the merged sessions, the events, the recommendations shown. It
// yields an error at most once, at the end: record.ErrNotFound for an unknown
// user.
func (t *Tenant) Export(user string) iter.Seq2[record.Part, error] {
	return func(yield func(record.Part, error) bool) {
		if err := t.export(user, func(p record.Part) bool { return yield(p, nil) }); err != nil {
			yield(record.Part{}, err)
		}
	}
}

func (t *Tenant) export(user string, yield func(record.Part) bool) error {
	profile, err := t.Profile(user)
	if err != nil {
		return err
	}
	if !yield(record.Part{Profile: &profile}) {
		return nil
	}
	return t.store.view(func(txn *badger.Txn) error {
		var who storepb.Person
		known, err := fetch(reader{txn}, textKey(t.number, kindUser, user), &who)
		if err != nil || !known {
			return err // erased since the profile was read: nothing more to say
		}
		names, stopped := namer{t: t, txn: txn}, false
		err = t.scanHistory(txn, who.Number, 0, func(row *eventRow) error {
			if err := names.fill(row); err != nil {
				return err
			}
			event := row.Stored
			if stopped = !yield(record.Part{Event: &event}); stopped {
				return errStop
			}
			return nil
		})
		if err != nil || stopped {
			return err
		}
		numbers := []uint64{who.Number}
		err = scan(txn, numberKey(t.number, kindMerged, who.Number), nil, func(key, _ []byte) error {
			numbers = append(numbers, lastNumber(key))
			return nil
		})
		for _, n := range numbers {
			if err == nil && !stopped {
				stopped, err = t.exportOwned(txn, n, yield)
			}
		}
		return err
	})
}

// exportOwned yields the decisions and lists of one number.
func (t *Tenant) exportOwned(txn *badger.Txn, number uint64, yield func(record.Part) bool) (stopped bool, err error) {
	err = scan(txn, numberKey(t.number, kindOwned, number), nil, func(key, _ []byte) error {
		var err error
		switch kind, rest := key[prefixLen+8], key[prefixLen+9:]; kind {
		case kindDecision:
			stopped, err = t.exportWindow(txn, number, windowAt(key), yield)
		case kindList:
			stopped, err = t.exportList(txn, string(rest), yield)
		default:
			err = fmt.Errorf("store: a person owns a row of kind %q: %w", kind, record.ErrCorrupt)
		}
		if err == nil && stopped {
			err = errStop
		}
		return err
	})
	return stopped, err
}

func (t *Tenant) exportList(txn *badger.Txn, id string, yield func(record.Part) bool) (stopped bool, err error) {
	v, err := getCopy(txn, textKey(t.number, kindList, id))
	if err != nil || v == nil {
		return false, err // expired before the note of whose it is
	}
	l, err := decodeList(v)
	if err != nil {
		return false, err
	}
	return !yield(record.Part{List: &l}), nil
}
