package store

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// PutDecisions keeps what replies showed, for DecisionTTL. They can be read when
// it returns, and survive the end of the process; they are not synced, so that a
// power cut may lose the last ones. They share the queue with the writes of the
// log and are refused with record.ErrOverloaded when it is full: nobody waits for
// a decision.
func (t *Tenant) PutDecisions(decisions []record.Decision) error {
	expires := uint64(time.Now().Add(t.store.options.DecisionTTL).Unix() + 1)
	r := &request{tenant: t}
	for i := range decisions {
		d := &decisions[i]
		if err := t.checkKept(d.ID, d.Time); err != nil {
			return err
		}
		m := decisionMessage(d)
		key := decisionKey(t.number, m.TimeNs, d.ID)
		if err := t.keep(r, key, d.UserNumber, m, expires); err != nil {
			return err
		}
		place, err := encode(valueOther, &storepb.Place{TimeNs: m.TimeNs})
		if err != nil {
			return err
		}
		r.rows = append(r.rows, row{textKey(t.number, kindPlace, d.ID), place, expires})
	}
	if len(decisions) == 0 {
		return nil
	}
	return t.store.await(r)
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

// keep adds a row that expires, and notes whose it is, so that it goes with them.
func (t *Tenant) keep(r *request, key []byte, user uint64, m proto.Message, expires uint64) error {
	v, err := encode(valueOther, m)
	if err != nil {
		return err
	}
	if len(v) > t.store.options.MaxValue {
		return fmt.Errorf("store: a recommendation takes %d bytes, at most %d are taken: log fewer losers or features: %w",
			len(v), t.store.options.MaxValue, record.ErrLimit)
	}
	r.rows = append(r.rows, row{key, v, expires})
	r.bytes += int64(len(v)) + 256
	if user != 0 {
		owned := ownedKey(t.number, user, key[prefixLen-1], string(key[prefixLen:]))
		r.rows = append(r.rows, row{owned, nil, expires})
	}
	return nil
}

// Decision returns the decision of a recommendation id, or record.ErrNotFound.
func (t *Tenant) Decision(id string) (record.Decision, error) {
	var d record.Decision
	err := t.store.view(func(txn *badger.Txn) error {
		var at storepb.Place
		found, err := fetch(reader{txn}, textKey(t.number, kindPlace, id), &at)
		if err != nil {
			return err
		}
		var v []byte
		if found {
			if v, err = getCopy(txn, decisionKey(t.number, at.TimeNs, id)); err != nil {
				return err
			}
		}
		if v == nil {
			return fmt.Errorf("store: recommendation %.80q: %w", id, record.ErrNotFound)
		}
		d, err = decodeDecision(v)
		return err
	})
	return d, err
}

// ScanDecisions calls fn for the decisions from a time until before another, in
// the order of their times; a zero time is no bound. An error of fn ends the scan
// and is returned.
func (t *Tenant) ScanDecisions(from, until time.Time, fn func(record.Decision) error) error {
	prefix := prefixKey(t.number, kindDecision)
	var start []byte
	if from.After(earliest) {
		start = decisionKey(t.number, from.UnixNano(), "")
	}
	return t.store.view(func(txn *badger.Txn) error {
		return scan(txn, prefix, start, func(key, v []byte) error {
			at := unorderedTime(binary.BigEndian.Uint64(key[prefixLen:]))
			if !until.IsZero() && at >= until.UnixNano() {
				return errStop
			}
			d, err := decodeDecision(v)
			if err != nil {
				return err
			}
			return fn(d)
		})
	})
}

// PutList keeps a ranked list for ListTTL, so that page tokens can continue it.
// As with PutDecisions, it can be read at once and a power cut may lose it.
func (t *Tenant) PutList(l record.List) error {
	if err := t.checkKept(l.ID, l.Time); err != nil {
		return err
	}
	r := &request{tenant: t}
	expires := uint64(time.Now().Add(t.store.options.ListTTL).Unix() + 1)
	if err := t.keep(r, textKey(t.number, kindList, l.ID), l.UserNumber, listMessage(&l), expires); err != nil {
		return err
	}
	return t.store.await(r)
}

// List returns a ranked list by the recommendation id of its first page, or
// record.ErrNotFound.
func (t *Tenant) List(id string) (record.List, error) {
	var l record.List
	err := t.store.view(func(txn *badger.Txn) error {
		v, err := getCopy(txn, textKey(t.number, kindList, id))
		if err != nil {
			return err
		}
		if v == nil {
			return fmt.Errorf("store: list %.80q: %w", id, record.ErrNotFound)
		}
		l, err = decodeList(v)
		return err
	})
	return l, err
}
