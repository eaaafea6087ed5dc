package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/server/record"
)

func testMerge[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	session := func(id string) record.Event {
		e := f.event(id, "", "i1")
		e.Session = "s1"
		return e
	}
	f.write(of(session("a")), of(f.event("b", "ann", "i2")), of(session("c")))
	before, user := f.number("", "s1"), f.number("ann", "")
	merged := f.put(record.Added, merge("s1", "ann"))
	f.put(record.Added, of(session("d"))) // late events follow
	if f.number("", "s1") != user {
		t.Error("the session is not the user's")
	}
	if got := f.history(user); !slices.Equal(got, []string{"d", "c", "b", "a"}) {
		t.Errorf("history of the user %v", got)
	}
	if got := f.history(before); len(got) != 0 {
		t.Errorf("the session has kept %v", got)
	}
	events, err := f.tenant.History(user, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.UserNumber != user {
			t.Errorf("event %s of the history has number %d, not the user's", e.ID, e.UserNumber)
		}
		if wasSession := e.ID != "b"; wasSession != (e.Session == "s1") || wasSession != (e.User == "") {
			t.Errorf("event %s names %q and %q, not what it was sent with", e.ID, e.User, e.Session)
		}
	}
	if o := f.put(record.Unchanged, merge("s1", "ann")); o.Seq != merged.Seq {
		t.Errorf("the same merge again has place %d, the first %d", o.Seq, merged.Seq)
	}
	f.refuse(record.ErrConflict, merge("s1", "bob"))
	if _, known := f.tenant.UserNumber("bob", ""); known {
		t.Error("a refused merge made a user")
	}
	// Neither has to be known: the alias waits for events.
	f.put(record.Added, merge("s2", "cid"))
	e := f.event("e", "", "i1")
	e.Session = "s2"
	f.put(record.Added, of(e))
	if got := f.history(f.number("cid", "")); !slices.Equal(got, []string{"e"}) {
		t.Errorf("history of the user of the waiting session %v", got)
	}
	f.put(record.Added, merge("s3", "ann"))
	p, err := f.tenant.Profile("ann")
	slices.Sort(p.Sessions)
	if err != nil || !slices.Equal(p.Sessions, []string{"s1", "s3"}) {
		t.Errorf("profile %+v, %v", p, err)
	}
	var merges []record.Entry
	for _, e := range f.log(0) {
		if e.Merge != nil {
			merges = append(merges, e)
		}
	}
	if len(merges) != 3 || merges[0].UserNumber != user || merges[0].MergedNumber != before ||
		merges[1].MergedNumber != 0 || merges[2].UserNumber != user {
		t.Errorf("merges in the log: %+v", merges)
	}
}

func testErase[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	long := f.event("long", "ann", "i1")
	long.Text = string(make([]byte, 5000))
	beside, own := f.event("beside", "ann", "i1"), f.event("own", "", "i1")
	beside.Session, own.Session = "s1", "s2"
	f.write(of(f.event("a", "ann", "i1")), of(f.event("b", "bob", "i1")), of(long), of(beside), of(own), merge("s2", "ann"),
		record.Mutation{Profile: &record.Profile{User: "ann", OptOut: true}})
	number, old := f.number("ann", ""), f.tenant.Head().Seq
	decision := record.Decision{ID: record.NewDecisionID(f.now, 1), Time: f.now, UserNumber: number}
	if err := errors.Join(f.tenant.PutDecisions([]record.Decision{decision}),
		f.tenant.PutList(record.List{ID: "l", Time: f.now, UserNumber: number})); err != nil {
		t.Fatal(err)
	}
	f.put(record.Removed, eraseUser("ann"))

	for _, who := range [][2]string{{"ann", ""}, {"", "s1"}, {"", "s2"}} {
		if n, known := f.tenant.UserNumber(who[0], who[1]); known {
			t.Errorf("%q still has number %d", who, n)
		}
	}
	if _, _, known := f.tenant.Name(number); known {
		t.Error("the number still has a name")
	}
	if got := f.history(number); len(got) != 0 {
		t.Errorf("history %v", got)
	}
	_, errProfile := f.tenant.Profile("ann")
	_, errDecision := f.tenant.Decision(decision.ID)
	_, errList := f.tenant.List("l")
	for what, err := range map[string]error{"profile": errProfile, "decision": errDecision, "list": errList} {
		if !errors.Is(err, record.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	entries := f.log(0)
	if len(entries) != 2 || entries[0].Event == nil || entries[0].Event.ID != "b" {
		t.Fatalf("the log holds %+v", entries)
	}
	last := entries[1]
	if last.Erase == nil || last.UserNumber != number || last.Seq <= old || last.Erase.User != "" {
		t.Errorf("the record of the erase is %+v", last)
	}
	f.refuse(record.ErrNotFound, eraseUser("ann"))
	// The same person writes again, with the ids of before.
	f.put(record.Added, of(f.event("a", "ann", "i1")))
	if f.number("ann", "") == number {
		t.Error("the number came back")
	}
	f.refuse(record.ErrConflict, of(f.event("b", "ann", "i1"))) // bob's stands

	// A session alone, and one that was merged: the user keeps what is theirs.
	e := f.event("x", "", "i1")
	e.Session = "s9"
	f.write(of(e), merge("s9", "bob"))
	f.put(record.Removed, record.Mutation{Erase: &record.Erase{Session: "s9"}})
	if _, known := f.tenant.UserNumber("", "s9"); known {
		t.Error("the session is still known")
	}
	if got := f.history(f.number("bob", "")); !slices.Equal(got, []string{"x", "b"}) {
		t.Errorf("history of the user %v", got)
	}
	if p, err := f.tenant.Profile("bob"); err != nil || len(p.Sessions) != 0 {
		t.Errorf("profile %+v, %v", p, err)
	}
}

func testProfiles[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	p := record.Profile{User: "ann", OptOut: true, Updated: f.now.Add(-time.Hour), Attributes: map[string]record.Value{
		"age":   {Kind: record.KindNumber, Numbers: []float64{41}},
		"likes": {Kind: record.KindString, List: true, Strings: []string{"tea", "go"}},
		"since": {Kind: record.KindTime, Times: []time.Time{f.now}},
		"vip":   {Kind: record.KindBool, Bools: []bool{false}},
	}}
	first := f.put(record.Added, record.Mutation{Profile: &p})
	got, err := f.tenant.Profile("ann")
	if d := cmp.Diff(p, got); err != nil || d != "" {
		t.Errorf("profile: %v\n%s", err, d)
	}
	later := p
	later.Updated = f.now
	if o := f.put(record.Unchanged, record.Mutation{Profile: &later}); o.Seq != first.Seq {
		t.Errorf("the same content again: %+v, first %+v", o, first)
	}
	next := record.Profile{User: "ann"}
	f.put(record.Changed, record.Mutation{Profile: &next})
	got, err = f.tenant.Profile("ann")
	if err != nil || got.OptOut || got.Attributes != nil || !got.Updated.Equal(f.now) {
		t.Errorf("profile %+v, %v", got, err)
	}
	number := f.number("ann", "")
	if byNumber, err := f.tenant.ProfileByNumber(number); err != nil || byNumber.OptOut != got.OptOut || !byNumber.Updated.Equal(got.Updated) {
		t.Errorf("profile by number %+v, %v", byNumber, err)
	}
	// One who only has events has the empty profile.
	f.put(record.Added, of(f.event("e", "bob", "i1")))
	if got, err := f.tenant.Profile("bob"); err != nil || got.User != "bob" || got.OptOut {
		t.Errorf("profile %+v, %v", got, err)
	}
	for _, unknown := range []string{"cid", ""} {
		if _, err := f.tenant.Profile(unknown); !errors.Is(err, record.ErrNotFound) {
			t.Errorf("profile of %q: %v", unknown, err)
		}
	}
	entries := f.log(0)
	if len(entries) != 2 || entries[0].Profile == nil || entries[0].UserNumber != number || entries[0].Profile.OptOut {
		t.Errorf("the log holds %+v", entries)
	}
}

func testExport[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	own := f.event("s", "", "i1")
	own.Session = "s1"
	f.write(of(own))
	session := f.number("", "s1")
	f.write(of(f.event("a", "ann", "i1")), of(f.event("z", "bob", "i1")), of(f.event("b", "ann", "i2")), merge("s1", "ann"))
	number := f.number("ann", "")
	id := func(n uint64) string { return record.NewDecisionID(f.now, n) }
	if err := errors.Join(
		f.tenant.PutDecisions([]record.Decision{
			{ID: id(1), Time: f.now, UserNumber: number}, {ID: id(2), Time: f.now, UserNumber: session}, {ID: id(3), Time: f.now, UserNumber: 7},
		}),
		f.tenant.PutList(record.List{ID: "l1", Time: f.now, UserNumber: number})); err != nil {
		t.Fatal(err)
	}
	var got []string
	for part, err := range f.tenant.Export("ann") {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case part.Profile != nil:
			got = append(got, "profile "+part.Profile.User+" "+part.Profile.Sessions[0])
		case part.Event != nil:
			got = append(got, "event "+part.Event.ID)
		case part.Decision != nil:
			got = append(got, "decision "+part.Decision.ID)
		case part.List != nil:
			got = append(got, "list "+part.List.ID)
		}
	}
	want := []string{"profile ann s1", "event b", "event a", "event s", "decision " + id(1), "list l1", "decision " + id(2)}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("export:\n%s", d)
	}
	n := 0
	for range f.tenant.Export("ann") {
		if n++; n == 2 {
			break // a reader may leave
		}
	}
	var last error
	for _, last = range f.tenant.Export("nobody") {
	}
	if !errors.Is(last, record.ErrNotFound) {
		t.Errorf("export of an unknown user: %v", last)
	}
}

func testUserIDs[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	anonymous := f.event("e3", "", "i1")
	anonymous.Session = "s1"
	f.writeTo(f.create(record.Tenant{Name: "books"}), of(f.event("e", "other", "i1")))
	f.write(of(f.event("e1", "ann", "i1")), of(f.event("e2", "bob", "i1")), of(anonymous), of(f.event("e4", "zoe", "i1")))
	f.write(eraseUser("bob"))
	var got []string
	pages, after := 0, ""
	for {
		ids, next, err := f.tenant.UserIDs(after, 1)
		if err != nil {
			t.Fatal(err)
		}
		got, after = append(got, ids...), next
		if pages++; next == "" || pages > 5 {
			break
		}
	}
	if !slices.Equal(got, []string{"ann", "zoe"}) {
		t.Errorf("users %v, want ann and zoe", got)
	}
}
