package sentiment

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/cespare/xxhash/v2"
)

// Slots is how many slots the words and pairs of words are hashed to.
const Slots = 1 << 16

// negationSpan is how many words after a negation count as negated.
const negationSpan = 3

var negations = map[string]bool{"not": true, "no": true, "never": true, "cannot": true, "cant": true, "dont": true, "wont": true,
	"without": true, "hardly": true, "barely": true, "nothing": true, "none": true, "nor": true, "neither": true,
	"isnt": true, "doesnt": true, "didnt": true}

// words cuts a text into lower-case words, and the marks ! and ?, each by itself.
func words(text string) []string {
	var out []string
	start := -1
	text = strings.ReplaceAll(strings.ToLower(text), "’", "'")
	for i, r := range text {
		inside := unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || r == '\''
		switch {
		case inside && start < 0:
			start = i
		case !inside && start >= 0:
			out, start = append(out, text[start:i]), -1
		}
		if r == '!' || r == '?' {
			out = append(out, string(r))
		}
	}
	if start >= 0 {
		out = append(out, text[start:])
	}
	return out
}

// slots returns the slots of a text's words and pairs of words, ascending, each once, and
// the value that all of them have: the vector of the slots is of unit length.
func slots(text string) (at []uint32, value float64) {
	list := words(text)
	negated := 0
	for i, word := range list {
		name := word
		if negated > 0 {
			name = "NOT_" + word
			negated--
		}
		at = append(at, slot(name))
		if i > 0 {
			at = append(at, slot(list[i-1]+"_"+word))
		}
		if negations[word] || strings.HasSuffix(word, "n't") {
			negated = negationSpan
		}
	}
	slices.Sort(at)
	at = slices.Compact(at)
	if len(at) > 0 {
		value = 1 / math.Sqrt(float64(len(at)))
	}
	return at, value
}

func slot(name string) uint32 { return uint32(xxhash.Sum64String(name) % Slots) }
