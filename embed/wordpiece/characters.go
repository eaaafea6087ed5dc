package wordpiece

import "sync"

// class says what the rules do with a character.
type class uint8

const (
	letter      class = iota // part of a word: all that is nothing else
	dropped                  // removed
	space                    // ends a word
	punctuation              // a word by itself
	accent                   // removed with the accents
	ideograph                // a word by itself, whatever combines with it
)

// tabled is the first code point past the two planes that hold nearly all
// characters in use. Their classes are in an array.
const tabled = 0x20000

var (
	allSpans = []struct {
		class class
		spans []span
	}{
		{dropped, droppedSpans}, {space, spaceSpans}, {punctuation, punctuationSpans},
		{accent, accentSpans}, {ideograph, ideographSpans},
	}

	// classTable spreads the spans out once, when the first tokenizer is made.
	classTable = sync.OnceValue(func() *[tabled]class {
		var table [tabled]class
		for _, s := range allSpans {
			for _, span := range s.spans {
				for r := span.lo; r <= span.hi && r < tabled; r++ {
					table[r] = s.class
				}
			}
		}
		return &table
	})
)

// highClass is the class of a code point from tabled up, where spans are few.
func highClass(r rune) class {
	for _, s := range allSpans {
		for i := len(s.spans) - 1; i >= 0 && s.spans[i].hi >= tabled; i-- {
			if s.spans[i].lo <= r && r <= s.spans[i].hi {
				return s.class
			}
		}
	}
	return letter
}

// asIs and lower map bytes to themselves, and ASCII letters to lower case.
var asIs, lower = func() (asIs, lower [256]byte) {
	for i := range asIs {
		asIs[i], lower[i] = byte(i), byte(i)
	}
	for c := 'A'; c <= 'Z'; c++ {
		lower[c] = byte(c - 'A' + 'a')
	}
	return asIs, lower
}()
