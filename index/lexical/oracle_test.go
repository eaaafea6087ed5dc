package lexical

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/index"
)

// oracle is the same search without an index: it reads all texts for every query.
type oracle map[uint32]map[string]uint8

func (o oracle) put(id uint32, d Document) {
	words := make(map[string]uint8)
	for _, w := range new(analyzer).document(&d, 2000) {
		words[string(w.text)] = w.weight
	}
	delete(o, id)
	if len(words) > 0 {
		o[id] = words
	}
}

// in counts the items that have each word that passes.
func (o oracle) in(passes func(string) bool) map[string]int {
	in := make(map[string]int)
	for _, words := range o {
		for w := range words {
			if passes(w) {
				in[w]++
			}
		}
	}
	return in
}

func (o oracle) rarity(k int) float32 {
	n := float64(len(o))
	return float32(math.Log(1+max(0, n-float64(k)+.5)/(float64(k)+.5)) * (saturation + 1) / 255)
}

// stands returns what each term that a word stands for is worth.
func (o oracle) stands(word string, goesOn bool) map[string]float32 {
	worth := make(map[string]float32)
	if k := o.in(func(w string) bool { return w == word })[word]; k > 0 {
		worth[word] = o.rarity(k)
	}
	if goesOn && len([]rune(word)) > 1 {
		o.share(worth, o.in(func(w string) bool { return strings.HasPrefix(w, word) }), prefixShare, maxPrefixes)
	}
	if len(worth) > 0 {
		return worth
	}
	most := traitOf(word).mistakes()
	for d := 1; d <= most && len(worth) == 0; d++ {
		near := func(w string) bool { return !traitOf(w).digit && slowDistance([]rune(word), []rune(w)) == d }
		o.share(worth, o.in(near), math.Pow(mistakeShare, float64(d)), maxCorrections)
	}
	return worth
}

func (o oracle) share(worth map[string]float32, in map[string]int, share float64, most int) {
	together := 0
	var words []string
	for w, k := range in {
		together += k
		if _, exact := worth[w]; !exact {
			words = append(words, w)
		}
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(cmp.Compare(in[b], in[a]), strings.Compare(a, b)) })
	for _, w := range words[:min(most, len(words))] {
		worth[w] = float32(share) * o.rarity(min(together, len(o)))
	}
}

func (o oracle) search(words []string, goesOn bool, k int, allowed func(uint32) bool) (hits []index.Hit, all bool) {
	sums, counts, distinct := make(map[uint32]float32), make(map[uint32]int), 0
	for i, word := range words {
		if slices.Contains(words[:i], word) {
			continue
		}
		distinct++
		worth := o.stands(word, goesOn && word == words[len(words)-1])
		for id, has := range o {
			var best float32
			for w, x := range worth {
				best = max(best, x*float32(has[w]))
			}
			if best > 0 {
				sums[id] += best
				counts[id]++
			}
		}
	}
	for id, score := range sums {
		if allowed(id) {
			hits = append(hits, index.Hit{ID: id, Score: score})
		}
	}
	slices.SortFunc(hits, func(a, b index.Hit) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID)) })
	return hits[:min(k, len(hits))], slices.ContainsFunc(hits, func(h index.Hit) bool { return counts[h.ID] == distinct })
}

// slowDistance is the optimal string alignment distance by its definition.
func slowDistance(a, b []rune) int {
	switch {
	case len(a) == 0 || len(b) == 0:
		return len(a) + len(b)
	case max(len(a)-len(b), len(b)-len(a)) > 2:
		return 3
	}
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		for j := range d[i] {
			switch {
			case i == 0 || j == 0:
				d[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				d[i][j] = d[i-1][j-1]
			default:
				d[i][j] = d[i-1][j-1] + 1
			}
			d[i][j] = min(d[i][j], d[i-1][j]+1, d[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

// Words that are near one another, so that beginnings and mistakes matter.
var vocabulary = strings.Fields(`pen pens pencil penguin pen2 pen3 marker markers maker makers marked blue bleu blues
	paperclip paperclips paprclip notebook notebooks notbook desk desks a ab abc`)

func text(t *rapid.T, label string) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(vocabulary), 0, 6).Draw(t, label), " ")
}

func TestFindsWhatReadingAllTextsFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, err := New(Config{MaxItems: 64})
		if err != nil {
			t.Fatal(err)
		}
		o := oracle{}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				id := rapid.Uint32Range(0, 63).Draw(t, "id")
				d := Document{Title: text(t, "title"), Brand: text(t, "brand"), Tags: []string{text(t, "tag")}, Description: text(t, "description")}
				o.put(id, d)
				if err := x.Put(id, &d); err != nil {
					t.Fatal(err)
				}
			},
			"delete": func(t *rapid.T) {
				id := rapid.Uint32Range(0, 63).Draw(t, "id")
				delete(o, id)
				x.Delete(id)
			},
			"compact": func(*rapid.T) { x.state = x.state.compacted() },
			"search": func(t *rapid.T) {
				words := rapid.SliceOfN(rapid.SampledFrom(append(vocabulary, "penn", "mraker", "peper", "notebooook", "paperclps", "bl")), 1, 4).Draw(t, "words")
				goesOn := rapid.Bool().Draw(t, "goes on")
				allow := []uint64{rapid.Uint64().Draw(t, "allow")}
				k := rapid.IntRange(1, 70).Draw(t, "k")
				q := Query{Text: strings.Join(words, " "), K: k, Allow: allow, Keep: func(id uint32) bool { return id%7 != 3 }}
				if !goesOn {
					q.Text += " "
				}
				got, all, err := x.Search(q, nil)
				if err != nil {
					t.Fatal(err)
				}
				want, wantAll := o.search(words, goesOn, k, func(id uint32) bool { return allow[0]>>id&1 == 1 && id%7 != 3 })
				if !slices.Equal(got, want) || all != wantAll {
					t.Fatalf("%q finds\n%v, want\n%v", q.Text, got, want)
				}
				if x.Len() != len(o) {
					t.Fatalf("%d items, want %d", x.Len(), len(o))
				}
			},
		})
	})
}

func TestSearchDoesNotDependOnHistory(t *testing.T) {
	docs := make([]Document, 9000) // more than two windows
	r := rand.New(rand.NewPCG(1, 1))
	for i := range docs {
		words := make([]string, 8)
		for k := range words {
			words[k] = fmt.Sprint("w", int(30*r.ExpFloat64()))
		}
		docs[i].Title = strings.Join(words, " ")
	}
	straight := filled(t, docs)
	long := filled(t, docs[:5000])
	for range 3 { // compacts on the way
		for i := range 4000 {
			if err := long.Put(uint32(i), &docs[r.IntN(len(docs))]); err != nil {
				t.Fatal(err)
			}
		}
		long.Delete(uint32(r.IntN(4000)))
	}
	for i := range docs {
		if err := long.Put(uint32(i), &docs[i]); err != nil {
			t.Fatal(err)
		}
	}
	if s := long.Stats(); s.Buried > s.Items/4+1024 || s.Items != len(docs) {
		t.Errorf("%+v: more than a quarter is buried", s)
	}
	for range 50 {
		q := Query{Text: fmt.Sprint("w", r.IntN(50), " w", r.IntN(100), " w", r.IntN(10)), K: 500}
		a, _, _ := straight.Search(q, nil)
		b, _, _ := long.Search(q, nil)
		if len(a) == 0 || !slices.Equal(a, b) {
			t.Fatalf("%q: %d and %d hits that differ", q.Text, len(a), len(b))
		}
	}
}
