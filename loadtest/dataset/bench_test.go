package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// BenchmarkRead reads a hundred thousand events, or ten thousand items of 500 bytes, of each format.
func BenchmarkRead(b *testing.B) {
	const events, items = 100_000, 10_000
	text := strings.Repeat("word ", 100)
	eventFile := func(row func(i int) string) (s strings.Builder) {
		for i := range events {
			s.WriteString(row(i))
		}
		return s
	}
	csv := eventFile(func(i int) string { return fmt.Sprintf("u%d,p%d,view,%d\n", i%977, i%4999, 1700000000+i) })
	jsonl := eventFile(func(i int) string {
		return fmt.Sprintf(`{"user":"u%d","item":"p%d","type":"view","time":%d}`+"\n", i%977, i%4999, 1700000000+i)
	})
	ratings := eventFile(func(i int) string { return fmt.Sprintf("%d,%d,3.5,%d\n", i%977, i%4999, 1700000000-i) })
	var sequences, catalog, amazonItems strings.Builder
	for i := range events / 10 {
		fmt.Fprintf(&sequences, "u%d%s\n", i, strings.Repeat(fmt.Sprintf(" %d", i), 10))
	}
	catalog.WriteString("id,title,description\n")
	for i := range items {
		fmt.Fprintf(&catalog, "p%d,\"Item, %d\",%s\n", i, i, text)
		fmt.Fprintf(&amazonItems, `{"item_id":"p%d","title":"Item","description":%q}`+"\n", i, text)
	}
	for _, c := range []struct {
		name   string
		format Format
		files  []string
		items  bool
		rows   int
	}{
		{"csv/events", CSV, []string{"events.csv", "user,item,type,time\n" + csv.String()}, false, events},
		{"jsonl/events", JSONL, []string{"events.jsonl", jsonl.String()}, false, events},
		{"movielens/events", MovieLens, []string{"ratings.csv", "userId,movieId,rating,timestamp\n" + ratings.String(), "movies.csv", ""}, false, events},
		{"s3rec/events", S3Rec, []string{"sequences.txt", sequences.String(), "item_attributes.json", "{}"}, false, events},
		{"csv/items", CSV, []string{"items.csv", catalog.String()}, true, items},
		{"amazon/items", Amazon, []string{"items.jsonl", amazonItems.String(), "train.jsonl", "", "test.jsonl", ""}, true, items},
	} {
		b.Run(c.name, func(b *testing.B) {
			dir := write(b, c.files...)
			src := mustOpen(b, c.format, dir, Options{})
			info, err := os.Stat(filepath.Join(dir, c.files[0]))
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(info.Size())
			b.ReportAllocs()
			for b.Loop() {
				if n := countRows(b, src, c.items); n != c.rows {
					b.Fatalf("%d rows, want %d", n, c.rows)
				}
			}
			b.ReportMetric(float64(c.rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func countRows(t testing.TB, src Source, items bool) (n int) {
	if items {
		for _, err := range src.Items() {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	for _, err := range src.Events() {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func TestSourceMayBeReadByManyAtOnce(t *testing.T) {
	for _, format := range []Format{Amazon, S3Rec, MovieLens, CSV, JSONL, RecBole} {
		src := mustOpen(t, format, filepath.Join("testdata", string(format)), Options{MaxRowBytes: 450})
		want := len(good(t, src))
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				n := 0
				for _, err := range src.Events() {
					if err == nil {
						n++
					}
				}
				if n != want {
					t.Errorf("%s: %d events, want %d", format, n, want)
				}
			})
		}
		readers.Wait()
	}
}
