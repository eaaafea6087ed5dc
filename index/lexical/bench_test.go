package lexical

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/index"
)

// office returns the items of amazon-office, which lie beside the repository.
func office(tb testing.TB) []Document {
	tb.Helper()
	f, err := os.Open("../../../shared/data/amazon-office/items.jsonl")
	if err != nil {
		tb.Skip("the data is not here: ", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	var out []Document
	for lines.Scan() {
		var d Document // title and description, by their names
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			tb.Fatal(err)
		}
		out = append(out, d)
	}
	return out
}

// catalog is n documents made of halves of real ones, each with a model number of its
// own, so that the vocabulary grows with the catalog as real ones do.
func catalog(tb testing.TB, n int) []Document {
	real := office(tb)
	if n <= len(real) {
		return real[:n]
	}
	r := rand.New(rand.NewPCG(1, 2))
	half := func(a, b string) string {
		x, y := strings.Fields(a), strings.Fields(b)
		return strings.Join(append(x[:len(x)/2:len(x)/2], y[len(y)/2:]...), " ")
	}
	out := make([]Document, n)
	for i := range out {
		a, b := &real[r.IntN(len(real))], &real[r.IntN(len(real))]
		out[i] = Document{
			Title:       half(a.Title, b.Title) + fmt.Sprintf(" %c%c%d", 'A'+r.IntN(26), 'A'+r.IntN(26), r.IntN(1e6)),
			Brand:       strings.Fields(a.Title + " none")[0],
			Description: half(a.Description, b.Description),
		}
	}
	return out
}

func filled(tb testing.TB, docs []Document) *Index {
	tb.Helper()
	x, err := New(Config{MaxItems: 1 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range docs {
		if err := x.Put(uint32(i), &docs[i]); err != nil {
			tb.Fatal(err)
		}
	}
	return x
}

func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkPut fills an index with all of a catalog, on one core, and says what an item
// takes.
func BenchmarkPut(b *testing.B) {
	for _, n := range []int{3459, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			docs := catalog(b, n)
			b.ReportAllocs()
			for b.Loop() {
				before := heapBytes()
				x := filled(b, docs)
				held := heapBytes() - before
				runtime.KeepAlive(docs)
				stats := x.Stats()
				b.ReportMetric(float64(held)/float64(n), "heap_B/item")
				b.ReportMetric(float64(stats.Bytes)/float64(n), "counted_B/item")
				b.ReportMetric(float64(stats.Terms), "terms")
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "items/s")
		})
	}
}

// BenchmarkUpdate replaces texts one by one, compactions and all, and then asks.
func BenchmarkUpdate(b *testing.B) {
	docs := catalog(b, 100_000)
	x := filled(b, docs)
	r := rand.New(rand.NewPCG(5, 6))
	var longest time.Duration
	for b.Loop() {
		begin := time.Now()
		if err := x.Put(uint32(r.IntN(len(docs))), &docs[r.IntN(len(docs))]); err != nil {
			b.Fatal(err)
		}
		longest = max(longest, time.Since(begin))
	}
	b.ReportMetric(float64(longest.Microseconds())/1000, "longest_ms")
	b.ReportMetric(float64(x.Stats().Bytes)/float64(len(docs)), "counted_B/item")
	begin := time.Now()
	for range 200 {
		title := strings.Fields(docs[r.IntN(len(docs))].Title)
		if _, _, err := x.Search(Query{Text: strings.Join(title[:min(3, len(title))], " ") + " ", K: 200}, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(time.Since(begin).Microseconds())/200, "µs/search")
}

// BenchmarkSearch asks with words of titles, as shoppers do.
func BenchmarkSearch(b *testing.B) {
	kinds := []struct {
		name string
		of   func(r *rand.Rand, title []string) string
	}{
		{"three words", func(r *rand.Rand, t []string) string {
			return t[r.IntN(len(t))] + " " + t[r.IntN(len(t))] + " " + t[r.IntN(len(t))] + " "
		}},
		{"three words and on", func(r *rand.Rand, t []string) string {
			return t[r.IntN(len(t))] + " " + t[r.IntN(len(t))] + " " + t[r.IntN(len(t))]
		}},
		{"whole title", func(_ *rand.Rand, t []string) string { return strings.Join(t, " ") }},
		{"two letters", func(r *rand.Rand, t []string) string { w := t[r.IntN(len(t))]; return w[:min(2, len(w))] }},
		{"unknown word", func(r *rand.Rand, t []string) string { return t[r.IntN(len(t))] + " qprintrt " }},
		{"most common words", func(*rand.Rand, []string) string { return "for and with the " }},
	}
	for _, n := range []int{3459, 100_000} {
		docs := catalog(b, n)
		x := filled(b, docs)
		for _, kind := range kinds {
			b.Run(fmt.Sprintf("%d/%s", n, kind.name), func(b *testing.B) {
				r := rand.New(rand.NewPCG(3, 4))
				var hits []index.Hit
				found := 0
				b.ReportAllocs()
				for b.Loop() {
					title := strings.Fields(docs[r.IntN(len(docs))].Title)
					if len(title) == 0 {
						continue
					}
					var err error
					if hits, _, err = x.Search(Query{Text: kind.of(r, title), K: 200}, hits[:0]); err != nil {
						b.Fatal(err)
					}
					found += len(hits)
				}
				b.ReportMetric(float64(found)/float64(b.N), "hits/op")
			})
		}
	}
}
