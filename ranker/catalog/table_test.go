package catalog

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func newTable(t testing.TB, limits Limits) *Table {
	t.Helper()
	table, err := New(limits)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func mustPut(t testing.TB, table *Table, number uint32, item Item) {
	t.Helper()
	if err := table.Put(number, item); err != nil {
		t.Fatal(err)
	}
}

func texts(dictionary *Dictionary, codes []uint32) []string {
	names := make([]string, len(codes))
	for i, code := range codes {
		names[i] = dictionary.Text(code)
	}
	return names
}

func TestAnItemReadsBackAsItWasPut(t *testing.T) {
	table := newTable(t, Limits{})
	for _, d := range []Declaration{
		{Name: "sheets", Kind: KindNumber}, {Name: "color", Kind: KindString, List: true},
		{Name: "recycled", Kind: KindBool}, {Name: "harvested", Kind: KindTime}, {Name: "none", Kind: KindString, List: true},
	} {
		if _, err := table.Declare(d.Name, d.Kind, d.List); err != nil {
			t.Fatal(err)
		}
	}
	mustPut(t, table, 7, Item{
		ID: "paper-1", Title: "Copy paper", Price: new(4.5), Stock: new(int64(3)),
		AvailableFrom: 10, AvailableUntil: 20, Created: 5, Hidden: true,
		Categories: []string{"Office > Paper > A4", "Office > Sale"}, Tags: []string{"new", "eco", "new"},
		Brand: "Acme", Seller: "Bob", Language: "de", Group: "copy paper",
		Attributes: []Attribute{
			{"none", Strings()}, {"recycled", Bool(true)}, {"color", Strings("white", "", "white")},
			{"sheets", Number(500)}, {"harvested", Time(-1)},
		},
	})
	row := table.Row(7)
	if row.ID != "paper-1" || row.Title != "Copy paper" || row.Price != 4.5 || row.Stock != 3 || row.Number != 7 ||
		row.AvailableFrom != 10 || row.AvailableUntil != 20 || row.Created != 5 || !row.Hidden {
		t.Errorf("plain fields differ: %+v", row)
	}
	if diff := cmp.Diff([]string{"Office", "Office > Paper", "Office > Paper > A4", "A4", "Office > Sale", "Sale"},
		texts(table.Categories, row.Categories)); diff != "" {
		t.Errorf("every prefix and the leaf of each path, each once: %s", diff)
	}
	if main := table.Categories.Text(row.Category); main != "Office > Paper > A4" {
		t.Errorf("the main category is the whole first path, got %q", main)
	}
	if diff := cmp.Diff([]string{"new", "eco"}, texts(table.Tags, row.Tags)); diff != "" {
		t.Errorf("tags: %s", diff)
	}
	if got := table.Brands.Text(row.Brand) + table.Sellers.Text(row.Seller) + table.Languages.Text(row.Language) +
		table.Groups.Text(row.Group); got != "AcmeBobdecopy paper" {
		t.Errorf("brand, seller, language, group: %q", got)
	}
	want := []Attribute{ // by slot, in the order of declaration
		{"sheets", Number(500)}, {"color", Strings("white", "", "white")}, {"recycled", Bool(true)},
		{"harvested", Time(-1)}, {"none", Strings()},
	}
	got := table.Attributes(row)
	if len(got) != len(want) {
		t.Fatalf("%d attributes, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].Name != want[i].Name || got[i].Value.Type() != want[i].Value.Type() || got[i].Value.Len() != want[i].Value.Len() {
			t.Errorf("attribute %d is %s, a %s of %d; want %s", i, got[i].Name, got[i].Value.Type(), got[i].Value.Len(), want[i].Name)
		}
	}
	if got[0].Value.Number(0) != 500 || got[1].Value.Text(0) != "white" || got[1].Value.Text(1) != "" ||
		!got[2].Value.Bool(0) || got[3].Value.Time(0) != -1 {
		t.Errorf("attribute values differ: %+v", got)
	}
	if row.Attribute(4) == nil || row.Attribute(5) != nil {
		t.Error("an empty list is present, an attribute not given is absent")
	}
}

func TestWhatIsNotGivenMeansNone(t *testing.T) {
	table := newTable(t, Limits{})
	mustPut(t, table, 0, Item{ID: "bare"})
	row := table.Row(0)
	if row.HasPrice() || row.Stock != Unlimited || !row.InStock() || row.Brand != 0 || row.Category != 0 ||
		len(row.Categories)+len(row.Tags)+len(row.Attributes) != 0 || !row.Servable(0) {
		t.Errorf("a bare item has no price, unlimited stock, and is servable: %+v", row)
	}
	if table.Row(1) != nil || table.Row(math.MaxUint32) != nil {
		t.Error("numbers without an item must read as nil")
	}
}

func TestWithheldNamesTheFirstReason(t *testing.T) {
	for _, c := range []struct {
		row  *Row
		now  int64
		want Reason
	}{
		{nil, 0, Missing},
		{&Row{Stock: Unlimited}, 0, None},
		{&Row{Stock: 1, Hidden: true}, 0, Hidden},
		{&Row{Stock: 0, Hidden: true}, 0, Hidden},
		{&Row{Stock: 0}, 0, OutOfStock},
		{&Row{Stock: 1, AvailableFrom: 100}, 99, NotYetAvailable},
		{&Row{Stock: 1, AvailableFrom: 100}, 100, None}, // the first moment counts
		{&Row{Stock: 1, AvailableUntil: 100}, 99, None},
		{&Row{Stock: 1, AvailableUntil: 100}, 100, NoLongerAvailable}, // the last one does not
		{&Row{Stock: 1, AvailableFrom: 0, AvailableUntil: 0}, 1 << 60, None},
	} {
		if got := c.row.Withheld(c.now); got != c.want {
			t.Errorf("%+v at %d: %v, want %v", c.row, c.now, got, c.want)
		}
		if c.row.Servable(c.now) != (c.want == None) {
			t.Errorf("%+v at %d: Servable disagrees with Withheld", c.row, c.now)
		}
	}
}

func TestAPatchChangesOnlyWhatItNames(t *testing.T) {
	table := newTable(t, Limits{})
	mustPut(t, table, 0, Item{ID: "a", Title: "A", Price: new(2.0), Brand: "Acme", Tags: []string{"x"}})
	before := table.Row(0)
	if err := table.Patch(0, Patch{Stock: new(int64(0)), AvailableUntil: new(int64(9))}); err != nil {
		t.Fatal(err)
	}
	want := *before
	want.Stock, want.AvailableUntil = 0, 9
	if diff := cmp.Diff(&want, table.Row(0)); diff != "" {
		t.Error(diff)
	}
	if before.Stock != Unlimited {
		t.Error("a row that a reader holds must not change")
	}
	if err := table.Patch(0, Patch{Price: new(math.NaN()), Hidden: new(true)}); err != nil {
		t.Fatal(err)
	}
	if row := table.Row(0); row.HasPrice() || !row.Hidden || row.Stock != 0 {
		t.Errorf("NaN removes the price and leaves the rest: %+v", row)
	}
	err := table.Patch(0, Patch{AvailableFrom: new(int64(9))})
	if field := new(FieldError); !errors.As(err, &field) || field.Field != "available_until" {
		t.Errorf("a patch that empties the window of the row: %v", err)
	}
	if err := table.Patch(1, Patch{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("patching nothing: %v", err)
	}
}

func TestBadItemsAreRefusedFieldByFieldAndChangeNothing(t *testing.T) {
	table := newTable(t, Limits{MaxItems: 10, MaxItemBytes: 100, MaxListLength: 4, MaxTexts: 2, MaxAttributes: 2})
	for name, list := range map[string]bool{"size": false, "sizes": true} {
		if _, err := table.Declare(name, KindNumber, list); err != nil {
			t.Fatal(err)
		}
	}
	mustPut(t, table, 0, Item{ID: "here", Brand: "b1"})
	mustPut(t, table, 1, Item{ID: "too", Brand: "b2"})
	for _, c := range []struct {
		why    string
		item   Item
		fields string
		is     error
	}{
		{"an item needs an id", Item{}, "id", ErrInvalid},
		{"all bad fields are named at once", Item{ID: "x", Price: new(-1.0), Stock: new(int64(-2)), Tags: []string{"ok", ""}},
			"price stock tags[1]", ErrInvalid},
		{"a price is a number", Item{ID: "x", Price: new(math.NaN())}, "price", ErrInvalid},
		{"a window must hold a moment", Item{ID: "x", AvailableFrom: 5, AvailableUntil: 5}, "available_until", ErrInvalid},
		{"times end with the year 9999", Item{ID: "x", Created: math.MaxInt64}, "created", ErrInvalid},
		{"text is UTF-8", Item{ID: "x", Title: "\xff"}, "title", ErrInvalid},
		{"levels are not empty", Item{ID: "x", Categories: []string{"A > B", "A >  > B"}}, "categories[1] categories", ErrInvalid},
		{"a path is not empty", Item{ID: "x", Categories: []string{""}}, "categories[0]", ErrInvalid},
		{"prefixes and leaf count", Item{ID: "x", Categories: []string{"A > B > C > D"}}, "categories", ErrLimit},
		{"lists are bounded", Item{ID: "x", Tags: strings.Fields("a b c d e")}, "tags", ErrLimit},
		{"items are bounded", Item{ID: "x", Title: strings.Repeat("a", 100)}, "item", ErrLimit},
		{"attributes are declared", Item{ID: "x", Attributes: []Attribute{{"siez", Number(1)}}}, "attributes.siez", ErrUndeclared},
		{"types are kept", Item{ID: "x", Attributes: []Attribute{{"size", String("1")}}}, "attributes.size", ErrConflict},
		{"a list is another type", Item{ID: "x", Attributes: []Attribute{{"size", Numbers(1)}}}, "attributes.size", ErrConflict},
		{"no value has no type", Item{ID: "x", Attributes: []Attribute{{Name: "size"}}}, "attributes.size", ErrConflict},
		{"numbers are finite", Item{ID: "x", Attributes: []Attribute{{"sizes", Numbers(1, math.Inf(1))}}}, "attributes.sizes", ErrInvalid},
		{"an attribute is given once", Item{ID: "x", Attributes: []Attribute{{"size", Number(1)}, {"size", Number(2)}}}, "attributes.size", ErrInvalid},
		{"dictionaries are bounded", Item{ID: "x", Brand: "b3"}, "brand", ErrLimit},
	} {
		err := table.Put(2, c.item)
		var refused FieldErrors
		if !errors.As(err, &refused) || !errors.Is(err, c.is) {
			t.Errorf("%s: got %v, want FieldErrors with %v", c.why, err, c.is)
			continue
		}
		var fields []string
		for _, field := range refused {
			fields = append(fields, field.Field)
		}
		if got := strings.Join(fields, " "); got != c.fields {
			t.Errorf("%s: refused %q, want %q", c.why, got, c.fields)
		}
	}
	if err := table.Put(0, Item{ID: "other"}); !errors.Is(err, ErrTaken) {
		t.Errorf("a number belongs to one id: %v", err)
	}
	if err := table.Put(10, Item{ID: "x"}); !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "10") {
		t.Errorf("numbers are bounded: %v", err)
	}
	if table.Row(2) != nil || table.Count() != 2 || table.Len() != 2 || table.Version() != 2 || table.Brands.Len() != 3 {
		t.Error("what was refused left a trace")
	}
}

func TestADictionaryIsBoundedInBytes(t *testing.T) {
	table := newTable(t, Limits{MaxTextBytes: 5})
	mustPut(t, table, 0, Item{ID: "a", Brand: "12345"})
	if err := table.Put(1, Item{ID: "b", Brand: "6"}); !errors.Is(err, ErrLimit) {
		t.Errorf("six bytes in five: %v", err)
	}
	mustPut(t, table, 1, Item{ID: "b", Brand: "12345", Seller: "12345"}) // known, and another dictionary
}

func TestAnEqualItemMovesNoVersion(t *testing.T) {
	table := newTable(t, Limits{})
	if _, err := table.Declare("size", KindNumber, false); err != nil {
		t.Fatal(err)
	}
	item := Item{ID: "a", Title: "A", Tags: []string{"x"}, Attributes: []Attribute{{"size", Number(0)}}}
	mustPut(t, table, 0, item)
	mustPut(t, table, 0, item)
	item.Attributes = []Attribute{{"size", Number(math.Copysign(0, -1))}}
	mustPut(t, table, 0, item)
	if err := table.Patch(0, Patch{Hidden: new(false)}); err != nil {
		t.Fatal(err)
	}
	if table.Version() != 1 {
		t.Errorf("version %d after one change and three repetitions", table.Version())
	}
}

func TestDeclarationsKeepTheirSlotAndType(t *testing.T) {
	table := newTable(t, Limits{MaxAttributes: 2})
	first, err := table.Declare("color", KindString, false)
	if err != nil || first != 0 {
		t.Fatalf("slot %d, %v", first, err)
	}
	if again, err := table.Declare("color", KindString, false); err != nil || again != first {
		t.Errorf("repeating a declaration: slot %d, %v", again, err)
	}
	_, err = table.Declare("color", KindNumber, true)
	if want := `attribute type conflict: attribute "color" is declared as string, not list of numbers; use another name for the new type`; err == nil || err.Error() != want || !errors.Is(err, ErrConflict) {
		t.Errorf("got %v\nwant %s", err, want)
	}
	for _, name := range []string{"", "\xff", strings.Repeat("x", 129)} {
		if _, err := table.Declare(name, KindBool, false); !errors.Is(err, ErrInvalid) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if _, err := table.Declare("x", 0, false); !errors.Is(err, ErrInvalid) {
		t.Errorf("kind 0: %v", err)
	}
	if second, err := table.Declare("size", KindNumber, false); err != nil || second != 1 {
		t.Errorf("slot %d, %v", second, err)
	}
	if _, err := table.Declare("third", KindNumber, false); !errors.Is(err, ErrLimit) {
		t.Errorf("past MaxAttributes: %v", err)
	}
	if diff := cmp.Diff([]Declaration{{"color", KindString, false, 0}, {"size", KindNumber, false, 1}}, table.Declarations()); diff != "" {
		t.Error(diff)
	}
	if d, ok := table.Declared("size"); !ok || d.Slot != 1 {
		t.Errorf("declared: %+v %v", d, ok)
	}
}

// A follower that only asks what changed must end with the same items as one
// that reads everything, whatever the changes and however rarely it asks.
func TestFollowingTheJournalEqualsReadingEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, err := New(Limits{MaxItems: 6000, JournalLength: rapid.IntRange(1, 6).Draw(t, "journal")})
		if err != nil {
			t.Fatal(err)
		}
		numbers := []uint32{0, 1, 2, chunkSize - 1, chunkSize, 5999}
		model := map[uint32]string{} // number to title
		follower, seen := map[uint32]string{}, uint64(0)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			number := rapid.SampledFrom(numbers).Draw(t, "number")
			switch rapid.IntRange(0, 3).Draw(t, "act") {
			case 0:
				title := rapid.SampledFrom([]string{"p", "q", "r"}).Draw(t, "title")
				if err := table.Put(number, Item{ID: fmt.Sprint(number), Title: title}); err != nil {
					t.Fatal(err)
				}
				model[number] = title
			case 1:
				if _, want := model[number]; table.Delete(number) != want {
					t.Fatalf("delete of %d disagrees about its presence", number)
				}
				delete(model, number)
			case 2:
				changed, version, ok := table.Changes(seen, nil)
				if !ok {
					clear(follower)
					for number, row := range table.All() {
						follower[number] = row.Title
					}
				}
				for _, number := range changed {
					delete(follower, number)
					if row := table.Row(number); row != nil {
						follower[number] = row.Title
					}
				}
				seen = version
				if diff := cmp.Diff(model, follower); diff != "" {
					t.Fatal(diff)
				}
			}
			if int(table.Count()) != len(model) {
				t.Fatalf("count %d, want %d", table.Count(), len(model))
			}
		}
	})
}

func TestAVersionOfTheFutureIsNotKnown(t *testing.T) {
	table := newTable(t, Limits{})
	mustPut(t, table, 0, Item{ID: "a"})
	if numbers, version, ok := table.Changes(2, nil); ok || version != 1 || len(numbers) != 0 {
		t.Errorf("got %v, version %d, %v", numbers, version, ok)
	}
}

// Readers beside writers see whole rows, and at least what the version promises.
func TestReadersNeverSeeHalfARow(t *testing.T) {
	table := newTable(t, Limits{JournalLength: 8})
	const items, rounds = 50, 200
	for number := range uint32(items) {
		mustPut(t, table, number, Item{ID: fmt.Sprint(number), Title: "0", Brand: "0", Stock: new(int64(0))})
	}
	var done atomic.Bool
	var readers, writers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for !done.Load() {
				version := table.Version()
				if _, now, _ := table.Changes(version, nil); now < version {
					t.Errorf("version went from %d back to %d", version, now)
				}
				for _, row := range table.All() {
					if row.Title != table.Brands.Text(row.Brand) || fmt.Sprint(row.Stock) != row.Title {
						t.Errorf("torn row: title %s, brand %s, stock %d", row.Title, table.Brands.Text(row.Brand), row.Stock)
						return
					}
				}
			}
		})
	}
	for writer := range 2 {
		writers.Go(func() {
			for round := 1; round <= rounds; round++ {
				for number := writer; number < items; number += 2 {
					name := fmt.Sprint(round)
					if err := table.Put(uint32(number), Item{ID: fmt.Sprint(number), Title: name, Brand: name, Stock: new(int64(round))}); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
	if want := uint64(items * (rounds + 1)); table.Version() != want {
		t.Errorf("version %d, want %d: a change was lost", table.Version(), want)
	}
}

func TestLimitsOutOfRangeAreRefusedByName(t *testing.T) {
	for _, limits := range []Limits{{MaxTexts: -1}, {JournalLength: 1<<30 + 1}, {MaxAttributes: 1<<16 + 1}, {MaxItemBytes: -5}} {
		if _, err := New(limits); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "catalog.Limits.") {
			t.Errorf("%+v: %v", limits, err)
		}
	}
}

func TestBriefFollowsItsRow(t *testing.T) {
	table, err := New(Limits{MaxItems: 10})
	if err != nil {
		t.Fatal(err)
	}
	for what, item := range map[string]Item{
		"plain":         {ID: "a", Stock: nil},
		"created":       {ID: "a", Created: 1_700_000_000_000_000},
		"before 1970":   {ID: "a", Created: -5},
		"hidden":        {ID: "a", Hidden: true},
		"out of stock":  {ID: "a", Stock: new(int64)},
		"with a date":   {ID: "a", AvailableFrom: 1},
		"with an end":   {ID: "a", AvailableUntil: 9},
		"back in order": {ID: "a", Created: 7},
	} {
		if err := table.Put(3, item); err != nil {
			t.Fatal(err)
		}
		row, brief := table.Row(3), table.Brief(3)
		if brief.Created() != row.Created {
			t.Errorf("%s: created %d, the row says %d", what, brief.Created(), row.Created)
		}
		always := row.Servable(-1<<60) && row.Servable(1<<60)
		if brief.Plain() != always {
			t.Errorf("%s: plain is %v", what, brief.Plain())
		}
	}
	table.Delete(3)
	if b := table.Brief(3); b.Plain() || b.Created() != 0 {
		t.Errorf("a deleted item has brief %d", b)
	}
	if table.Brief(9).Plain() || table.Brief(1<<30).Plain() {
		t.Error("an item that never was is plain")
	}
}

func TestOpenedCountsWhatMayBringAnItemIn(t *testing.T) {
	table, err := New(Limits{MaxItems: 10})
	if err != nil {
		t.Fatal(err)
	}
	none := int64(0)
	for _, step := range []struct {
		what  string
		item  Item
		opens bool
	}{
		{"a new item", Item{ID: "a"}, true},
		{"another title", Item{ID: "a", Title: "t"}, false},
		{"hidden", Item{ID: "a", Hidden: true}, false},
		{"shown again", Item{ID: "a"}, true},
		{"out of stock", Item{ID: "a", Stock: &none}, false},
		{"in stock", Item{ID: "a"}, true},
		{"a date", Item{ID: "a", AvailableFrom: 5}, true},
		{"no date", Item{ID: "a"}, true},
		{"the same", Item{ID: "a"}, false},
	} {
		before := table.Opened()
		if err := table.Put(1, step.item); err != nil {
			t.Fatal(err)
		}
		if opened := table.Opened() != before; opened != step.opens {
			t.Errorf("%s: counted is %v", step.what, opened)
		}
	}
	before := table.Opened()
	if table.Delete(1); table.Opened() != before {
		t.Error("a deletion brings nothing in")
	}
}

func TestLeavesAreTheWholePathsGiven(t *testing.T) {
	table, err := New(Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Put(0, Item{ID: "a", Categories: []string{"Office > Paper > A4", "Gifts", "Office > Paper", "Gifts"}}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, code := range table.Row(0).Leaves {
		got = append(got, table.Categories.Text(code))
	}
	if want := []string{"Office > Paper > A4", "Gifts", "Office > Paper"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
