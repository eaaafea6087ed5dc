package store

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// Item returns the catalog row of an id with its number, or record.ErrNotFound.
func (t *Tenant) Item(id string) (record.Item, uint32, error) {
	var it record.Item
	var number uint32
	err := t.store.view(func(txn *badger.Txn) error {
		m, known, err := t.itemNumber(txn, id)
		if err != nil {
			return err
		}
		if !known {
			return fmt.Errorf("store: item %.80q: %w", id, record.ErrNotFound)
		}
		number = m
		it, err = t.itemRow(txn, number)
		return err
	})
	return it, number, err
}

// ItemByNumber returns the catalog row of a number, or record.ErrNotFound.
func (t *Tenant) ItemByNumber(number uint32) (record.Item, error) {
	var it record.Item
	err := t.store.view(func(txn *badger.Txn) (err error) {
		it, err = t.itemRow(txn, number)
		return err
	})
	return it, err
}

// ItemNumber returns the number of an item that a row or an event has mentioned;
// it may be deleted, or never have been in the catalog.
func (t *Tenant) ItemNumber(id string) (number uint32, known bool) {
	err := t.store.view(func(txn *badger.Txn) (err error) {
		number, known, err = t.itemNumber(txn, id)
		return err
	})
	return number, known && err == nil
}

// ItemID returns the id of a number, whether or not the item is in the catalog.
func (t *Tenant) ItemID(number uint32) (id string, known bool) {
	var m storepb.ItemRow
	err := t.store.view(func(txn *badger.Txn) (err error) {
		known, err = fetch(reader{txn}, itemKey(t.number, number), &m)
		return err
	})
	return m.Id, known && err == nil
}

func (t *Tenant) itemNumber(txn *badger.Txn, id string) (uint32, bool, error) {
	if id == "" {
		return 0, false, nil
	}
	var m storepb.ItemNumber
	known, err := fetch(reader{txn}, textKey(t.number, kindItemID, id), &m)
	return m.Number, known, err
}

func (t *Tenant) itemRow(txn *badger.Txn, number uint32) (record.Item, error) {
	var m storepb.ItemRow
	known, err := fetch(reader{txn}, itemKey(t.number, number), &m)
	switch {
	case err != nil:
		return record.Item{}, err
	case !known:
		return record.Item{}, fmt.Errorf("store: item number %d: %w", number, record.ErrNotFound)
	case m.Item == nil:
		return record.Item{}, fmt.Errorf("store: item %q is not in the catalog: %w", m.Id, record.ErrNotFound)
	}
	return *fromItemMessage(m.Item), nil
}

// Items returns up to limit catalog rows in the order of their ids, those after
// an id: the next page begins after next, which is empty at the end.
func (t *Tenant) Items(after string, limit int) (items []record.Item, next string, err error) {
	if limit < 1 {
		return nil, "", fmt.Errorf("store: %d items asked for, ask for 1 or more: %w", limit, record.ErrInvalid)
	}
	prefix := prefixKey(t.number, kindItemID)
	from := append(bytes.Clone(prefix), after...)
	if after != "" {
		from = append(from, 0) // the least key past it
	}
	err = t.store.view(func(txn *badger.Txn) error {
		return scan(txn, prefix, from, func(key, v []byte) error {
			var m storepb.ItemNumber
			if err := decode(v, valueOther, &m); err != nil {
				return err
			}
			var row storepb.ItemRow
			if _, err := fetch(reader{txn}, itemKey(t.number, m.Number), &row); err != nil {
				return err
			}
			if row.Item == nil {
				return nil
			}
			if len(items) == limit {
				next = items[limit-1].ID
				return errStop
			}
			items = append(items, *fromItemMessage(row.Item))
			return nil
		})
	})
	return items, next, err
}

// ScanItems calls fn for each catalog row in the order of their numbers, over one
// snapshot. An error of fn ends the scan and is returned.
func (t *Tenant) ScanItems(fn func(number uint32, it *record.Item) error) error {
	return t.scanRows(func(number uint32, m *storepb.ItemRow) error {
		if m.Item == nil {
			return nil
		}
		return fn(number, fromItemMessage(m.Item))
	})
}

// ScanItemIDs calls fn for each number that was ever given, in their order, with
// its id and whether it is in the catalog.
func (t *Tenant) ScanItemIDs(fn func(number uint32, id string, live bool) error) error {
	return t.scanRows(func(number uint32, m *storepb.ItemRow) error {
		return fn(number, m.Id, m.Item != nil)
	})
}

func (t *Tenant) scanRows(fn func(number uint32, m *storepb.ItemRow) error) error {
	return t.store.view(func(txn *badger.Txn) error {
		return scan(txn, prefixKey(t.number, kindItem), nil, func(key, v []byte) error {
			var m storepb.ItemRow
			if err := decode(v, valueOther, &m); err != nil {
				return err
			}
			return fn(binary.BigEndian.Uint32(key[prefixLen:]), &m)
		})
	})
}
