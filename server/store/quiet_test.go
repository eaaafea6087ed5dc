package store

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// quiet drops the log of a test that provokes errors.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// testOptions are for tests that do not look at durability.
func testOptions() Options {
	o := DefaultOptions()
	o.Logger, o.Sync = quiet, false
	return o
}

// openTest opens a store with a tenant and closes it with the test.
func openTest(t testing.TB, dir string, o Options) (*Store, *Tenant) {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	tenant, err := s.Tenant("shop")
	if err != nil {
		if _, err := s.CreateTenant(context.Background(), record.Tenant{Name: "shop"}); err != nil {
			t.Fatal(err)
		}
		if tenant, err = s.Tenant("shop"); err != nil {
			t.Fatal(err)
		}
	}
	return s, tenant
}

// view is an event of today.
func view(id, user, item string) record.Mutation {
	return record.Mutation{Event: &record.Event{ID: id, User: user, Item: item, Type: record.TypeView, Time: time.Now()}}
}

// mustAppend writes a batch that has to be taken.
func mustAppend(t *testing.T, tenant *Tenant, batch ...record.Mutation) []record.Outcome {
	t.Helper()
	out, _, err := tenant.Append(context.Background(), batch)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
