package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/server/record"
)

// inbox collects what a follower gets.
type inbox struct {
	mu      sync.Mutex
	entries []record.Entry
}

func (b *inbox) take(entries []record.Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = append(b.entries, entries...)
}

// wait returns the entries once the one at a place has come.
func (b *inbox) wait(t *testing.T, seq uint64) []record.Entry {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		got := slices.Clone(b.entries)
		b.mu.Unlock()
		if len(got) > 0 && got[len(got)-1].Seq >= seq {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatalf("the follower has %d entries and not the one at %d", len(got), seq)
		}
	}
}

func testFollow[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	own := f.event("a", "", "i1")
	own.Session = "s1"
	f.write(of(own), row(record.Item{ID: "i1", Title: "Pen"}), of(f.event("b", "ann", "i1")))
	var all, later inbox
	stop, err := f.tenant.Follow(0, all.take)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	middle := f.tenant.Head().Seq
	stopLater, err := f.tenant.Follow(middle, later.take)
	if err != nil {
		t.Fatal(err)
	}
	// A follower is live once it has got the fourth entry that was written while it waited for each: it replays the log three
	// times at most before it joins. Only then does it get what an erasure takes back at once.
	for i := range 4 {
		f.put(record.Added, of(f.event(fmt.Sprint("m", i), "bob", "i1")))
		all.wait(t, f.tenant.Head().Seq)
		later.wait(t, f.tenant.Head().Seq)
	}
	session, ann := f.number("", "s1"), f.number("ann", "")
	patch := record.Patch{ID: "i1", Fields: []record.Field{record.FieldHidden}, Hidden: true}
	f.write(record.Mutation{Patch: &patch}, of(f.event("b", "ann", "i1")), merge("s1", "ann"))
	f.write(record.Mutation{Profile: &record.Profile{User: "ann", OptOut: true}},
		record.Mutation{Delete: &record.Delete{ID: "i1"}}, eraseUser("ann"))
	got := all.wait(t, f.tenant.Head().Seq)
	var kinds []string
	for _, e := range got {
		kinds = append(kinds, describe(e))
	}
	want := []string{"event a", "put i1 Pen", "event b", "event m0", "event m1", "event m2", "event m3", "patch i1 Pen true", "merge", "profile", "delete i1", "erase"}
	if d := cmp.Diff(want, kinds); d != "" {
		t.Fatalf("the follower got\n%s", d)
	}
	if e := got[0]; e.Stored.UserNumber != session || e.ItemNumber != 0 || e.Stored.Seq != e.Seq || !e.Received.Equal(f.now) {
		t.Errorf("event entry %+v of %+v", e, e.Stored)
	}
	if e := got[1]; e.ItemNumber != 0 || e.Row == nil {
		t.Errorf("item entry %+v", e)
	}
	if e := got[8]; e.UserNumber != ann || e.MergedNumber != session {
		t.Errorf("merge entry %+v", e)
	}
	for _, e := range got[9:] {
		if e.Delete == nil && e.UserNumber != ann {
			t.Errorf("entry %+v has not the user's number %d", e, ann)
		}
	}
	if rest := later.wait(t, f.tenant.Head().Seq); len(rest) != 9 {
		t.Errorf("the follower from %d got %d entries", middle, len(rest))
	}
	stopLater()
	before := len(later.entries)
	f.put(record.Added, of(f.event("c", "bob", "i1")))
	all.wait(t, f.tenant.Head().Seq)
	if len(later.entries) != before {
		t.Error("a stopped follower got an entry")
	}
}

func describe(e record.Entry) string {
	switch {
	case e.Event != nil:
		return "event " + e.Event.ID
	case e.Patch != nil:
		return fmt.Sprint("patch ", e.Row.ID, " ", e.Row.Title, " ", e.Row.Hidden)
	case e.Item != nil:
		return "put " + e.Row.ID + " " + e.Row.Title
	case e.Delete != nil:
		return "delete " + e.Delete.ID
	case e.Profile != nil:
		return "profile"
	case e.Merge != nil:
		return "merge"
	case e.Erase != nil:
		return "erase"
	case e.Promote != nil:
		return "promote " + e.Promote.Bundle
	}
	return "nothing"
}

func testFollowConcurrent[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	const writers, batches, size = 4, 20, 10
	var wg sync.WaitGroup
	boxes := make([]inbox, 5)
	for w := range writers {
		wg.Go(func() {
			for b := range batches {
				var batch []record.Mutation
				for i := range size {
					batch = append(batch, of(f.event(fmt.Sprintf("%d-%d-%d", w, b, i), "ann", "i1")))
				}
				if _, _, err := f.tenant.Append(t.Context(), batch); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	for i := range boxes {
		stop, err := f.tenant.Follow(0, boxes[i].take)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		time.Sleep(time.Millisecond) // they begin at different places
	}
	wg.Wait()
	for i := range boxes {
		got := boxes[i].wait(t, f.tenant.Head().Seq)
		if len(got) != writers*batches*size {
			t.Errorf("follower %d got %d entries of %d", i, len(got), writers*batches*size)
		}
		seen := map[string]bool{}
		for k, e := range got {
			if k > 0 && e.Seq <= got[k-1].Seq {
				t.Fatalf("follower %d got %d after %d", i, e.Seq, got[k-1].Seq)
			}
			if seen[e.Event.ID] {
				t.Fatalf("follower %d got %s twice", i, e.Event.ID)
			}
			seen[e.Event.ID] = true
		}
	}
}

func testLogReplaces[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	f.write(row(record.Item{ID: "i1", Title: "A"}), row(record.Item{ID: "i2", Title: "B"}), row(record.Item{ID: "i3", Title: "C"}))
	f.write(of(f.event("e", "ann", "i1")))
	f.write(row(record.Item{ID: "i1", Title: "A2"}),
		record.Mutation{Patch: &record.Patch{ID: "i1", Fields: []record.Field{record.FieldHidden}, Hidden: true}},
		record.Mutation{Delete: &record.Delete{ID: "i2"}},
		record.Mutation{Profile: &record.Profile{User: "ann"}},
		record.Mutation{Profile: &record.Profile{User: "ann", OptOut: true}})
	var got []string
	for _, e := range f.log(0) {
		got = append(got, describe(e))
		if e.Item != nil && e.Item.ID == "i1" && !e.Row.Hidden {
			t.Error("the patched row came without its patch")
		}
		if e.Profile != nil && !e.Profile.OptOut {
			t.Error("an earlier profile came")
		}
	}
	want := []string{"put i3 C", "event e", "put i1 A2", "delete i2", "profile"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the log:\n%s", d)
	}
	if rest := f.log(f.tenant.Head().Seq); len(rest) != 0 {
		t.Errorf("past its head the log has %v", rest)
	}
	if rest := f.log(^uint64(0)); len(rest) != 0 {
		t.Errorf("past all places the log has %v", rest)
	}
}
