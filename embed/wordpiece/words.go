package wordpiece

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// words gathers the characters of one word after the other and appends the word's
// tokens when it ends. It lives on the stack of one call of Append.
type words struct {
	t     *Tokenizer
	ids   []int32
	runes int // characters of the word so far, also those that have no room
	n     int // bytes of the word in buf
	marks int // where in buf the combining marks at the word's end begin
	buf   [MaxWordRunes * utf8.UTFMax]byte
}

// next reads what begins at text[i] and returns where it ends: a run of ASCII
// letters or one other character.
func (w *words) next(text string, i int) int {
	c := text[i]
	switch w.t.bytes[c] {
	case letter:
		j := i + 1
		for j < len(text) && w.t.bytes[text[j]] == letter {
			j++
		}
		w.letters(text[i:j], j == len(text) || w.t.bytes[text[j]] == space || w.t.bytes[text[j]] == punctuation)
		return j
	case space:
		w.end()
	case punctuation:
		w.end()
		w.ids = append(w.ids, w.t.signs[c])
	case notASCII:
		r, size := utf8.DecodeRuneInString(text[i:])
		w.character(r, text[i:i+size])
		return i + size
	}
	return i + 1
}

// letters adds a run of ASCII letters to the word. Where it is all of the word, as
// in nearly every text, it is looked up where it lies.
func (w *words) letters(run string, wordEnds bool) {
	if w.runes == 0 && wordEnds && len(run) <= MaxWordRunes {
		w.ids = appendPieces(w.t, w.ids, run)
		return
	}
	w.runes += len(run)
	w.n += copy(w.buf[w.n:], run)
	w.marks = w.n
}

// end appends the tokens of the word that was gathered, if any.
func (w *words) end() {
	if w.runes > MaxWordRunes {
		w.ids = append(w.ids, w.t.vocab.unknown)
	} else if w.n > 0 {
		w.ids = appendPieces(w.t, w.ids, w.buf[:w.n])
	}
	w.runes, w.n, w.marks = 0, 0, 0
}

// character takes one character of more than a byte, which lies in text.
func (w *words) character(r rune, text string) {
	switch w.t.class(r) {
	case dropped:
	case space:
		w.end()
	case ideograph:
		w.end()
		w.decompose(r, text)
		w.end()
	default:
		w.decompose(r, text)
	}
}

func (t *Tokenizer) class(r rune) class {
	if r < tabled {
		return t.classes[r]
	}
	return highClass(r)
}

// Hangul syllables are composed by arithmetic and have no place in tables.
const (
	hangulFirst, hangulEnd          = 0xac00, 0xd7a4
	leadFirst, vowelFirst, tailNone = 0x1100, 0x1161, 0x11a7
	vowels, tails                   = 21, 28
)

// decompose adds the canonical decomposition of a character, or the character as
// it is where accents are kept.
func (w *words) decompose(r rune, text string) {
	switch {
	case w.t.options.KeepAccents:
		w.keep(r, 0)
	case hangulFirst <= r && r < hangulEnd:
		r -= hangulFirst
		w.add(leadFirst+r/(vowels*tails), 0)
		w.add(vowelFirst+r/tails%vowels, 0)
		if r%tails != 0 {
			w.add(tailNone+r%tails, 0)
		}
	default:
		p := norm.NFD.PropertiesString(text)
		parts := p.Decomposition()
		if parts == nil {
			w.add(r, p.CCC())
		}
		for len(parts) > 0 {
			part, size := utf8.DecodeRune(parts)
			w.add(part, norm.NFD.Properties(parts).CCC())
			parts = parts[size:]
		}
	}
}

// add takes a decomposed character and its canonical combining class.
func (w *words) add(r rune, combining uint8) {
	if w.t.class(r) != accent {
		w.keep(r, combining)
	} else if combining == 0 {
		w.marks = w.n // marks do not change places across it, though it is gone
	}
}

// keep takes a character that stays.
func (w *words) keep(r rune, combining uint8) {
	if w.t.class(r) == punctuation {
		w.end()
		w.put(r, 0)
		w.end()
		return
	}
	if !w.t.options.KeepCase {
		if r == 'İ' { // the only one whose lower case is two characters
			w.put('i', 0)
			r = '\u0307'
		}
		r = unicode.ToLower(r)
	}
	w.put(r, combining)
}

// put puts a character at the end of the word, or before the marks of a higher
// combining class at its end: that is the canonical order.
func (w *words) put(r rune, combining uint8) {
	if w.runes++; w.runes > MaxWordRunes {
		return
	}
	at := w.n
	for combining != 0 && at > w.marks {
		before, size := utf8.DecodeLastRune(w.buf[w.marks:at])
		if norm.NFD.PropertiesString(string(before)).CCC() <= combining {
			break
		}
		at -= size
	}
	var character [utf8.UTFMax]byte
	size := utf8.EncodeRune(character[:], r)
	copy(w.buf[at+size:], w.buf[at:w.n])
	copy(w.buf[at:], character[:size])
	w.n += size
	if combining == 0 {
		w.marks = w.n
	}
}
