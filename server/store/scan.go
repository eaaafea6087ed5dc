package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// errStop ends a scan without an error.
var errStop = errors.New("stop")

// scan calls fn for the rows of a prefix in the order of their keys, from a key
// on where one is given. Key and value are valid within the call.
func scan(txn *badger.Txn, prefix, from []byte, fn func(key, value []byte) error) error {
	it := txn.NewIterator(scanOptions(prefix))
	defer it.Close()
	if from == nil {
		from = prefix
	}
	for it.Seek(from); it.Valid(); it.Next() {
		item := it.Item()
		key := item.Key()
		err := item.Value(func(v []byte) error { return fn(key, v) })
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ScanLog calls fn for each entry of the log after a sequence, in order, over one
// snapshot.
//
// The log keeps an event until it expires or its person is erased. Of an item and
// of a profile it keeps the last change alone, at its own place: a scan from 0
// meets every row of the catalog once, as a put of its present state (a patch
// comes as the whole row), or as a delete. Persons are named by number alone:
// Event.User, Event.Session, Profile.User and the ids of Merge and Erase are
// empty; [Tenant.Name] has the id of a number.
//
// An error of fn ends the scan and is returned. record.ErrCorrupt names a row
// that cannot be read; go on after its sequence to leave it out.
func (t *Tenant) ScanLog(after uint64, fn func(record.Entry) error) error {
	_, err := t.scanLog(after, ^uint64(0), fn)
	return err
}

// scanLog scans the places after one up to another and returns the last place it
// was at.
func (t *Tenant) scanLog(after, until uint64, fn func(record.Entry) error) (at uint64, err error) {
	if after == ^uint64(0) {
		return after, nil
	}
	at = after
	shared := words{}
	err = t.store.view(func(txn *badger.Txn) error {
		slab := eventSlab{}
		from := numberKey(t.number, kindLog, after+1)
		return scan(txn, prefixKey(t.number, kindLog), from, func(key, v []byte) error {
			seq := lastNumber(key)
			if seq > until {
				return errStop
			}
			at = seq
			e, ok, err := t.entry(txn, seq, v, shared, &slab)
			if err != nil {
				return fmt.Errorf("store: entry %d of the log: %w", seq, err)
			}
			if !ok {
				return nil
			}
			return fn(e)
		})
	})
	return at, err
}

// eventSlab hands out events of large allocations: a replay makes millions.
type eventSlab []eventRow

func (s *eventSlab) next() *eventRow {
	if len(*s) == 0 {
		*s = make(eventSlab, 128)
	}
	row := &(*s)[0]
	*s = (*s)[1:]
	return row
}

// entry decodes one row of the log. ok is false for a row that says nothing any
// more, such as the change of a profile that was erased.
func (t *Tenant) entry(txn *badger.Txn, seq uint64, v []byte, shared words, slab *eventSlab) (e record.Entry, ok bool, err error) {
	kind, message, err := body(v)
	if err != nil {
		return e, false, err
	}
	e.Seq, e.ItemNumber = seq, record.NoItem
	switch kind {
	case valueEvent:
		row := slab.next()
		if err := decodeEvent(v, shared, row); err != nil {
			return e, false, err
		}
		row.Seq = seq
		e.Received, e.ItemNumber = row.Received, row.ItemNumber
		e.Event, e.Stored = &row.Event, &row.Stored
		return e, true, nil
	case valueItemChange:
		return t.itemEntry(txn, e, message)
	case valueProfileChange:
		return t.profileEntry(txn, e, message)
	case valueMerge:
		var m storepb.Merge
		err := unmarshal(message, &m)
		e.Received, e.UserNumber = received(m.ReceivedNs), m.User
		if m.HadEvents {
			e.MergedNumber = m.Session
		}
		e.Merge = &record.Merge{}
		return e, err == nil, err
	case valueErase:
		var m storepb.Erase
		err := unmarshal(message, &m)
		e.Received, e.UserNumber, e.Erase = received(m.ReceivedNs), m.Number, &record.Erase{}
		return e, err == nil, err
	case valuePromotion:
		p, err := decodePromotion(v, e.Seq)
		e.Received, e.Promote = p.Time, &p.Promotion
		return e, err == nil, err
	}
	return e, false, fmt.Errorf("store: mutation of kind %d: %w", kind, record.ErrCorrupt)
}

func received(ns int64) time.Time { return time.Unix(0, ns).UTC() }

func (t *Tenant) itemEntry(txn *badger.Txn, e record.Entry, message []byte) (record.Entry, bool, error) {
	var change storepb.ItemChange
	if err := unmarshal(message, &change); err != nil {
		return e, false, err
	}
	var row storepb.ItemRow
	found, err := fetch(reader{txn}, itemKey(t.number, change.Number), &row)
	if err != nil {
		return e, false, err
	}
	if !found || row.Item == nil != change.Deleted {
		return e, false, fmt.Errorf("store: the log and the catalog disagree on item number %d: %w", change.Number, record.ErrCorrupt)
	}
	e.Received, e.ItemNumber = received(change.ReceivedNs), change.Number
	if change.Deleted {
		e.Delete = &record.Delete{ID: row.Id}
		return e, true, nil
	}
	e.Row = fromItemMessage(row.Item)
	e.Item = e.Row
	return e, true, nil
}

func (t *Tenant) profileEntry(txn *badger.Txn, e record.Entry, message []byte) (record.Entry, bool, error) {
	var change storepb.ProfileChange
	if err := unmarshal(message, &change); err != nil {
		return e, false, err
	}
	var row storepb.ProfileRow
	found, err := fetch(reader{txn}, numberKey(t.number, kindProfile, change.User), &row)
	if err != nil || !found {
		return e, false, err
	}
	e.Received, e.UserNumber = received(change.ReceivedNs), change.User
	e.Profile = fromProfileMessage(&row)
	return e, true, nil
}
