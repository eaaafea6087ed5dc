package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// fixture is an open store with one tenant.
type fixture[S Store[T], T Tenant] struct {
	testing.TB
	dir    string
	open   func(dir string, c Config) (S, error)
	now    time.Time
	store  S
	tenant T
	opened bool
}

func (f *fixture[S, T]) start() {
	f.Helper()
	s, err := f.open(f.dir, Config{Now: func() time.Time { return f.now }, MaxItems: 20, MaxUsers: 30})
	if err != nil {
		f.Fatalf("open: %v", err)
	}
	f.store, f.opened = s, true
}

func (f *fixture[S, T]) stop() {
	f.Helper()
	if f.opened {
		f.opened = false
		if err := f.store.Close(); err != nil {
			f.Errorf("close: %v", err)
		}
	}
}

// restart closes the store and opens it again.
func (f *fixture[S, T]) restart() {
	f.Helper()
	name := f.tenant.Settings().Name
	f.stop()
	f.start()
	t, err := f.store.Tenant(name)
	if err != nil {
		f.Fatalf("tenant %q after a restart: %v", name, err)
	}
	f.tenant = t
}

func (f *fixture[S, T]) create(tenant record.Tenant) T {
	f.Helper()
	if _, err := f.store.CreateTenant(context.Background(), tenant); err != nil {
		f.Fatalf("create tenant: %v", err)
	}
	t, err := f.store.Tenant(tenant.Name)
	if err != nil {
		f.Fatalf("tenant: %v", err)
	}
	return t
}

// write appends a batch that must be taken as a whole.
func (f *fixture[S, T]) write(batch ...record.Mutation) []record.Outcome {
	f.Helper()
	return f.writeTo(f.tenant, batch...)
}

func (f *fixture[S, T]) writeTo(t T, batch ...record.Mutation) []record.Outcome {
	f.Helper()
	outcomes, token, err := t.Append(context.Background(), batch)
	if err != nil {
		f.Fatalf("append: %v", err)
	}
	if len(outcomes) != len(batch) {
		f.Fatalf("append of %d mutations has %d outcomes", len(batch), len(outcomes))
	}
	for i, o := range outcomes {
		if o.Seq > token.Seq {
			f.Fatalf("outcome %d has sequence %d past the token's %d", i, o.Seq, token.Seq)
		}
	}
	if head := t.Head(); head.Epoch != token.Epoch || head.Seq < token.Seq {
		f.Fatalf("head %v is before the token %v of a write that was answered", head, token)
	}
	return outcomes
}

// put appends one mutation, expects a status and returns its outcome.
func (f *fixture[S, T]) put(want record.Status, m record.Mutation) record.Outcome {
	f.Helper()
	o := f.write(m)[0]
	if o.Status != want {
		f.Fatalf("outcome %v (%v), want %v", o.Status, o.Err, want)
	}
	return o
}

// refuse appends one mutation and expects it to be refused for a reason.
func (f *fixture[S, T]) refuse(reason error, m record.Mutation) record.Outcome {
	f.Helper()
	o := f.put(record.Refused, m)
	if !errors.Is(o.Err, reason) {
		f.Fatalf("refused with %v, want %v", o.Err, reason)
	}
	return o
}

// number returns the number of a user, or of a session where user is empty.
func (f *fixture[S, T]) number(user, session string) uint64 {
	f.Helper()
	n, known := f.tenant.UserNumber(user, session)
	if !known || n == 0 {
		f.Fatalf("user %q session %q has no number", user, session)
	}
	return n
}

// history returns the ids of all events of a number, newest first.
func (f *fixture[S, T]) history(number uint64) []string {
	f.Helper()
	events, err := f.tenant.History(number, 0, 1000)
	if err != nil {
		f.Fatalf("history: %v", err)
	}
	ids := []string{}
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

// log returns the entries of the log after a place.
func (f *fixture[S, T]) log(after uint64) []record.Entry {
	f.Helper()
	var entries []record.Entry
	last := after
	err := f.tenant.ScanLog(after, func(e record.Entry) error {
		if e.Seq <= last {
			return fmt.Errorf("entry %d comes after %d", e.Seq, last)
		}
		last = e.Seq
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		f.Fatalf("scan of the log: %v", err)
	}
	return entries
}

// event makes a view of an item by a user.
func (f *fixture[S, T]) event(id, user, item string) record.Event {
	return record.Event{ID: id, User: user, Item: item, Type: record.TypeView, Time: f.now}
}

func of(e record.Event) record.Mutation { return record.Mutation{Event: &e} }

func row(it record.Item) record.Mutation { return record.Mutation{Item: &it} }

func merge(session, user string) record.Mutation {
	return record.Mutation{Merge: &record.Merge{Session: session, User: user}}
}

func eraseUser(user string) record.Mutation {
	return record.Mutation{Erase: &record.Erase{User: user}}
}
