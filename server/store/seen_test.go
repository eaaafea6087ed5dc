package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// numberedEvents are events whose ids and content follow from their numbers.
func numberedEvents(from, to int, item string) []record.Mutation {
	var batch []record.Mutation
	for n := from; n < to; n++ {
		batch = append(batch, record.Mutation{Event: &record.Event{
			ID: fmt.Sprint("event-", n), User: fmt.Sprint("user-", n%100), Item: item, Type: record.TypeView, Time: seenTime,
		}})
	}
	return batch
}

var seenTime = time.Now()

// appendAll writes events in batches and returns the outcomes.
func appendAll(t *testing.T, tenant *Tenant, events []record.Mutation) []record.Outcome {
	t.Helper()
	var all []record.Outcome
	for len(events) > 0 {
		n := min(500, len(events))
		out, _, err := tenant.Append(context.Background(), events[:n])
		if err != nil {
			t.Fatal(err)
		}
		all, events = append(all, out...), events[n:]
	}
	return all
}

// filtered writes new events until the filter has been made, and waits for its scan.
func filtered(t *testing.T, s *Store, tenant *Tenant, from int) {
	t.Helper()
	for at := from; s.seen.ended == nil; at += 500 {
		if at > from+4*seenAfter {
			t.Fatal("the filter does not begin")
		}
		appendAll(t, tenant, numberedEvents(at, at+500, "a"))
	}
	<-s.seen.ended
}

func TestIdsOfBeforeAndBesideTheFiltersScanAreKnown(t *testing.T) {
	dir := t.TempDir()
	s, tenant := openTest(t, dir, testOptions())
	const before = 9_000
	first := appendAll(t, tenant, numberedEvents(0, before, "a"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o := testOptions()
	o.EventFilter = 64 << 10 // 1,000 blocks: some ids are looked up for nothing
	s, tenant = openTest(t, dir, o)
	filtered(t, s, tenant, 100_000)
	if !s.seen.ready.Load() {
		t.Fatal("the filter is not ready")
	}
	unlike := 0
	for n := range 10_000 {
		if !s.seen.may(tenant.number, duplicateHash(&s.hashKey, fmt.Sprint("never-", n))) {
			unlike++
		}
	}
	if unlike < 5_000 {
		t.Errorf("the filter tells %d of 10,000 new ids", unlike)
	}
	for n, o := range appendAll(t, tenant, numberedEvents(0, before, "a")) {
		if o.Status != record.Unchanged || o.Seq != first[n].Seq {
			t.Fatalf("event %d again: %+v, want its first place %d", n, o, first[n].Seq)
		}
	}
	for n, o := range appendAll(t, tenant, numberedEvents(0, 100, "b")) {
		if !errors.Is(o.Err, record.ErrConflict) {
			t.Fatalf("another event of id %d: %+v", n, o)
		}
	}
	for n, o := range appendAll(t, tenant, numberedEvents(100_000, 100_500, "a")) {
		if o.Status != record.Unchanged {
			t.Fatalf("event %d, written when the filter began, again: %+v", 100_000+n, o)
		}
	}
	later := appendAll(t, tenant, numberedEvents(200_000, 200_500, "a"))
	for n, o := range appendAll(t, tenant, numberedEvents(200_000, 200_500, "a")) {
		if later[n].Status != record.Added || o.Status != record.Unchanged {
			t.Fatalf("event %d, written beside the filter: %+v, again: %+v", 200_000+n, later[n], o)
		}
	}
}

func TestNoFilterIsMadeOverADamagedTable(t *testing.T) {
	dir := t.TempDir()
	s, tenant := openTest(t, dir, testOptions())
	appendAll(t, tenant, numberedEvents(0, 20_000, "a"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, tenant = openTest(t, dir, testOptions()) // damage of before would keep it shut
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("tables %v, %v", tables, err)
	}
	for _, name := range tables {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		at := info.Size() / 20 // ids come first
		var b [1]byte
		if _, err := f.ReadAt(b[:], at); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{^b[0]}, at); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	filtered(t, s, tenant, 100_000)
	if s.seen.ready.Load() {
		t.Error("a filter is used that may lack ids")
	}
}
