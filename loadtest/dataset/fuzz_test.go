package dataset

import (
	"errors"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unicode/utf8"
)

// Each target gives a parser any bytes at all. Whatever they are, a row is either good by the contract or named in an error,
// no error but the last ends anything, and a second reading gives as many rows. Fuzz with -fuzzminimizetime 1x: reading files
// takes other paths each time, and the engine would spend its minutes on making inputs smaller.

func FuzzAmazon(f *testing.F) {
	seed(f, "amazon/items.jsonl", "amazon/train.jsonl", "amazon/test.jsonl")
	f.Fuzz(func(t *testing.T, data []byte) {
		file := fuzzFile(t, data)
		opts, _ := Options{MaxRowBytes: 300}.withDefaults()
		s := &amazon{items: file, train: file, test: file, opts: opts}
		checkSource(t, s)
		checkRows(t, s.Cases(), func(c Case) {
			if c.User == "" || c.Target == "" || len(c.History) == 0 {
				t.Errorf("bad case %+v", c)
			}
		})
	})
}

func FuzzS3Rec(f *testing.F) {
	seed(f, "s3rec/sequences.txt", "s3rec/item_attributes.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		file := fuzzFile(t, data)
		opts, _ := Options{MaxRowBytes: 300}.withDefaults()
		checkSource(t, &s3rec{attributes: file, sequences: file, opts: opts})
	})
}

func FuzzMovieLens(f *testing.F) {
	seed(f, "movielens/movies.csv", "movielens/ratings.csv", "movielens/tags.csv")
	f.Fuzz(func(t *testing.T, data []byte) {
		file := fuzzFile(t, data)
		opts, _ := Options{MaxRowBytes: 300, MaxSortedEvents: 20}.withDefaults()
		s := &movieLens{movies: file, ratings: file, opts: opts}
		checkSource(t, s)
		s.ratings, s.tags = "", file
		checkSource(t, s)
		var before time.Time
		for e, err := range s.Events() {
			if err == nil && e.Time.Before(before) {
				t.Errorf("%v after %v", e.Time, before)
			} else if err == nil {
				before = e.Time
			}
		}
	})
}

func FuzzMovieLens100K(f *testing.F) {
	seed(f, "movielens100k/u.item", "movielens100k/u.data")
	f.Fuzz(func(t *testing.T, data []byte) {
		file := fuzzFile(t, data)
		opts, _ := Options{MaxRowBytes: 300, MaxSortedEvents: 20}.withDefaults()
		checkSource(t, &movieLens100K{items: file, ratings: file, opts: opts})
	})
}

func FuzzReviews(f *testing.F) {
	seed(f, "amazon-reviews/Office_Products_5.json", "amazon-reviews/meta_Office_Products.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		file := fuzzFile(t, data)
		opts, _ := Options{MaxRowBytes: 600, MaxSortedEvents: 20}.withDefaults()
		checkSource(t, &reviews{meta: file, reviews: file, opts: opts})
	})
}

func FuzzCSV(f *testing.F) {
	seed(f, "csv/items.csv", "csv/events.csv")
	f.Fuzz(func(t *testing.T, data []byte) {
		file := fuzzFile(t, data)
		opts, _ := Options{MaxRowBytes: 1000, MaxTies: 5, IgnoreColumns: []string{"*"}}.withDefaults()
		checkSource(t, &csvSource{items: file, events: file, opts: opts})
	})
}

func FuzzJSONL(f *testing.F) {
	seed(f, "jsonl/items.jsonl", "jsonl/events.jsonl")
	f.Fuzz(func(t *testing.T, data []byte) {
		file := fuzzFile(t, data)
		opts, _ := Options{MaxRowBytes: 1000, MaxTies: 5}.withDefaults()
		checkSource(t, &jsonlSource{items: file, events: file, opts: opts})
	})
}

func FuzzRecBole(f *testing.F) {
	seed(f, "recbole/shop.inter", "recbole/shop.item")
	f.Fuzz(func(t *testing.T, data []byte) {
		file := fuzzFile(t, data)
		opts, _ := Options{MaxRowBytes: 300, MaxTies: 5, EventType: TypeView}.withDefaults()
		checkSource(t, &recBole{items: file, events: file, opts: opts})
	})
}

func FuzzParquet(f *testing.F) {
	dir := parquetShop(f)
	for _, name := range []string{"items.parquet", "events.parquet"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file := fuzzFile(t, data)
		opts, _ := Options{MaxRowBytes: 300, MaxTies: 5, Map: parquetMap, IgnoreColumns: []string{"*"}, Currency: "EUR"}.withDefaults()
		checkSource(t, &parquetSource{items: file, events: file, opts: opts})
	})
}

func seed(f *testing.F, names ...string) {
	f.Helper()
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

func fuzzFile(t *testing.T, data []byte) string {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func checkSource(t *testing.T, src Source) {
	checkRows(t, src.Items(), func(i Item) {
		if i.ID == "" || !utf8.ValidString(i.ID+i.Title+i.Description) || i.Stock != nil && *i.Stock < 0 ||
			i.Price.Units < 0 || i.Price.Nanos < 0 || i.Price.Has != (i.Price.Currency != "") {
			t.Errorf("bad item %+v", i)
		}
		for _, v := range i.Attributes {
			if v.Kind.String() == "invalid" || v.Number-v.Number != 0 {
				t.Errorf("bad attribute %+v", v)
			}
		}
	})
	checkRows(t, src.Events(), func(e Event) {
		if e.ID == "" || e.User+e.Session == "" || e.Item == "" && e.Type != TypeSearch || e.Type == "" || e.Value-e.Value != 0 ||
			e.Value != 0 && !e.HasValue || e.Time.Unix() < -62135596800 || e.Time.Unix() > maxUnixSeconds || !utf8.ValidString(e.User+e.Item+e.Text) {
			t.Errorf("bad event %+v", e)
		}
	})
}

func checkRows[T any](t *testing.T, rows iter.Seq2[T, error], check func(T)) {
	count, ended := 0, false
	for row, err := range rows {
		if ended {
			t.Error("rows after an error about the file")
		}
		count++
		var rowErr *RowError
		switch {
		case err == nil:
			check(row)
		case !errors.As(err, &rowErr):
			ended = true
		case rowErr.Row < 1 || rowErr.File == "" || rowErr.Reason == "":
			t.Errorf("an error that names no place: %#v", rowErr)
		}
	}
	again := 0
	for range rows {
		again++
	}
	if again != count {
		t.Errorf("%d rows at first, %d at the second reading", count, again)
	}
}
