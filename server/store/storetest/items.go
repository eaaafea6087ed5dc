package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/server/record"
)

func fullItem(now time.Time) record.Item {
	stock := int64(3)
	return record.Item{
		ID: "i1", Title: "Fountain pen", Description: "It writes.", Categories: []string{"Office > Pens"},
		Tags: []string{"blue"}, Brand: "B", Seller: "S", Language: "en",
		Price: &record.Money{Currency: "EUR", Units: 12, Nanos: 500_000_000}, Stock: &stock,
		AvailableFrom: now.Add(-time.Hour), AvailableUntil: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
		Hidden: true, URL: "u", ImageURL: "v", Created: time.Date(1920, 1, 1, 0, 0, 0, 1, time.UTC), SourceTime: now,
		Group: "g", Vector: []float32{0.6, 0.8}, Attributes: map[string]record.Value{
			"nib": {Kind: record.KindString, List: true, Strings: []string{"F", "M"}},
		},
	}
}

func testItems[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	it := fullItem(f.now)
	first := f.put(record.Added, row(it))
	got, number, err := f.tenant.Item("i1")
	if d := cmp.Diff(it, got); err != nil || d != "" {
		t.Fatalf("item: %v\n%s", err, d)
	}
	if o := f.put(record.Unchanged, row(it)); o.Seq != first.Seq {
		t.Errorf("the same row again: %+v, first %+v", o, first)
	}
	// A newer feed that says the same makes what lies between stale.
	renewed := it
	renewed.SourceTime = f.now.Add(time.Hour)
	f.put(record.Unchanged, row(renewed))
	between := it
	between.Title, between.SourceTime = "Old pen", f.now.Add(time.Minute)
	if o := f.put(record.Stale, row(between)); o.Seq != first.Seq {
		t.Errorf("a stale row: %+v", o)
	}
	if got, _, _ := f.tenant.Item("i1"); got.Title != it.Title {
		t.Errorf("a stale feed put title %q", got.Title)
	}
	between.SourceTime = time.Time{} // a feed that does not say is taken as new
	changed := f.put(record.Changed, row(between))
	if changed.Seq <= first.Seq {
		t.Errorf("a change has place %d, the row before has %d", changed.Seq, first.Seq)
	}
	f.put(record.Removed, record.Mutation{Delete: &record.Delete{ID: "i1"}})
	if _, _, err := f.tenant.Item("i1"); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("a deleted item: %v", err)
	}
	f.refuse(record.ErrNotFound, record.Mutation{Delete: &record.Delete{ID: "i1"}})
	f.refuse(record.ErrNotFound, record.Mutation{Delete: &record.Delete{ID: "never"}})
	f.put(record.Added, row(it))
	if _, again, err := f.tenant.Item("i1"); err != nil || again != number {
		t.Errorf("after a delete the item has number %d, before %d: %v", again, number, err)
	}
	// An item of events alone has a number, and the row that comes later keeps it.
	if o := f.put(record.Added, of(f.event("e", "ann", "i2"))); !o.Unjoined {
		t.Errorf("outcome %+v of an event on an item without a row", o)
	}
	second, known := f.tenant.ItemNumber("i2")
	if !known || second == number {
		t.Fatalf("number %d %v", second, known)
	}
	if id, known := f.tenant.ItemID(second); id != "i2" || !known {
		t.Errorf("id of %d: %q %v", second, id, known)
	}
	if _, err := f.tenant.ItemByNumber(second); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("row of an item of events alone: %v", err)
	}
	f.put(record.Added, row(record.Item{ID: "i2", Title: "Ink"}))
	got, err = f.tenant.ItemByNumber(second)
	if err != nil || got.Title != "Ink" || !got.Created.Equal(f.now) {
		t.Errorf("row %+v, %v; created is the first upload", got, err)
	}
	if o := f.put(record.Added, of(f.event("e2", "ann", "i2"))); o.Unjoined {
		t.Error("the item is in the catalog")
	}
	f.now = f.now.Add(time.Hour)
	f.put(record.Unchanged, row(record.Item{ID: "i2", Title: "Ink"}))
	f.put(record.Changed, row(record.Item{ID: "i2", Title: "Inks"}))
	if got, _ := f.tenant.ItemByNumber(second); !got.Created.Equal(f.now.Add(-time.Hour)) {
		t.Errorf("created moved to %v", got.Created)
	}
	for _, id := range []string{"", "i3"} {
		if n, known := f.tenant.ItemNumber(id); known {
			t.Errorf("item %q has number %d", id, n)
		}
	}
	if id, known := f.tenant.ItemID(99); known {
		t.Errorf("number 99 is %q", id)
	}
}

func testPatch[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	it := fullItem(f.now)
	f.put(record.Added, row(it))
	stock := int64(0)
	all := record.Patch{
		ID:     "i1",
		Fields: []record.Field{record.FieldPrice, record.FieldStock, record.FieldAvailableFrom, record.FieldAvailableUntil, record.FieldHidden},
		Stock:  &stock, AvailableUntil: f.now.Add(time.Hour), SourceTime: f.now.Add(time.Minute),
	}
	f.put(record.Changed, record.Mutation{Patch: &all})
	want := it
	want.Price, want.Stock, want.Hidden = nil, &stock, false
	want.AvailableFrom, want.AvailableUntil, want.SourceTime = time.Time{}, all.AvailableUntil, all.SourceTime
	got, _, err := f.tenant.Item("i1")
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("item after a patch: %v\n%s", err, d)
	}
	f.put(record.Unchanged, record.Mutation{Patch: &all})
	one := record.Patch{ID: "i1", Fields: []record.Field{record.FieldHidden}, Hidden: true, Stock: nil}
	f.put(record.Changed, record.Mutation{Patch: &one})
	want.Hidden = true
	if got, _, _ := f.tenant.Item("i1"); cmp.Diff(want, got) != "" {
		t.Errorf("a patch of one field changed more:\n%s", cmp.Diff(want, got))
	}
	late := record.Patch{ID: "i1", Fields: []record.Field{record.FieldHidden}, SourceTime: f.now}
	f.put(record.Stale, record.Mutation{Patch: &late})
	f.refuse(record.ErrInvalid, record.Mutation{Patch: &record.Patch{ID: "i1", Fields: []record.Field{"title"}}})
	// A bound that is right by itself and contradicts the other, which the row has.
	before := record.Patch{ID: "i1", Fields: []record.Field{record.FieldAvailableFrom}, AvailableFrom: f.now.Add(2 * time.Hour)}
	f.refuse(record.ErrInvalid, record.Mutation{Patch: &before})
	f.put(record.Added, of(f.event("e", "ann", "i2")))
	for _, id := range []string{"i2", "never"} {
		f.refuse(record.ErrNotFound, record.Mutation{Patch: &record.Patch{ID: id, Fields: []record.Field{record.FieldHidden}}})
	}
	// The patched row is what the next feed is compared with.
	it.SourceTime = f.now.Add(2 * time.Minute)
	f.put(record.Changed, row(it))
	f.put(record.Unchanged, row(it))
}

func testCatalogReads[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	ids := []string{"c", "a", "e", "b", "d", "ab"}
	for _, id := range ids {
		f.put(record.Added, row(record.Item{ID: id, Title: "Title of " + id}))
	}
	f.put(record.Removed, record.Mutation{Delete: &record.Delete{ID: "b"}})
	f.put(record.Added, of(f.event("v", "ann", "only event")))
	var got []string
	for after := ""; ; {
		page, next, err := f.tenant.Items(after, 2)
		if err != nil || len(page) > 2 {
			t.Fatalf("page after %q: %d items, %v", after, len(page), err)
		}
		for _, it := range page {
			got = append(got, it.ID)
		}
		if next == "" {
			break
		}
		after = next
	}
	if want := []string{"a", "ab", "c", "d", "e"}; !slices.Equal(got, want) {
		t.Errorf("pages %v, want %v", got, want)
	}
	if _, next, err := f.tenant.Items("", 5); err != nil || next != "" {
		t.Errorf("a page that holds all has a next %q, %v", next, err)
	}
	if _, _, err := f.tenant.Items("", 0); err == nil {
		t.Error("a limit of 0 was taken")
	}
	var numbers []uint32
	got = nil
	err := f.tenant.ScanItems(func(n uint32, it *record.Item) error {
		numbers, got = append(numbers, n), append(got, it.ID)
		return nil
	})
	if err != nil || !slices.Equal(got, []string{"c", "a", "e", "d", "ab"}) || !slices.Equal(numbers, []uint32{0, 1, 2, 4, 5}) {
		t.Errorf("scan %v of numbers %v, %v", got, numbers, err)
	}
	got = nil
	err = f.tenant.ScanItemIDs(func(n uint32, id string, live bool) error {
		got = append(got, fmt.Sprint(n, id, live))
		return nil
	})
	want := []string{"0ctrue", "1atrue", "2etrue", "3bfalse", "4dtrue", "5abtrue", "6only eventfalse"}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("scan of ids: %v\n%s", err, d)
	}
	stop := errors.New("enough")
	if err := f.tenant.ScanItems(func(uint32, *record.Item) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the scan returned %v", err)
	}
}
