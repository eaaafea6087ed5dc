package store

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// Profile returns what is known of a user beside the events, with the sessions
// that were merged into the user. A user who has events and no profile has an
// empty one; record.ErrNotFound: the user is unknown.
func (t *Tenant) Profile(user string) (record.Profile, error) {
	var p record.Profile
	err := t.store.view(func(txn *badger.Txn) error {
		var who storepb.Person
		known, err := false, error(nil)
		if user != "" {
			known, err = fetch(reader{txn}, textKey(t.number, kindUser, user), &who)
		}
		if err != nil {
			return err
		}
		if !known {
			return fmt.Errorf("store: user: %w", record.ErrNotFound)
		}
		var row storepb.ProfileRow
		if _, err := fetch(reader{txn}, numberKey(t.number, kindProfile, who.Number), &row); err != nil {
			return err
		}
		p = *fromProfileMessage(&row)
		p.User = user
		return t.mergedSessions(txn, who.Number, func(id string) { p.Sessions = append(p.Sessions, id) })
	})
	return p, err
}

// mergedSessions calls fn for the id of each session of a user.
func (t *Tenant) mergedSessions(txn *badger.Txn, user uint64, fn func(id string)) error {
	return scan(txn, numberKey(t.number, kindMerged, user), nil, func(key, _ []byte) error {
		_, session, known, err := t.name(txn, lastNumber(key))
		if known {
			fn(session)
		}
		return err
	})
}

// ProfileByNumber returns the profile of a user's number, without the names of
// user and sessions; the zero profile where there is none.
func (t *Tenant) ProfileByNumber(number uint64) (record.Profile, error) {
	var row storepb.ProfileRow
	err := t.store.view(func(txn *badger.Txn) error {
		_, err := fetch(reader{txn}, numberKey(t.number, kindProfile, number), &row)
		return err
	})
	return *fromProfileMessage(&row), err
}
