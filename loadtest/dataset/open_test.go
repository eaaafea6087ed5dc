package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func TestUnknownFormatListsTheKnown(t *testing.T) {
	_, err := Open("xml", t.TempDir(), Options{})
	if !errors.Is(err, ErrUnknownFormat) {
		t.Fatalf("got %v", err)
	}
	for _, f := range Formats() {
		if !strings.Contains(err.Error(), string(f)) {
			t.Errorf("%v does not list %s", err, f)
		}
		if got, err := ParseFormat(strings.ToUpper(string(f))); err != nil || got != f {
			t.Errorf("%s: %v, %v", f, got, err)
		}
	}
}

func TestOpenRefusesWhatCannotBeRead(t *testing.T) {
	both := write(t, "items.csv", "id\n", "items.csv.gz", "")
	twoLogs := write(t, "a.inter", "", "b.inter", "")
	single := write(t, "catalog.csv", "id\n")
	for _, c := range []struct {
		why    string
		format Format
		path   string
		opts   Options
		want   string
	}{
		{"no such directory", Amazon, filepath.Join(single, "none"), Options{}, "not found"},
		{"an empty directory", CSV, t.TempDir(), Options{}, "neither items.csv nor events.csv"},
		{"a missing file", S3Rec, t.TempDir(), Options{}, "sequences.txt"},
		{"a file that was named and is missing", CSV, single, Options{ItemsFile: "no.csv"}, "no.csv"},
		{"plain and packed", CSV, both, Options{}, "both exist"},
		{"two logs", RecBole, twoLogs, Options{}, "name one"},
		{"a file for a directory", MovieLens, filepath.Join(single, "catalog.csv"), Options{}, "takes the directory"},
		{"a file that may be either", CSV, filepath.Join(single, "catalog.csv"), Options{}, "begins with items or events"},
		{"a negative bound", CSV, single, Options{MaxRowBytes: -1}, "-1"},
		{"a quote as comma", CSV, single, Options{Comma: '"'}, "Comma"},
		{"a wrong currency", CSV, single, Options{Currency: "euro"}, "euro"},
		{"a mapping to nowhere", CSV, single, Options{Map: []Mapping{{"titel", "name"}}}, "titel"},
		{"a mapping given twice", CSV, single, Options{Map: []Mapping{{"title", "a"}, {"title", "b"}}}, "twice"},
		{"an attribute of an unknown kind", CSV, single, Options{Map: []Mapping{{"attributes.a:int", "a"}}}, "int"},
	} {
		if _, err := Open(c.format, c.path, c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.why, err, c.want)
		}
	}
}

func TestParseMap(t *testing.T) {
	got, err := ParseMap("title=name, attributes.year:number = yr")
	if want := []Mapping{{"title", "name"}, {"attributes.year:number", "yr"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := ParseMap(""); err != nil || got != nil {
		t.Errorf("no mapping gives %v, %v", got, err)
	}
	for _, text := range []string{"title", "=name", "title=", "a=b,,c=d"} {
		if _, err := ParseMap(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// firstItem reads one item or error.
func firstItem(t *testing.T, src Source) (Item, error) {
	t.Helper()
	for item, err := range src.Items() {
		return item, err
	}
	t.Fatal("no item")
	return Item{}, nil
}

func TestColumnsAreMapped(t *testing.T) {
	dir := write(t, "items.csv", "sku;name;cost;junk;yr\np1;Chair;9.5;x;1995\n", "events.csv", "customer;item;kind;time\nu;p1;view;5\n")
	opts := Options{Comma: ';', Currency: "EUR", IgnoreColumns: []string{"junk"}}
	var err error
	if opts.Map, err = ParseMap("id=sku,title=name,price=cost,attributes.year:number=yr,user=customer,type=kind"); err != nil {
		t.Fatal(err)
	}
	src := mustOpen(t, CSV, dir, opts)
	item, err := firstItem(t, src)
	if err != nil || item.ID != "p1" || item.Title != "Chair" || item.Price != (Price{"EUR", 9, 500000000, true}) ||
		item.Attributes["year"].Number != 1995 {
		t.Errorf("got %+v, %v", item, err)
	}
	if events := good(t, src); len(events) != 1 || events[0].User != "u" || events[0].Type != TypeView {
		t.Errorf("got %+v", events)
	}
}

func TestHeaderThatDoesNotFitIsRefused(t *testing.T) {
	for _, c := range []struct {
		why, header string
		opts        Options
		want        string
	}{
		{"unknown column", "id,colour", Options{}, `unknown column "colour"`},
		{"no id", "title", Options{}, `no column "id"`},
		{"a column twice", "id,title,title", Options{}, "stands twice"},
		{"a field twice by its alias", "id,item_id", Options{}, "both id"},
		{"a mapping to a column that is not there", "id", Options{Map: []Mapping{{"title", "nmae"}}}, "nmae"},
		{"an attribute without a name", "id,attributes.", Options{}, "needs a name"},
		{"an empty file", "", Options{}, "empty"},
		{"invalid UTF-8", "id,\xff", Options{}, "UTF-8"},
		{"an open quote", "id,\"x", Options{}, "not closed"},
	} {
		_, err := firstItem(t, mustOpen(t, CSV, write(t, "items.csv", c.header), c.opts))
		if !errors.Is(err, ErrHeader) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want ErrHeader with %q", c.why, err, c.want)
		}
	}
	for _, header := range []string{"item,type", "user,type", "user,item"} {
		for _, err := range mustOpen(t, CSV, write(t, "events.csv", header+"\n"), Options{}).Events() {
			if !errors.Is(err, ErrHeader) {
				t.Errorf("%s: %v, want ErrHeader", header, err)
			}
		}
	}
}

func TestIgnoredColumns(t *testing.T) {
	dir := write(t, "items.csv", "id,colour,title\np1,red,Chair\n")
	if item, err := firstItem(t, mustOpen(t, CSV, dir, Options{IgnoreColumns: []string{"*"}})); err != nil || item.Title != "Chair" {
		t.Errorf("all unknown ignored: %+v, %v", item, err)
	}
	if item, err := firstItem(t, mustOpen(t, CSV, dir, Options{IgnoreColumns: []string{"colour", "title"}})); err != nil || item.Title != "" {
		t.Errorf("a known column ignored: %+v, %v", item, err)
	}
}

func packed(t testing.TB, pack func(io.Writer) io.WriteCloser, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := pack(&b)
	_, err := io.WriteString(z, text)
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func gzipped(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }

func zstdPacked(w io.Writer) io.WriteCloser {
	z, _ := zstd.NewWriter(w) // fails on bad options only, and there are none
	return z
}

func TestPackedFilesAreRead(t *testing.T) {
	dir := write(t, "items.jsonl.gz", packed(t, gzipped, `{"id":"p1"}`), "events.jsonl.zst", packed(t, zstdPacked, `{"user":"u","item":"p1","type":"view"}`))
	src := mustOpen(t, JSONL, dir, Options{})
	if item, err := firstItem(t, src); err != nil || item.ID != "p1" {
		t.Errorf("got %+v, %v", item, err)
	}
	if events := good(t, src); len(events) != 1 {
		t.Errorf("got %v", events)
	}
}

// Reading holds rows, not files: the heap stays far below the size of what was read.
func TestReadingKeepsMemoryFlat(t *testing.T) {
	const rows, bound = 40_000, 16 << 20 // zstd alone keeps a window of 8 MiB
	var csv, jsonl, sequences strings.Builder
	csv.WriteString("id,title,description\n")
	text := strings.Repeat("word ", 100)
	for i := range rows {
		fmt.Fprintf(&csv, "p%d,\"Item, %d\",%s\n", i, i, text)
		fmt.Fprintf(&jsonl, `{"id":"p%d","title":"Item","description":%q}`+"\n", i, text)
		fmt.Fprintf(&sequences, "%d%s\n", i, strings.Repeat(" 12345", 20))
	}
	members := `{"0":[1]` + strings.Repeat(`,"123456":[1,2,3,4,5,6,7,8,9]`, rows) + "}"
	total := csv.Len() + jsonl.Len() + sequences.Len() + len(members)
	sources := []Source{
		mustOpen(t, CSV, write(t, "items.csv.gz", packed(t, gzipped, csv.String())), Options{}),
		mustOpen(t, JSONL, write(t, "items.jsonl.zst", packed(t, zstdPacked, jsonl.String())), Options{}),
		mustOpen(t, S3Rec, write(t, "sequences.txt.gz", packed(t, gzipped, sequences.String()), "item_attributes.json", members), Options{}),
	}
	csv.Reset()
	jsonl.Reset()
	sequences.Reset()
	members = ""
	base := heap()
	for _, src := range sources {
		n := 0
		watch := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n%20_000 == 0 {
				if now := heap(); now > base+bound {
					t.Errorf("after %d rows the heap has grown by %d bytes of %d read", n, now-base, total)
				}
			}
		}
		for _, err := range src.Items() {
			watch(err)
		}
		for _, err := range src.Events() {
			watch(err)
		}
		if n < rows {
			t.Errorf("only %d rows were read", n)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A list without an end must not be read into memory.
func TestEndlessMemberIsRefused(t *testing.T) {
	endless := `{"1":[1` + strings.Repeat(",1", 1<<20)
	dir := write(t, "sequences.txt", "", "item_attributes.json", endless)
	for _, err := range mustOpen(t, S3Rec, dir, Options{MaxRowBytes: 1 << 10}).Items() {
		if !errors.Is(err, ErrLimit) {
			t.Errorf("got %v, want ErrLimit", err)
		}
	}
}
