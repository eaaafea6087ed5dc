package dataset

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

type parquetItem struct {
	ID         string    `parquet:"sku"`
	Title      string    `parquet:"title,optional"`
	Categories []string  `parquet:"categories,list"`
	Tags       string    `parquet:"tags,optional"` // as in csv, in one text
	Price      int64     `parquet:"price,decimal(2:18)"`
	Stock      *int32    `parquet:"stock,optional"`
	Created    time.Time `parquet:"create_time,timestamp(microsecond)"`
	Warehouse  struct {
		Row int32 `parquet:"row"`
	} `parquet:"warehouse"`
	Attributes struct {
		Year  int32     `parquet:"year"`
		Share float32   `parquet:"share"`
		New   *bool     `parquet:"new,optional"`
		Sizes []string  `parquet:"sizes"`
		Dims  []float64 `parquet:"dims,list"`
	} `parquet:"attributes"`
}

type parquetEvent struct {
	User  string   `parquet:"user"`
	Item  string   `parquet:"item"`
	Type  string   `parquet:"type"`
	Value *float64 `parquet:"value,optional"`
	Time  int64    `parquet:"time,timestamp(millisecond)"`
}

// writeParquet writes rows in groups of three, so that a file has more than one.
func writeParquet[T any](t testing.TB, path string, rows []T) {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, parquet.MaxRowsPerRowGroup(3))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), os.WriteFile(path, b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func parquetShop(t testing.TB) string {
	dir := t.TempDir()
	stock, isNew, value := int32(4), true, 4.5
	full := parquetItem{ID: "p1", Title: "Chair", Categories: []string{"Home > Chairs", "Office"}, Tags: "wood|brown",
		Price: 1299, Stock: &stock, Created: time.Date(2024, 1, 2, 3, 4, 5, 678000, time.UTC)}
	full.Attributes.Year, full.Attributes.Share, full.Attributes.New = 1995, 0.1, &isNew
	full.Attributes.Sizes, full.Attributes.Dims = []string{"S", "M"}, []float64{1.5, 2}
	negative := int32(-1)
	bare := parquetItem{Created: time.Unix(0, 0)}
	rows := []parquetItem{full, bare, bare, bare, bare, bare}
	for i, id := range []string{"p2", "", "p4", "p5", "p6\xff"} {
		rows[i+1].ID = id
	}
	rows[3].Stock = &negative
	rows[4].Title = strings.Repeat("x", 500)
	last := bare
	last.ID = "p7"
	writeParquet(t, filepath.Join(dir, "items.parquet"), append(rows, last))
	writeParquet(t, filepath.Join(dir, "events.parquet"), []parquetEvent{
		{"u1", "p1", "rating", &value, 1704067200123}, {"u1", "p1", "rating", nil, 1704067200123},
		{"", "p1", "view", nil, 1704067200123}, {"u1", "", "view", nil, 1704067200123},
		{"u2", "p2", "view", nil, -1}, {"u2", "p2", "view", nil, 1704067200124},
	})
	return dir
}

var parquetMap = []Mapping{{"id", "sku"}}

func TestParquetRowsAndErrors(t *testing.T) {
	dir := parquetShop(t)
	src, err := Open(Parquet, dir, Options{Map: parquetMap, IgnoreColumns: []string{"warehouse.row"}, Currency: "EUR", MaxRowBytes: 450})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	transcribe(&b, "items", src.Items())
	transcribe(&b, "events", src.Events())
	compareTranscript(t, filepath.Join("testdata", "parquet.txt"), strings.ReplaceAll(b.String(), dir+"/", ""))
}

func TestParquetColumnsThatFitNothingAreRefused(t *testing.T) {
	dir := parquetShop(t)
	for _, c := range []struct {
		why  string
		opts Options
		want string
	}{
		{"an unknown nested column", Options{Map: parquetMap}, `unknown column "warehouse.row"`},
		{"a nested column mapped to a field", Options{Map: append([]Mapping{{"brand", "warehouse.row"}}, parquetMap...)}, "nested"},
		{"a list mapped to a text", Options{Map: append([]Mapping{{"brand", "attributes.sizes"}}, parquetMap...), IgnoreColumns: []string{"*"}}, "is a list"},
		{"no id", Options{IgnoreColumns: []string{"*"}}, `no column "id"`},
	} {
		src, err := Open(Parquet, dir, c.opts)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err := range src.Items() {
			if n++; !errors.Is(err, ErrHeader) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want ErrHeader with %q", c.why, err, c.want)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d rows after the header was refused", c.why, n-1)
		}
	}
}

func TestDamagedParquetFileIsAnErrorAndNotAPanic(t *testing.T) {
	dir := parquetShop(t)
	whole, err := os.ReadFile(filepath.Join(dir, "events.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "events.parquet")
	for at := 0; at < len(whole); at += 5 {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x5a
		if err := os.WriteFile(path, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		src, err := Open(Parquet, path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for range src.Events() { // whatever comes, the loop ends and nothing panics
		}
	}
	if err := os.WriteFile(path, whole[:len(whole)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	src, err := Open(Parquet, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range src.Events() {
		if err == nil {
			t.Error("half a file yields rows")
		}
	}
}
