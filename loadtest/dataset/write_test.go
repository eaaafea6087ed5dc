package dataset

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// rows is a source in memory.
type rows struct {
	items  []Item
	events []Event
	err    error // after the rows
}

func (r rows) Items() iter.Seq2[Item, error] { return each(r.items, nil) }

func (r rows) Events() iter.Seq2[Event, error] { return each(r.events, r.err) }

func each[T any](list []T, last error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, row := range list {
			if !yield(row, nil) {
				return
			}
		}
		if last != nil {
			var zero T
			yield(zero, last)
		}
	}
}

var anyText = rapid.StringOfN(rapid.SampledFrom([]rune("ab ,;\"'|\n\r:<&é\u2028{}\\")), 1, 12, -1)

func anyTime(t *rapid.T, unit time.Duration) time.Time {
	return time.Unix(rapid.Int64Range(0, 9_000_000_000).Draw(t, "s"), 0).Add(unit * time.Duration(rapid.Int64Range(0, 999).Draw(t, "part"))).UTC()
}

func anyItem(t *rapid.T, id int) Item {
	text := func(name string) string { return rapid.OneOf(rapid.Just(""), anyText).Draw(t, name) }
	flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
	i := Item{ID: fmt.Sprintf("i%d", id), Title: text("title"), Description: text("description"), Brand: text("brand"),
		Seller: text("seller"), Language: text("language"), URL: text("url"), ImageURL: text("image"), Group: text("group"), Hidden: flag("hidden")}
	i.Categories = rapid.SliceOfN(anyText, 0, 3).Draw(t, "categories")
	i.Tags = rapid.SliceOfN(anyText, 0, 3).Draw(t, "tags")
	if flag("priced") {
		i.Price = Price{"EUR", rapid.Int64Range(0, 1<<60).Draw(t, "units"), rapid.Int32Range(0, 999_999_999).Draw(t, "nanos"), true}
	}
	if flag("stocked") {
		n := rapid.Int64Min(0).Draw(t, "stock")
		i.Stock = &n
	}
	if flag("dated") {
		i.AvailableFrom, i.Created, i.SourceTime = anyTime(t, time.Microsecond), anyTime(t, time.Nanosecond), anyTime(t, time.Nanosecond)
		i.AvailableUntil = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	if flag("described") {
		i.Attributes = map[string]Value{"year": NumberValue(rapid.Float64Range(-1e20, 1e20).Draw(t, "year")), "new": BoolValue(flag("new")), "free text": StringValue(anyText.Draw(t, "attribute")),
			"create_time": TimeValue(anyTime(t, time.Microsecond)), "sizes": StringsValue(rapid.SliceOfN(anyText, 1, 3).Draw(t, "sizes")),
			"dims": NumbersValue(rapid.SliceOfN(rapid.Float64Range(-9, 9), 1, 3).Draw(t, "dims"))}
	}
	return i
}

func anyEvent(t *rapid.T, id int) Event {
	text := func(name string) string { return rapid.OneOf(rapid.Just(""), anyText).Draw(t, name) }
	e := Event{ID: fmt.Sprintf("e%d", id), User: anyText.Draw(t, "user"), Session: text("session"), Item: anyText.Draw(t, "item"), Type: TypeView,
		Text: text("text"), Time: anyTime(t, time.Nanosecond), Synthetic: rapid.Bool().Draw(t, "synthetic"), Surface: text("surface"),
		RecommendationID: text("reply"), Position: rapid.IntRange(0, 50).Draw(t, "position")}
	if rapid.Bool().Draw(t, "valued") {
		e.Value, e.HasValue = rapid.Float64Range(-1e9, 1e9).Draw(t, "value"), true
	}
	if rapid.Bool().Draw(t, "context") {
		e.Context = map[string]string{anyText.Draw(t, "key"): text("value of context")}
	}
	return e
}

// What is written is read again, field by field, in every format and packing; what csv cannot hold is refused.
func TestWrittenRowsAreReadAgain(t *testing.T) {
	root := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		var want rows
		for i := range rapid.IntRange(0, 4).Draw(t, "items") {
			want.items = append(want.items, anyItem(t, i))
		}
		for i := range rapid.IntRange(0, 4).Draw(t, "events") {
			want.events = append(want.events, anyEvent(t, i))
		}
		o := WriteOptions{Format: rapid.SampledFrom([]Format{JSONL, CSV, Parquet}).Draw(t, "format"),
			Packing: rapid.SampledFrom([]Packing{Plain, Gzip, Zstd, ""}).Draw(t, "packing")}
		n++
		dir := filepath.Join(root, fmt.Sprint(n))
		written, err := Write(dir, want, o)
		if o.Format == CSV && errors.Is(err, ErrUnwritable) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if written.Items != int64(len(want.items)) || written.Events != int64(len(want.events)) {
			t.Fatalf("%+v of %d and %d", written, len(want.items), len(want.events))
		}
		if len(want.items)+len(want.events) == 0 {
			return
		}
		src, err := Open(o.Format, dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got rows
		for item, err := range src.Items() {
			if err != nil {
				t.Fatal(err)
			}
			got.items = append(got.items, item)
		}
		for event, err := range src.Events() {
			if err != nil {
				t.Fatal(err)
			}
			got.events = append(got.events, event)
		}
		empty := cmp.FilterValues(func(a, b []string) bool { return len(a) == 0 && len(b) == 0 }, cmp.Comparer(func(_, _ []string) bool { return true }))
		if diff := cmp.Diff(want.items, got.items, empty); diff != "" {
			t.Fatalf("%s items (-written +read):\n%s", o.Format, diff)
		}
		if diff := cmp.Diff(want.events, got.events); diff != "" {
			t.Fatalf("%s events (-written +read):\n%s", o.Format, diff)
		}
	})
}

func TestWhatAFormatCannotHoldIsRefusedAndLeavesNoFile(t *testing.T) {
	late := time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)
	good := Event{ID: "e", User: "u", Item: "i", Type: TypeView, Time: time.Unix(1, 0)}
	far := good
	far.Time = late
	for name, c := range map[string]struct {
		rows   rows
		format Format
		want   string
	}{
		"bar in a list":       {rows{items: []Item{{ID: "i", Tags: []string{"a|b"}}}}, CSV, "tags"},
		"blank in a list":     {rows{items: []Item{{ID: "i", Tags: []string{"a "}}}}, CSV, "tags"},
		"CR LF":               {rows{items: []Item{{ID: "i", Title: "a\r\nb"}}}, CSV, "title"},
		"colon in a name":     {rows{items: []Item{{ID: "i", Attributes: map[string]Value{"a:b": NumberValue(1)}}}}, CSV, "a:b"},
		"two kinds":           {rows{items: []Item{{ID: "i", Attributes: map[string]Value{"a": NumberValue(1)}}, {ID: "j", Attributes: map[string]Value{"a": BoolValue(true)}}}}, Parquet, `"a" is a number in one item and a bool in "j"`},
		"time beyond nanos":   {rows{events: []Event{good, far}}, Parquet, "row 2 of events: time"},
		"item time in nanos":  {rows{items: []Item{{ID: "i", Created: time.Unix(1, 1)}, {ID: "j", Created: late}}}, Parquet, "row 1 of items: create_time"},
		"failure of a source": {rows{events: []Event{good}, err: ErrUnwritable}, JSONL, ""},
	} {
		dir := t.TempDir()
		_, err := Write(dir, c.rows, WriteOptions{Format: c.format})
		if !errors.Is(err, ErrUnwritable) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v; want %v with %q", name, err, ErrUnwritable, c.want)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left, error %v", name, left, err)
		}
	}
}

func TestBrokenRowsEndTheWritingUnlessTheyAreTold(t *testing.T) {
	src, err := Open(JSONL, "testdata/jsonl", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Write(t.TempDir(), src, WriteOptions{Format: JSONL}); !isRowError(err) {
		t.Errorf("error %v; want that of the first broken row", err)
	}
	told := 0
	good := 0
	for _, err := range src.Events() {
		if err == nil {
			good++
		}
	}
	written, err := Write(t.TempDir(), src, WriteOptions{Format: Parquet, OnRowError: func(*RowError) error { told++; return nil }})
	if err != nil || told == 0 || written.Events != int64(good) {
		t.Errorf("%+v of %d good events, %d broken rows told, error %v", written, good, told, err)
	}
}

func TestSecondPackingOfATableIsRefused(t *testing.T) {
	dir := t.TempDir()
	r := rows{items: []Item{{ID: "i"}}}
	if _, err := Write(dir, r, WriteOptions{Format: CSV, Packing: Gzip}); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(dir, r, WriteOptions{Format: CSV}); err == nil || !strings.Contains(err.Error(), "items.csv.gz is there") {
		t.Errorf("error %v", err)
	}
	if _, err := Write(dir, r, WriteOptions{Format: CSV, Packing: Gzip}); err != nil {
		t.Errorf("the same name was not replaced: %v", err)
	}
	for _, o := range []WriteOptions{{Format: Amazon}, {}, {Format: CSV, Packing: "rar"}} {
		if _, err := Write(dir, r, o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}
