package lexical

import (
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"
)

// maxWord is how many bytes of a word count.
const maxWord = 64

// span is a word: where it stands in the analyzer's buffer.
type span struct{ from, until int }

// splitter cuts text into folded words.
type splitter struct {
	folder
	buf   []byte // the folded words, one after the other
	spans []span
	run   []rune
	// ended is where in its text the last word ended.
	ended int
}

func (s *splitter) reset() { s.buf, s.spans, s.ended = s.buf[:0], s.spans[:0], 0 }

func (s *splitter) word(i int) []byte { return s.buf[s.spans[i].from:s.spans[i].until] }

// split adds the words of a text. Of a run of a script without spaces it adds the pairs
// of characters, and with last, for what is searched, its last character too: each
// character then begins some word.
func (s *splitter) split(text string, last bool) {
	pending := span{-1, -1} // a run of a script without spaces
	flush := func() {
		if pending.from >= 0 {
			s.pairs(text[pending.from:pending.until], last)
			s.ended, pending = pending.until, span{-1, -1}
		}
	}
	at := 0
	for tokens := words.FromString(text); tokens.Next(); {
		token := tokens.Value()
		from := at
		at += len(token)
		if !isWord(token) {
			flush()
			continue
		}
		for len(token) > 0 {
			n, unspaced := stretch(token)
			switch {
			case !unspaced:
				flush()
				s.add(token[:n])
				s.ended = from + n
			case pending.from >= 0:
				pending.until = from + n
			default:
				pending = span{from, from + n}
			}
			token, from = token[n:], from+n
		}
	}
	flush()
}

// isWord reports whether a token is worth finding: it has a letter, a digit or a
// picture.
func isWord(token string) bool {
	if c := token[0]; c < utf8.RuneSelf && 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= token[0] && token[0] <= '9' {
		return true
	}
	for _, r := range token {
		if unicode.IsLetter(r) || unicode.IsNumber(r) || isPicture(r) {
			return true
		}
	}
	return false
}

// isPicture reports whether a rune is an emoji or like one; signs such as © are not.
func isPicture(r rune) bool { return r >= 0x2190 && unicode.Is(unicode.So, r) }

// stretch measures the start of a token that is in scripts with spaces, or in ones
// without.
func stretch(token string) (n int, unspaced bool) {
	first := true
	for i, r := range token {
		switch is := isUnspaced(r); {
		case first:
			unspaced, first = is, false
		case is != unspaced && (is || unicode.IsLetter(r) || unicode.IsNumber(r)):
			return i, unspaced
		}
	}
	return len(token), unspaced
}

// unspacedScripts put no spaces between words, or, as Hangul, join endings to them.
var unspacedScripts = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar,
}

func isUnspaced(r rune) bool {
	return r >= 0x0e00 && (unicode.In(r, unspacedScripts...) || isKanaMark(r))
}

// isKanaMark reports whether a rune is one of the marks of kana that Unicode counts to
// no script: long vowels and voicing.
func isKanaMark(r rune) bool {
	return r == 0x30fc || r == 0xff70 || 0x3099 <= r && r <= 0x309c || r == 0xff9e || r == 0xff9f
}

// add adds a word, unless nothing is left of it.
func (s *splitter) add(token string) {
	from := len(s.buf)
	s.buf = s.fold(s.buf, token)
	if len(s.buf)-from > maxWord {
		end := from + maxWord
		for !utf8.RuneStart(s.buf[end]) {
			end--
		}
		s.buf = s.buf[:end]
	}
	if len(s.buf) > from {
		s.spans = append(s.spans, span{from, len(s.buf)})
	}
}

// pairs adds each two neighbouring characters of a run. A run of one is a word.
func (s *splitter) pairs(text string, last bool) {
	from := len(s.buf)
	s.buf = s.fold(s.buf, text)
	s.run = s.run[:0]
	for _, r := range string(s.buf[from:]) {
		s.run = append(s.run, r)
	}
	s.buf = s.buf[:from]
	for i := range s.run {
		if i+1 == len(s.run) && !last && i > 0 {
			return
		}
		from := len(s.buf)
		for _, r := range s.run[i:min(i+2, len(s.run))] {
			s.buf = utf8.AppendRune(s.buf, r)
		}
		s.spans = append(s.spans, span{from, len(s.buf)})
	}
}
