package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/server/record"
)

func testBadRows[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	long, broken := strings.Repeat("x", record.MaxID+1), "\xff"
	events := map[string]func(*record.Event){
		"no id": func(e *record.Event) { e.ID = "" }, "long id": func(e *record.Event) { e.ID = long },
		"broken id": func(e *record.Event) { e.ID = broken }, "nobody": func(e *record.Event) { e.User = "" },
		"long user": func(e *record.Event) { e.User = long }, "broken session": func(e *record.Event) { e.Session = broken },
		"long item": func(e *record.Event) { e.Item = long }, "broken text": func(e *record.Event) { e.Text = broken },
		"broken context": func(e *record.Event) { e.Context = map[string]string{"a": broken} },
		"no time":        func(e *record.Event) { e.Time = time.Time{} },
		"far future":     func(e *record.Event) { e.Time = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) },
	}
	var batch []record.Mutation
	var names []string
	bad := func(name string, m record.Mutation) { batch, names = append(batch, m), append(names, name) }
	for name, change := range events {
		e := f.event("e", "ann", "i1")
		change(&e)
		bad("event with "+name, of(e))
	}
	e, it := f.event("e", "ann", "i1"), record.Item{ID: "i1"}
	bad("nothing", record.Mutation{})
	bad("two changes", record.Mutation{Event: &e, Item: &it})
	bad("item without id", row(record.Item{Title: "x"}))
	bad("item with a broken title", row(record.Item{ID: "i1", Title: broken}))
	bad("patch without id", record.Mutation{Patch: &record.Patch{Fields: []record.Field{record.FieldHidden}}})
	bad("delete without id", record.Mutation{Delete: &record.Delete{}})
	bad("profile without user", record.Mutation{Profile: &record.Profile{}})
	bad("merge without user", merge("s", ""))
	bad("merge without session", merge("", "u"))
	bad("erase of nobody", record.Mutation{Erase: &record.Erase{}})
	bad("erase of two", record.Mutation{Erase: &record.Erase{User: "u", Session: "s"}})
	batch = append(batch, of(e), row(it))
	out := f.write(batch...)
	for i, name := range names {
		if out[i].Status != record.Refused || !errors.Is(out[i].Err, record.ErrInvalid) || out[i].Seq != 0 {
			t.Errorf("%s: %+v", name, out[i])
		}
	}
	if a, b := out[len(out)-2], out[len(out)-1]; a.Status != record.Added || b.Status != record.Added {
		t.Errorf("the good rows: %+v, %+v", a, b)
	}
	if got := f.log(0); len(got) != 2 {
		t.Errorf("the log holds %d entries", len(got))
	}
	huge := record.Item{ID: "huge", Attributes: map[string]record.Value{}}
	for i := range 64 {
		v := record.Value{Kind: record.KindString, List: true}
		for range 64 {
			v.Strings = append(v.Strings, strings.Repeat("x", 1<<10))
		}
		huge.Attributes[fmt.Sprint("a", i)] = v
	}
	f.refuse(record.ErrLimit, row(huge))
	f.refuse(record.ErrLimit, record.Mutation{Profile: &record.Profile{User: "ann", Attributes: huge.Attributes}})
}

func testLimits[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	for i := range 20 {
		f.put(record.Added, of(f.event(fmt.Sprint("e", i), "ann", fmt.Sprint("i", i))))
	}
	f.refuse(record.ErrLimit, of(f.event("x", "bob", "one more")))
	f.refuse(record.ErrLimit, row(record.Item{ID: "one more"}))
	if _, known := f.tenant.UserNumber("bob", ""); known {
		t.Error("a refused event left a user behind")
	}
	f.put(record.Added, row(record.Item{ID: "i7"})) // has a number already
	for i := range 29 {
		f.put(record.Added, of(f.event(fmt.Sprint("u", i), fmt.Sprint("user", i), "i1")))
	}
	both := f.event("y", "ann", "i1")
	both.Session = "one more"
	f.refuse(record.ErrLimit, of(both))
	f.refuse(record.ErrLimit, of(f.event("z", "one more", "i1")))
	f.refuse(record.ErrLimit, merge("one more", "ann"))
	f.refuse(record.ErrLimit, record.Mutation{Profile: &record.Profile{User: "one more"}})
	f.put(record.Removed, eraseUser("user3"))
	f.put(record.Added, of(f.event("z", "one more", "i1")))
}

func testDryRun[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	f.write(row(record.Item{ID: "i1", Title: "A", SourceTime: f.now}), of(f.event("e1", "ann", "i1")))
	other := f.event("e1", "ann", "i2")
	batch := []record.Mutation{
		of(f.event("e1", "ann", "i1")), of(other), of(f.event("e2", "bob", "i9")), of(f.event("e2", "bob", "i9")),
		row(record.Item{ID: "i1", Title: "A"}), row(record.Item{ID: "i1", Title: "B"}), row(record.Item{ID: "i2"}), row(record.Item{ID: "i2"}),
		row(record.Item{ID: "i1", Title: "C", SourceTime: f.now.Add(-time.Hour)}),
		{Delete: &record.Delete{ID: "i1"}}, {Delete: &record.Delete{ID: "i1"}},
		{Profile: &record.Profile{User: "cid"}}, {Profile: &record.Profile{User: "cid"}},
		merge("s", "cid"), merge("s", "bob"), eraseUser("cid"), eraseUser("cid"), {},
	}
	head, before := f.tenant.Head(), f.log(0)
	dry, err := f.tenant.DryRun(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	if f.tenant.Head() != head || cmp.Diff(before, f.log(0)) != "" {
		t.Error("a dry run wrote")
	}
	if _, known := f.tenant.UserNumber("bob", ""); known {
		t.Error("a dry run made a user")
	}
	wet := f.write(batch...)
	for i := range batch {
		if dry[i].Status != wet[i].Status || dry[i].Unjoined != wet[i].Unjoined || (dry[i].Err == nil) != (wet[i].Err == nil) {
			t.Errorf("mutation %d: dry %+v, wet %+v", i, dry[i], wet[i])
		}
	}
}
