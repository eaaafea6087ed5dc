package lexical

import (
	"math/bits"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

// trait lets most terms be passed over when corrections are looked for: a letter
// changed alters at most two bits of letters, one added or left out one bit and the
// count of runes, two swapped none.
type trait struct {
	letters uint32 // bit r%32 is set for each rune r
	runes   uint8  // maxWord at most
	digit   bool
}

func traitOf(text string) trait {
	var t trait
	for _, r := range text {
		t.letters |= 1 << (uint32(r) % 32)
		t.runes++
		t.digit = t.digit || unicode.IsNumber(r)
	}
	return t
}

// mistakes is how many typing mistakes a word may have.
func (t trait) mistakes() int {
	switch {
	case t.digit || t.runes < 4:
		return 0
	case t.runes < 8:
		return 1
	}
	return 2
}

// mayBe reports whether two words could be so many mistakes apart.
func (t trait) mayBe(other trait, mistakes int) bool {
	apart := int(t.runes) - int(other.runes)
	return -mistakes <= apart && apart <= mistakes && !other.digit && bits.OnesCount32(t.letters^other.letters) <= 2*mistakes
}

// corrections returns the terms that a word nobody uses may stand for, all at the least
// distance at which there are any, and that distance.
func (v *view) corrections(word string) (numbers []uint32, distance int) {
	want := traitOf(word)
	most := want.mistakes()
	if most == 0 {
		return nil, 0
	}
	var d meter
	d.set(word)
	for n, t := range v.traits {
		if !want.mayBe(t, most) || atomic.LoadUint32(&v.terms[n].live) == 0 {
			continue
		}
		switch k := d.distance(v.terms[n].text, most); {
		case k > most:
		case k < most || len(numbers) == 0:
			numbers, distance, most = append(numbers[:0], uint32(n)), k, k
		default:
			numbers, distance = append(numbers, uint32(n)), k
		}
	}
	return numbers, distance
}

// startingWith returns the terms in use that begin with a prefix. One that no row has any more
// must not keep the word from being corrected.
func (v *view) startingWith(prefix string) []uint32 {
	var out []uint32
	lo, hi := 0, len(v.sorted)
	for lo < hi {
		mid := (lo + hi) / 2
		if v.terms[v.sorted[mid]].text < prefix {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	for _, n := range v.sorted[lo:] {
		if !strings.HasPrefix(v.terms[n].text, prefix) {
			break
		}
		if atomic.LoadUint32(&v.terms[n].live) > 0 {
			out = append(out, n)
		}
	}
	for n := len(v.sorted); n < len(v.terms); n++ {
		if strings.HasPrefix(v.terms[n].text, prefix) && atomic.LoadUint32(&v.terms[n].live) > 0 {
			out = append(out, uint32(n))
		}
	}
	return out
}

// meter measures how many mistakes words are from one word: letters wrong, missing, too
// many, or neighbours swapped (optimal string alignment).
type meter struct {
	word  [maxWord]rune
	n     int
	other [maxWord]rune
	rows  [3][maxWord + 1]int
}

func (d *meter) set(word string) { d.n = runes(&d.word, word) }

func runes(dst *[maxWord]rune, text string) (n int) {
	for len(text) > 0 && n < maxWord {
		r, size := utf8.DecodeRuneInString(text)
		dst[n] = r
		n, text = n+1, text[size:]
	}
	return n
}

// distance is exact up to most; beyond it is just larger.
func (d *meter) distance(text string, most int) int {
	m := runes(&d.other, text)
	before, last, row := &d.rows[0], &d.rows[1], &d.rows[2]
	for j := range m + 1 {
		last[j] = j
	}
	for i := 1; i <= d.n; i++ {
		row[0] = i
		least := i
		for j := 1; j <= m; j++ {
			cost := 1
			if d.word[i-1] == d.other[j-1] {
				cost = 0
			}
			k := min(last[j-1]+cost, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && d.word[i-1] == d.other[j-2] && d.word[i-2] == d.other[j-1] {
				k = min(k, before[j-2]+1)
			}
			row[j], least = k, min(least, k)
		}
		if least > most {
			return most + 1
		}
		before, last, row = last, row, before
	}
	return last[m]
}
