package store

import (
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// Size says how much a tenant has.
type Size struct {
	Items       uint64    // rows of the catalog
	ItemNumbers uint32    // numbers given, one more than the largest
	Persons     uint64    // users and sessions
	LatestEvent time.Time // largest event time seen, the clock of the log; zero: none
}

// Size returns how much the tenant has, as of the last group written.
func (t *Tenant) Size() (Size, error) {
	var m storepb.Head
	err := t.store.view(func(txn *badger.Txn) error {
		_, err := fetch(reader{txn}, prefixKey(t.number, kindHead), &m)
		return err
	})
	s := Size{Items: m.Items, ItemNumbers: m.NextItem, Persons: m.Persons}
	if m.ClockNs != 0 {
		s.LatestEvent = time.Unix(0, m.ClockNs).UTC()
	}
	return s, err
}
