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

// recombined makes n titles out of the halves of real ones and encodes them.
func recombined(tb testing.TB, n int) [][]float32 {
	tb.Helper()
	f, err := os.Open("../../../shared/data/amazon-office/items.jsonl")
	if os.IsNotExist(err) {
		tb.Skip("no real titles here: ", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var halves [2][]string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var item struct{ Title string }
		if err := json.Unmarshal(lines.Bytes(), &item); err != nil {
			tb.Fatal(err)
		}
		words := strings.Fields(item.Title)
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
		rng := rand.New(rand.NewPCG(2, 2))
		queries := make([][]float32, 256)
		for i := range queries {
			mean := make([]float32, len(vectors[0]))
			for range 3 {
				for d, x := range vectors[rng.IntN(n)] {
					mean[d] += x
				}
			}
			queries[i] = unit(mean)
		}
		exact, err := flat.New(flat.Config{Dim: len(vectors[0]), MaxItems: n})
		if err != nil {
			b.Fatal(err)
		}
		graph, err := hnsw.New(hnsw.Config{Dim: len(vectors[0]), MaxItems: n, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		for id, v := range vectors {
			if err := exact.Add(uint32(id), v); err != nil {
				b.Fatal(err)
			}
		}
		if err := graph.Build(b.Context(), n, 0, func(id uint32) []float32 { return vectors[id] }); err != nil {
			b.Fatal(err)
		}
		for _, k := range []int{100, 200} {
			truth := make([]map[uint32]bool, len(queries))
			for i, q := range queries {
				hits, _ := exact.Search(index.Query{Vector: q, K: k}, nil)
				truth[i] = map[uint32]bool{}
				for _, h := range hits {
					truth[i][h.ID] = true
				}
			}
			bench := func(name string, idx index.Searcher, effort int) {
				b.Run(fmt.Sprintf("items=%d/k=%d/%s", n, k, name), func(b *testing.B) {
					found, asked := 0, 0
					var hits []index.Hit
					for i := 0; b.Loop(); i++ {
						at := i % len(queries)
						hits, err = idx.Search(index.Query{Vector: queries[at], K: k, Effort: effort}, hits[:0])
						if err != nil {
							b.Fatal(err)
						}
						if i < len(queries) {
							for _, h := range hits {
								if truth[at][h.ID] {
									found++
								}
							}
							asked += k
						}
					}
					b.ReportMetric(float64(found)/float64(asked), "recall")
				})
			}
			bench("flat", exact, 0)
			for _, ef := range []int{100, 200, 300, 400} {
				if ef >= k {
					bench(fmt.Sprintf("hnsw,ef=%d", ef), graph, ef)
				}
			}
		}
	}
}
