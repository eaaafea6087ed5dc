package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// TestCompactTakesTheErasedOffTheDiskOfAnOpenStore erases a person among others, whose
// rows lie in tables of several levels and in the memtable, and looks through every byte.
func TestCompactTakesTheErasedOffTheDiskOfAnOpenStore(t *testing.T) {
	dir := t.TempDir()
	s, tenant := openTest(t, dir, testOptions())
	now := time.Now()
	write := func(round int) {
		for i := range 300 {
			user := fmt.Sprint("somebody", i)
			if i%10 == 0 {
				user = "annabel"
			}
			m := view(fmt.Sprintf("%s-%d-%d", user, round, i), user, "i1")
			m.Event.Session, m.Event.Text = user+"-session", user+" says this"
			mustAppend(t, tenant, m)
		}
		mustAppend(t, tenant, record.Mutation{Profile: &record.Profile{User: "annabel", Attributes: map[string]record.Value{
			"home": {Kind: record.KindString, Strings: []string{fmt.Sprint("annabels home ", round)}},
		}}}, record.Mutation{Merge: &record.Merge{Session: fmt.Sprint("annabels-other-session", round), User: "annabel"}})
		number, _ := tenant.UserNumber("annabel", "")
		err := tenant.PutDecisions([]record.Decision{{
			ID: record.NewDecisionID(now, uint64(round)), Time: now, UserNumber: number, Surface: "annabels surface",
		}})
		if err != nil {
			t.Fatal(err)
		}
		id := record.NewDecisionID(now, uint64(100+round))
		if err := tenant.PutList(record.List{ID: id, Time: now, UserNumber: number, Surface: "annabels list"}); err != nil {
			t.Fatal(err)
		}
	}
	write(0)
	if err := s.Compact(); err != nil { // into the lowest level
		t.Fatal(err)
	}
	write(1)
	if err := s.emptyMemtables(); err != nil { // into another one
		t.Fatal(err)
	}
	write(2)
	if filesWith(t, dir, "annabel") < 2 {
		t.Fatal("the search does not find the person in several files before the erase")
	}
	if at := s.Storage().EraseWaits; !at.IsZero() {
		t.Errorf("an erase waits since %s before there was one", at)
	}
	out, _, err := tenant.Append(context.Background(), []record.Mutation{{Erase: &record.Erase{User: "annabel"}}})
	if err != nil || out[0].Err != nil || out[0].Receipt.Events != 90 {
		t.Fatalf("erase: %+v, %v", out, err)
	}
	if s.Storage().EraseWaits.IsZero() {
		t.Error("no erase waits")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, tenant = openTest(t, dir, testOptions())
	if s.Storage().EraseWaits.IsZero() {
		t.Error("no erase waits after a restart")
	}
	if err := s.Compact(); err != nil {
		t.Fatal(err)
	}
	if n := filesWith(t, dir, "annabel"); n != 0 {
		t.Errorf("%d files still know the person", n)
	}
	if n := filesWith(t, dir, "somebody1"); n == 0 {
		t.Error("the compaction took another person, too")
	}
	if st := s.Storage(); !st.EraseWaits.IsZero() || st.Compacted.IsZero() {
		t.Errorf("after the compaction %+v", st)
	}
	// The store goes on.
	write(3)
	number, _ := tenant.UserNumber("annabel", "")
	if events, err := tenant.History(number, 0, 100); err != nil || len(events) != 30 || !strings.HasPrefix(events[0].ID, "annabel-3") {
		t.Errorf("%d events after it, %v", len(events), err)
	}
}

// TestCompactAmongWritersLosesNothing empties the memtables under load.
func TestCompactAmongWritersLosesNothing(t *testing.T) {
	dir := t.TempDir()
	s, tenant := openTest(t, dir, testOptions())
	const writers, each = 4, 200
	failed := make(chan error, writers)
	for w := range writers {
		go func() {
			for i := range each {
				out, _, err := tenant.Append(context.Background(), []record.Mutation{view(fmt.Sprint(w, "-", i), fmt.Sprint("u", i%7), "i1")})
				if err == nil {
					err = out[0].Err
				}
				if err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range 5 {
		if err := s.Compact(); err != nil {
			t.Error(err)
		}
	}
	for range writers {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, tenant = openTest(t, dir, testOptions())
	n := 0
	if err := tenant.ScanLog(0, func(record.Entry) error { n++; return nil }); err != nil || n != writers*each {
		t.Errorf("%d entries, %v", n, err)
	}
}
