package storetest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/server/record"
)

func promote(p record.Promotion) record.Mutation { return record.Mutation{Promote: &p} }

func testPromotions[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	one, two := strings.Repeat("01", 32), strings.Repeat("02", 32)
	read := func(limit int) []record.Promoted {
		t.Helper()
		list, err := f.tenant.Promotions(limit)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if list := read(10); len(list) != 0 {
		t.Errorf("before the first: %v", list)
	}
	var box inbox
	stop, err := f.tenant.Follow(0, box.take)
	if err != nil {
		t.Fatal(err)
	}
	first := record.Promotion{Bundle: one, By: "key1", Note: "the first", Forced: true, Checks: []record.Check{
		{Name: "overlap_at_10", Measured: 0.25, Bound: 0.5, Failed: true}, {Name: "p99_ms", Bound: 5, AtMost: true, Unmeasured: true},
	}}
	a := f.put(record.Added, promote(first))
	f.write(of(f.event("e", "ann", "i1")))
	if o := f.put(record.Unchanged, promote(first)); o.Seq != a.Seq {
		t.Errorf("again: place %d, then %d", a.Seq, o.Seq)
	}
	// One that was decided on when nothing was promoted comes late.
	if o := f.refuse(record.ErrConflict, promote(record.Promotion{Bundle: two})); o.Seq != a.Seq {
		t.Errorf("the conflict names place %d, not %d", o.Seq, a.Seq)
	}
	second := record.Promotion{Bundle: two, Previous: one}
	back := record.Promotion{Previous: two, Rollback: true}
	b := f.put(record.Changed, promote(second))
	c := f.put(record.Changed, promote(back))
	f.refuse(record.ErrInvalid, promote(record.Promotion{Bundle: "x"}))
	want := []record.Promoted{{Promotion: back, Seq: c.Seq, Time: f.now}, {Promotion: second, Seq: b.Seq, Time: f.now}, {Promotion: first, Seq: a.Seq, Time: f.now}}
	kinds := func(entries []record.Entry) (list []string) {
		for _, e := range entries {
			list = append(list, describe(e))
		}
		return list
	}
	all := []string{"promote " + one, "event e", "promote " + two, "promote "}
	got := box.wait(t, c.Seq)
	stop()
	if d := cmp.Diff(all, kinds(got)); d != "" {
		t.Errorf("the follower got\n%s", d)
	}
	if e := got[0]; cmp.Diff(&first, e.Promote) != "" || !e.Received.Equal(f.now) || e.ItemNumber != record.NoItem {
		t.Errorf("entry %+v", e)
	}
	for range 2 {
		if d := cmp.Diff(want, read(10)); d != "" {
			t.Errorf("history:\n%s", d)
		}
		if d := cmp.Diff(want[:1], read(1)); d != "" {
			t.Errorf("the last:\n%s", d)
		}
		if d := cmp.Diff(all, kinds(f.log(0))); d != "" {
			t.Errorf("the log:\n%s", d)
		}
		f.restart()
	}
	other := f.create(record.Tenant{Name: "books"})
	if list, err := other.Promotions(10); err != nil || len(list) != 0 {
		t.Errorf("another tenant has %v, %v", list, err)
	}
	dry, err := f.tenant.DryRun(t.Context(), []record.Mutation{promote(record.Promotion{Bundle: one}), promote(record.Promotion{Bundle: two})})
	if err != nil || dry[0].Status != record.Changed || dry[1].Status != record.Refused {
		t.Errorf("dry run: %v, %v", dry, err)
	}
	if d := cmp.Diff(want, read(10)); d != "" {
		t.Errorf("after a dry run:\n%s", d)
	}
}
