package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// TestErasedPersonIsNotOnDisk looks for a person's words in all files.
func TestErasedPersonIsNotOnDisk(t *testing.T) {
	dir := t.TempDir()
	s, tenant := openTest(t, dir, testOptions())
	m := view("event-of-annabel", "annabel", "i1")
	m.Event.Session, m.Event.Text = "annabels-session", "annabel says this"
	mustAppend(t, tenant, m, view("event-of-bob", "bob", "i1"),
		record.Mutation{Profile: &record.Profile{User: "annabel", Attributes: map[string]record.Value{
			"home": {Kind: record.KindString, Strings: []string{"annabels home"}},
		}}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := filesWith(t, dir, "annabel"); n == 0 {
		t.Fatal("the search finds nothing before the erase")
	}
	s, tenant = openTest(t, dir, testOptions())
	mustAppend(t, tenant, record.Mutation{Erase: &record.Erase{User: "annabel"}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = openTest(t, dir, testOptions())
	if err := s.Compact(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := filesWith(t, dir, "annabel"); n != 0 {
		t.Errorf("%d files still know the person", n)
	}
	if n := filesWith(t, dir, "bob"); n == 0 {
		t.Error("the compaction took another person, too")
	}
}

func filesWith(t *testing.T, dir, word string) (n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(word)) {
			n++
		}
	}
	return n
}

// TestRemovalGoesOnAfterACrash leaves the note that a crash in the middle of an
// erase or a merge leaves.
func TestRemovalGoesOnAfterACrash(t *testing.T) {
	dir := t.TempDir()
	s, tenant := openTest(t, dir, testOptions())
	session := view("b", "", "i1")
	session.Event.Session = "s1"
	mustAppend(t, tenant, view("a", "ann", "i1"), session, view("c", "bob", "i1"))
	ann, _ := tenant.UserNumber("ann", "")
	from, _ := tenant.UserNumber("", "s1")
	bob, _ := tenant.UserNumber("bob", "")
	err := s.await(&request{control: func(w *writer) error {
		for _, r := range []*storepb.Removal{{Number: ann}, {Number: from, Heir: bob}} {
			if err := place(w, numberKey(tenant.number, kindRemoval, r.Number), r); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, tenant = openTest(t, dir, testOptions())
	if events, err := tenant.History(ann, 0, 10); err != nil || len(events) != 0 {
		t.Errorf("history %v, %v", events, err)
	}
	if events, err := tenant.History(bob, 0, 10); err != nil || len(events) != 2 {
		t.Errorf("history %v, %v", events, err)
	}
	if err := tenant.store.view(func(txn *badger.Txn) error {
		rows, err := firstRows(txn, prefixKey(tenant.number, kindRemoval), 10)
		if len(rows) != 0 {
			t.Errorf("%d notes are left", len(rows))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestLargeEraseAndMerge goes past the chunk of a removal and past the bound of
// a transaction.
func TestLargeEraseAndMerge(t *testing.T) {
	o := testOptions()
	o.MemTable = 8 << 20
	_, tenant := openTest(t, t.TempDir(), o)
	const n = 5000
	for first := 0; first < n; first += 1000 {
		var batch []record.Mutation
		for i := range 1000 {
			m := view(fmt.Sprint("s", first+i), "", "i1")
			m.Event.Session = "s1"
			batch = append(batch, m)
		}
		mustAppend(t, tenant, batch...)
	}
	mustAppend(t, tenant, record.Mutation{Merge: &record.Merge{Session: "s1", User: "ann"}})
	number, _ := tenant.UserNumber("ann", "")
	if events, err := tenant.History(number, 0, n+1); err != nil || len(events) != n {
		t.Fatalf("%d events after the merge, %v", len(events), err)
	}
	mustAppend(t, tenant, record.Mutation{Erase: &record.Erase{User: "ann"}})
	if events, err := tenant.History(number, 0, 1); err != nil || len(events) != 0 {
		t.Errorf("%d events after the erase, %v", len(events), err)
	}
	left := 0
	if err := tenant.ScanLog(0, func(record.Entry) error { left++; return nil }); err != nil || left != 1 {
		t.Errorf("%d entries after the erase, %v", left, err)
	}
}
