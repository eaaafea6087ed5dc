package shop

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/flat"
	"github.com/kindred-rec/kindred/index/hnsw"
)

// realTitles are those of the shared catalog of office products.
func realTitles(tb testing.TB) []string {
	tb.Helper()
	f, err := os.Open("../../../shared/data/amazon-office/items.jsonl")
	if os.IsNotExist(err) {
		tb.Skip("no real titles here: ", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var titles []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var item struct{ Title string }
		if err := json.Unmarshal(lines.Bytes(), &item); err != nil {
			tb.Fatal(err)
		}
		titles = append(titles, item.Title)
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
	return titles
}

// recombined makes n titles out of the halves of real ones and encodes them.
func recombined(tb testing.TB, n int) [][]float32 {
	tb.Helper()
	var halves [2][]string
	for _, title := range realTitles(tb) {
		words := strings.Fields(title)
		halves[0] = append(halves[0], strings.Join(words[:len(words)/2], " "))
		halves[1] = append(halves[1], strings.Join(words[len(words)/2:], " "))
	}
	encoder, err := static.Default()
	if err != nil {
		tb.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	dim := encoder.Info().Dim
	vectors := make([][]float32, 0, n)
	for len(vectors) < n {
		texts := make([]string, min(256, n-len(vectors)))
		for i := range texts {
			texts[i] = halves[0][rng.IntN(len(halves[0]))] + " " + halves[1][rng.IntN(len(halves[1]))]
		}
		out := make([]float32, len(texts)*dim)
		if err := encoder.Encode(context.Background(), texts, out); err != nil {
			tb.Fatal(err)
		}
		for i := range texts {
			vectors = append(vectors, out[i*dim:(i+1)*dim:(i+1)*dim])
		}
	}
	return vectors
}

// BenchmarkEngines times what a request asks of an index, by engine and by catalog:
// queries are means of three items, as users' vectors are.
func BenchmarkEngines(b *testing.B) {
	for _, n := range []int{3_000, 6_000, 12_000, 25_000, 50_000, 100_000} {
		vectors := recombined(b, n)
		exact, graph := bothEngines(b, vectors)
		queries := means(vectors, 256)
		for _, k := range []int{100, 200} {
			truth := nearestOf(b, exact, queries, k)
			name := fmt.Sprintf("items=%d/k=%d/", n, k)
			b.Run(name+"flat", func(b *testing.B) { benchSearch(b, exact, queries, truth, k, 0) })
			for _, effort := range []int{200, 300, 400} {
				b.Run(fmt.Sprintf("%shnsw,ef=%d", name, effort), func(b *testing.B) { benchSearch(b, graph, queries, truth, k, effort) })
			}
		}
	}
}

func bothEngines(b *testing.B, vectors [][]float32) (*flat.Index, *hnsw.Index) {
	b.Helper()
	exact, err := flat.New(flat.Config{Dim: len(vectors[0]), MaxItems: len(vectors)})
	if err != nil {
		b.Fatal(err)
	}
	for id, v := range vectors {
		if err := exact.Add(uint32(id), v); err != nil {
			b.Fatal(err)
		}
	}
	graph, err := hnsw.New(hnsw.Config{Dim: len(vectors[0]), MaxItems: len(vectors), Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	if err := graph.Build(b.Context(), len(vectors), 0, func(id uint32) []float32 { return vectors[id] }); err != nil {
		b.Fatal(err)
	}
	return exact, graph
}

// means makes queries of three items each.
func means(vectors [][]float32, n int) [][]float32 {
	rng := rand.New(rand.NewPCG(2, 2))
	queries := make([][]float32, n)
	for i := range queries {
		sum := make([]float32, len(vectors[0]))
		for range 3 {
			for d, x := range vectors[rng.IntN(len(vectors))] {
				sum[d] += x
			}
		}
		queries[i] = unit(sum)
	}
	return queries
}

func nearestOf(b *testing.B, exact index.Searcher, queries [][]float32, k int) []map[uint32]bool {
	b.Helper()
	truth := make([]map[uint32]bool, len(queries))
	for i, q := range queries {
		hits, err := exact.Search(index.Query{Vector: q, K: k}, nil)
		if err != nil {
			b.Fatal(err)
		}
		truth[i] = map[uint32]bool{}
		for _, h := range hits {
			truth[i][h.ID] = true
		}
	}
	return truth
}

func benchSearch(b *testing.B, x index.Searcher, queries [][]float32, truth []map[uint32]bool, k, effort int) {
	b.ReportAllocs()
	found, asked := 0, 0
	var hits []index.Hit
	var err error
	for i := 0; b.Loop(); i++ {
		at := i % len(queries)
		if hits, err = x.Search(index.Query{Vector: queries[at], K: k, Effort: effort}, hits[:0]); err != nil {
			b.Fatal(err)
		}
		if i >= len(queries) {
			continue
		}
		for _, h := range hits {
			if truth[at][h.ID] {
				found++
			}
		}
		asked += k
	}
	b.ReportMetric(float64(found)/float64(asked), "recall")
}
