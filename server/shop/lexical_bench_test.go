package shop

import (
	"bufio"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/embed/itemtext"
	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/flat"
	"github.com/kindred-rec/kindred/index/lexical"
	"github.com/kindred-rec/kindred/ranker"
)

// finder finds items of a real catalog in the three ways.
type finder struct {
	docs    []lexical.Document
	texts   *lexical.Index
	encoder *static.Encoder
	vectors *flat.Index
}

// newFinder indexes titles and descriptions, or titles alone.
func newFinder(b *testing.B, titlesAlone bool) *finder {
	f, err := os.Open("../../../shared/data/amazon-office/items.jsonl")
	if err != nil {
		b.Skip("the data is not here: ", err)
	}
	defer f.Close()
	x := new(finder)
	if x.encoder, err = static.Default(); err != nil {
		b.Fatal(err)
	}
	dim := x.encoder.Info().Dim
	if x.texts, err = lexical.New(lexical.Config{MaxItems: 1 << 20}); err != nil {
		b.Fatal(err)
	}
	if x.vectors, err = flat.New(flat.Config{Dim: dim, MaxItems: 1 << 20}); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var d lexical.Document
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			b.Fatal(err)
		}
		id := uint32(len(x.docs))
		x.docs = append(x.docs, d)
		if titlesAlone {
			d.Description = ""
		}
		if err := x.texts.Put(id, &d); err != nil {
			b.Fatal(err)
		}
		v := make([]float32, dim)
		if err := x.encoder.Encode(context.Background(), []string{itemtext.Fields{Title: d.Title, Description: d.Description}.Text()}, v); err != nil {
			b.Fatal(err)
		}
		if !isZero(v) {
			if err := x.vectors.Add(id, v); err != nil {
				b.Fatal(err)
			}
		}
	}
	return x
}

func (x *finder) find(b *testing.B, query string) (words, near []ranker.Scored, all bool) {
	hits, all, err := x.texts.Search(lexical.Query{Text: query, K: 200}, nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, h := range hits {
		words = append(words, ranker.Scored{Item: h.ID, Score: h.Score})
	}
	v := make([]float32, x.encoder.Info().Dim)
	if err := x.encoder.Encode(context.Background(), []string{query}, v); err != nil {
		b.Fatal(err)
	}
	if isZero(v) {
		return words, nil, all
	}
	if hits, err = x.vectors.Search(index.Query{Vector: v, K: 200}, hits[:0]); err != nil {
		b.Fatal(err)
	}
	for _, h := range hits {
		near = append(near, ranker.Scored{Item: h.ID, Score: h.Score})
	}
	return words, near, all
}

// pick returns three random words of a text in its order; nil if it has fewer.
func pick(r *rand.Rand, text string) []string {
	words := strings.Fields(text)
	if len(words) < 3 {
		return nil
	}
	at := r.Perm(len(words))[:3]
	slices.Sort(at)
	return []string{words[at[0]], words[at[1]], words[at[2]]}
}

// misspell swaps two neighbouring letters of the longest word.
func misspell(r *rand.Rand, words []string) {
	k := 0
	for i := range words {
		if len(words[i]) > len(words[k]) {
			k = i
		}
	}
	if w := []byte(words[k]); len(w) > 1 {
		i := r.IntN(len(w) - 1)
		w[i], w[i+1] = w[i+1], w[i]
		words[k] = string(w)
	}
}

// BenchmarkSearchQuality looks for known items: the share of 2,000 whose item is among
// the first ten by words, by the text's vector, and fused.
func BenchmarkSearchQuality(b *testing.B) {
	whole, titles := newFinder(b, false), newFinder(b, true)
	for _, kind := range []struct {
		name  string
		among *finder
		query func(r *rand.Rand, d *lexical.Document) []string
	}{
		{"three words of the title", whole, func(r *rand.Rand, d *lexical.Document) []string { return pick(r, d.Title) }},
		{"one misspelt", whole, func(r *rand.Rand, d *lexical.Document) []string {
			words := pick(r, d.Title)
			if words != nil {
				misspell(r, words)
			}
			return words
		}},
		{"the last half typed", whole, func(r *rand.Rand, d *lexical.Document) []string {
			words := pick(r, d.Title)
			if words != nil {
				words[2] = words[2][:(len(words[2])+1)/2]
			}
			return words
		}},
		{"first eight words of the description", whole, func(_ *rand.Rand, d *lexical.Document) []string {
			words := strings.Fields(d.Description)
			if len(words) < 8 {
				return nil
			}
			return words[:8]
		}},
		{"eight words of the description that the title has not, among titles", titles, func(_ *rand.Rand, d *lexical.Document) []string {
			var words []string
			for _, w := range strings.Fields(d.Description) {
				if !strings.Contains(strings.ToLower(d.Title), strings.ToLower(strings.Trim(w, ".,;:!?()"))) {
					words = append(words, w)
				}
			}
			if len(words) < 8 {
				return nil
			}
			return words[:8]
		}},
	} {
		x := kind.among
		b.Run(kind.name, func(b *testing.B) {
			for b.Loop() {
				r := rand.New(rand.NewPCG(1, 1))
				var hit [3]int
				asked := 0
				for asked < 2000 {
					id := uint32(r.IntN(len(x.docs)))
					query := kind.query(r, &x.docs[id])
					if query == nil {
						continue
					}
					asked++
					words, near, all := x.find(b, strings.Join(query, " "))
					hit[0] += first(words, id)
					hit[1] += first(near, id)
					if found := fuse(words, near, all); slices.IndexFunc(found[:min(10, len(found))], func(m match) bool { return m.item == id }) >= 0 {
						hit[2]++
					}
				}
				for i, way := range []string{"words", "vector", "fused"} {
					b.ReportMetric(float64(hit[i])/float64(asked), way+"_hit@10")
				}
			}
		})
	}
}

func first(list []ranker.Scored, id uint32) int {
	if slices.IndexFunc(list[:min(10, len(list))], func(s ranker.Scored) bool { return s.Item == id }) >= 0 {
		return 1
	}
	return 0
}
