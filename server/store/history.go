package store

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// UserNumber returns the number under which the events of a user are kept, or,
// where no user is named, of a session: its user's if it was merged into one.
// Users and sessions have separate name spaces.
func (t *Tenant) UserNumber(user, session string) (number uint64, known bool) {
	kind, id := kindUser, user
	if user == "" {
		kind, id = kindSession, session
	}
	if id == "" {
		return 0, false
	}
	var m storepb.Person
	err := t.store.view(func(txn *badger.Txn) (err error) {
		known, err = fetch(reader{txn}, textKey(t.number, kind, id), &m)
		return err
	})
	if err != nil || !known {
		return 0, false
	}
	if m.User != 0 {
		return m.User, true
	}
	return m.Number, true
}

// Name returns the raw id of a number: of a user or of a session, the other one
// is empty. It is unknown once the person was erased.
func (t *Tenant) Name(number uint64) (user, session string, known bool) {
	err := t.store.view(func(txn *badger.Txn) (err error) {
		user, session, known, err = t.name(txn, number)
		return err
	})
	return user, session, known && err == nil
}

func (t *Tenant) name(txn *badger.Txn, number uint64) (user, session string, known bool, err error) {
	var m storepb.Name
	known, err = fetch(reader{txn}, numberKey(t.number, kindName, number), &m)
	if m.Session {
		return "", m.Id, known, err
	}
	return m.Id, "", known, err
}

// UserIDs lists the ids of users after one, in their order: at most limit, 1 or more.
// next is where to go on; empty at the end. Sessions are not listed.
func (t *Tenant) UserIDs(after string, limit int) (ids []string, next string, err error) {
	if limit < 1 {
		return nil, "", fmt.Errorf("store: %d users asked for, ask for 1 or more: %w", limit, record.ErrInvalid)
	}
	err = t.store.view(func(txn *badger.Txn) error {
		it := txn.NewIterator(scanOptions(prefixKey(t.number, kindUser)))
		defer it.Close()
		// The id with a zero byte behind it is the first that can follow.
		from := prefixKey(t.number, kindUser)
		if after != "" {
			from = append(textKey(t.number, kindUser, after), 0)
		}
		for it.Seek(from); it.Valid(); it.Next() {
			if len(ids) == limit {
				next = ids[limit-1]
				return nil
			}
			ids = append(ids, string(it.Item().Key()[prefixLen:]))
		}
		return nil
	})
	return ids, next, err
}

// History returns up to limit events of a number, newest first by their place in
// the log, those before a place; 0 is from the newest. Events of the sessions
// that were merged into the user are among them.
func (t *Tenant) History(user uint64, before uint64, limit int) ([]record.Stored, error) {
	return t.HistoryUntil(user, before, limit, time.Time{})
}

// HistoryUntil is History without the events later than a time by their own
// clock; the zero time is no bound.
func (t *Tenant) HistoryUntil(user uint64, before uint64, limit int, until time.Time) ([]record.Stored, error) {
	if limit < 1 {
		return nil, fmt.Errorf("store: %d events asked for, ask for 1 or more: %w", limit, record.ErrInvalid)
	}
	var events []record.Stored
	err := t.store.view(func(txn *badger.Txn) error {
		names := namer{t: t, txn: txn}
		return t.scanHistory(txn, user, before, func(row *eventRow) error {
			if !until.IsZero() && row.Time.After(until) {
				return nil
			}
			if err := names.fill(row); err != nil {
				return err
			}
			events = append(events, row.Stored)
			if len(events) == limit {
				return errStop
			}
			return nil
		})
	})
	return events, err
}

// scanHistory calls fn for the events of a number, newest first. The row is
// valid within the call.
func (t *Tenant) scanHistory(txn *badger.Txn, user, before uint64, fn func(*eventRow) error) error {
	prefix := numberKey(t.number, kindHistory, user)
	from := prefix
	if before != 0 {
		from = binary.BigEndian.AppendUint64(prefix[:len(prefix):len(prefix)], ^before+1)
	}
	shared := words{}
	var row eventRow
	return scan(txn, prefix, from, func(key, v []byte) error {
		seq := ^lastNumber(key)
		if len(v) == 0 {
			long, err := getCopy(txn, numberKey(t.number, kindLog, seq))
			if err != nil {
				return err
			}
			if long == nil {
				return nil // expired between the two rows
			}
			v = long
		}
		if err := decodeEvent(v, shared, &row); err != nil {
			return fmt.Errorf("store: event at %d: %w", seq, err)
		}
		row.Seq, row.UserNumber = seq, user
		return fn(&row)
	})
}

// namer fills in the raw ids of the persons of events. Neighbours in a history
// share them, so that it remembers; it lives as long as one page.
type namer struct {
	t     *Tenant
	txn   *badger.Txn
	known map[uint64]name
}

func (n *namer) fill(row *eventRow) error {
	if row.userGiven {
		name, err := n.name(row.UserNumber)
		if err != nil {
			return err
		}
		row.User = name.id
	}
	if row.session != 0 {
		name, err := n.name(row.session)
		if err != nil {
			return err
		}
		row.Session = name.id
	}
	return nil
}

func (n *namer) name(number uint64) (name, error) {
	if known, ok := n.known[number]; ok {
		return known, nil
	}
	var m storepb.Name
	if _, err := fetch(reader{n.txn}, numberKey(n.t.number, kindName, number), &m); err != nil {
		return name{}, err
	}
	if n.known == nil {
		n.known = make(map[uint64]name)
	}
	n.known[number] = name{m.Id, m.Session}
	return n.known[number], nil
}

// name is a raw id.
type name struct {
	id      string
	session bool
}
