package corpus

import (
	"math/rand/v2"
	"strings"
	"unicode/utf8"
)

// Shares of the pieces, in tenths.
const (
	titles = 1 // the titles of texts
	runs   = 6 // words that follow each other in a text
	pairs  = 2 // a run of one text and a run of another
	// the rest are texts of which each word is kept with one chance
)

// Bounds of the number of words of a run.
const (
	shortestRun = 3
	longestRun  = 32
	longestPart = 14 // of one of two
)

// Pieces makes n texts of the given ones. The same arguments give the same pieces; with
// no texts there are none.
func Pieces(texts []Text, n int, seed uint64) []string {
	if len(texts) == 0 {
		return nil
	}
	r := rand.New(rand.NewPCG(seed, 0x70696563))
	pieces := make([]string, n)
	for i := range pieces {
		one, other := texts[r.IntN(len(texts))], texts[r.IntN(len(texts))]
		switch kind := r.IntN(10); {
		case kind < titles && one.Title != "":
			pieces[i] = one.Title
		case kind < titles+runs:
			pieces[i] = run(r, one.Whole, longestRun)
		case kind < titles+runs+pairs:
			pieces[i] = run(r, one.Whole, longestPart) + " " + run(r, other.Whole, longestPart)
		default:
			pieces[i] = thin(r, one.Whole)
		}
	}
	return pieces
}

// run is a run of at most so many words of a text.
func run(r *rand.Rand, text string, most int) string {
	words, between := cut(text)
	n := min(shortestRun+r.IntN(most-shortestRun+1), len(words))
	first := r.IntN(len(words) - n + 1)
	return strings.Join(words[first:first+n], between)
}

// thin keeps three to eight of ten words of a text, at least one.
func thin(r *rand.Rand, text string) string {
	words, between := cut(text)
	chance := 0.3 + 0.5*r.Float64()
	var kept []string
	for _, word := range words {
		if r.Float64() < chance {
			kept = append(kept, word)
		}
	}
	if len(kept) == 0 {
		return words[r.IntN(len(words))]
	}
	return strings.Join(kept, between)
}

// cut returns a text's words and what stands between them. A text with far more
// characters than spaces is of a script without spaces, such as Chinese; its words are
// its characters.
func cut(text string) (words []string, between string) {
	words = strings.Fields(text)
	if n := utf8.RuneCountInString(text); n <= 16*len(words) {
		return words, " "
	}
	return strings.Split(text, ""), ""
}
