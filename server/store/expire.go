package store

import (
	"bytes"
	"cmp"
	"context"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/internal/pause"
	"github.com/kindred-rec/kindred/server/record"
)

// Rows expire by themselves, by the time that was set when they were written and by the
// machine's clock. What follows is for a setting that has become shorter since, and goes by
// the store's clock.

// expireStep is how many rows are looked at at once, expirePause how long others then have
// the processor and the committer.
const (
	expireStep  = 2048
	expirePause = 5 * time.Millisecond
)

// Expired is what a look for rows that are too old found.
type Expired struct {
	Removed int64     // rows: events, or batches of decisions
	Oldest  time.Time // of those left; zero: none is
}

// DecisionsKept is how long the tenant's decisions live.
func (t *Tenant) DecisionsKept() time.Duration {
	return cmp.Or(t.settings.Load().Kept.Decisions, t.store.options.DecisionTTL)
}

// ExpireEvents removes the events that are older than the retention, each with what its id
// was used for and its place in a history; gone, if not nil, is told of each owner. It looks
// at every event, in steps. By the log's clock, which stands still between events, an event
// is as old as its receipt.
func (t *Tenant) ExpireEvents(ctx context.Context, gone func(owner uint64)) (Expired, error) {
	settings, shared, rowOf := t.Settings(), words{}, eventRow{}
	oldest := t.store.options.Now().Add(-cmp.Or(settings.Retention, record.DefaultRetention))
	return t.expire(ctx, kindLog, expiry{
		age: func(_, v []byte) (at time.Time, counts, goOn bool) {
			if kind, _, err := body(v); err != nil || kind != valueEvent || decodeEvent(v, shared, &rowOf) != nil {
				return at, false, true // another mutation, or one that Verify names
			}
			if settings.Clock == record.ClockLog {
				return rowOf.Received, true, true
			}
			return rowOf.Time, true, true
		},
		oldest: oldest,
		remove: func(w *writer, key []byte) error { return t.removeEvent(w, key, gone) },
	})
}

// removeEvent removes an event from the log, a history and the ids; in the committer, which
// no broken row may stop: it stays, and Verify names it.
func (t *Tenant) removeEvent(w *writer, key []byte, gone func(owner uint64)) error {
	v, err := w.get(key)
	if err != nil || v == nil { // erased meanwhile
		return err
	}
	var rowOf eventRow
	if decodeEvent(v, words{}, &rowOf) != nil {
		return nil
	}
	owner, p := rowOf.UserNumber, t.store.plan(t, w)
	who, err := p.sessionOf(w, owner)
	if isCorrupt(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if who.known && who.User != 0 {
		owner = who.User // it was merged
	}
	hash := duplicateHash(&t.store.hashKey, rowOf.ID)
	for _, k := range [][]byte{
		key, pairKey(t.number, kindHistory, owner, ^lastNumber(key)), append(prefixKey(t.number, kindDuplicate), hash[:]...),
	} {
		if err := w.remove(k); err != nil {
			return err
		}
	}
	if gone != nil {
		gone(owner)
	}
	return nil
}

// ExpireDecisions removes the decisions that are older than they are kept.
func (t *Tenant) ExpireDecisions(ctx context.Context) (Expired, error) {
	oldest := t.store.options.Now().Add(-t.DecisionsKept() - batchSpan)
	return t.expire(ctx, kindDecision, expiry{
		age: func(key, _ []byte) (time.Time, bool, bool) {
			at := batchTime(key)
			return at, true, at.Before(oldest) // those after it are younger
		},
		oldest: oldest,
		remove: func(w *writer, key []byte) error { return w.remove(key) },
	})
}

// expiry is what is too old of a kind, and how it goes.
type expiry struct {
	// age is a row's time, whether it counts at all, and whether to look at the next.
	age    func(key, value []byte) (at time.Time, counts, goOn bool)
	oldest time.Time // what is before it goes
	remove func(w *writer, key []byte) error
}

// expire looks at the rows of a kind, and has the committer remove those that are too old.
func (t *Tenant) expire(ctx context.Context, kind byte, e expiry) (out Expired, err error) {
	for from := prefixKey(t.number, kind); from != nil; {
		var old [][]byte
		if from, old, err = t.tooOld(kind, from, e, &out); err != nil {
			return out, err
		}
		if len(old) > 0 {
			err = t.store.submit(ctx, &request{control: func(w *writer) error {
				for _, key := range old {
					if err := w.room(); err != nil {
						return err
					}
					if err := e.remove(w, key); err != nil {
						return err
					}
				}
				return nil
			}})
			if err != nil {
				return out, err
			}
			out.Removed += int64(len(old))
		}
		if err := pause.For(ctx, expirePause); err != nil {
			return out, err
		}
	}
	return out, nil
}

// tooOld takes one step: the keys of rows that go, and where to go on; nil: nowhere.
func (t *Tenant) tooOld(kind byte, from []byte, e expiry, out *Expired) (next []byte, old [][]byte, err error) {
	err = t.store.view(func(txn *badger.Txn) error {
		seen := 0
		return scan(txn, prefixKey(t.number, kind), from, func(key, v []byte) error {
			if seen++; seen > expireStep {
				next = bytes.Clone(key)
				return errStop
			}
			at, counts, goOn := e.age(key, v)
			switch {
			case !counts:
			case at.Before(e.oldest):
				old = append(old, bytes.Clone(key))
			case out.Oldest.IsZero() || at.Before(out.Oldest):
				out.Oldest = at
			}
			if !goOn {
				return errStop
			}
			return nil
		})
	})
	return next, old, err
}
