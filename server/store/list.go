package store

import (
	"cmp"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
)

// PutList keeps a ranked list as long as the tenant says, else for ListTTL, so that page
// tokens can continue it.
// As with PutDecisions, it can be read at once and a power cut may lose it.
func (t *Tenant) PutList(l record.List) error {
	if err := t.checkKept(l.ID, l.Time); err != nil {
		return err
	}
	v, err := encode(valueOther, listMessage(&l))
	if err != nil {
		return err
	}
	if len(v) > t.store.options.MaxValue {
		return t.tooLarge("a page list", len(v))
	}
	expires := uint64(time.Now().Add(cmp.Or(t.settings.Load().Kept.Lists, t.store.options.ListTTL)).Unix() + 1)
	r := &request{tenant: t, bytes: int64(len(v)) + 256}
	if l.UserNumber != 0 {
		owned := append(ownedKey(t.number, l.UserNumber, kindList), l.ID...)
		r.rows = append(r.rows, row{owned, nil, expires})
	}
	r.rows = append(r.rows, row{textKey(t.number, kindList, l.ID), v, expires})
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
