package wordpiece

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// plain does what Tokenizer does, one rule after the other over the whole text,
// with strings and maps. It is what Tokenizer is compared with.
type plain struct {
	ids     map[string]int32
	options Options
}

func newPlain(v *Vocabulary, o Options) *plain {
	p := &plain{ids: map[string]int32{}, options: o}
	for i := range v.Len() {
		p.ids[v.Token(int32(i))] = int32(i)
	}
	return p
}

func in(spans []span, r rune) bool {
	return slices.ContainsFunc(spans, func(s span) bool { return s.lo <= r && r <= s.hi })
}

func (p *plain) tokens(text string) []int32 {
	ids := []int32{}
	for _, word := range strings.Fields(p.separate(text)) {
		ids = append(ids, p.pieces(word)...)
	}
	return ids
}

// separate returns the text in its final characters, with a space between words.
func (p *plain) separate(text string) string {
	var cleaned []rune
	for _, r := range text { // what is not UTF-8 becomes U+FFFD, which is dropped
		switch {
		case in(droppedSpans, r):
		case in(spaceSpans, r):
			cleaned = append(cleaned, ' ')
		case in(ideographSpans, r):
			cleaned = append(cleaned, ' ', r, ' ')
		default:
			cleaned = append(cleaned, r)
		}
	}
	if !p.options.KeepAccents {
		cleaned = slices.DeleteFunc(decomposed(cleaned), func(r rune) bool { return in(accentSpans, r) })
	}
	var out strings.Builder
	for _, r := range cleaned {
		s := string(r)
		if !p.options.KeepCase {
			s = string(unicode.ToLower(r))
			if r == 'İ' {
				s = "i̇"
			}
		}
		if in(punctuationSpans, r) {
			s = " " + s + " "
		}
		out.WriteString(s)
	}
	return out.String()
}

// decomposed is NFD: each character apart, then runs of marks sorted by class.
func decomposed(text []rune) []rune {
	var out []rune
	for _, r := range text {
		out = append(out, []rune(norm.NFD.String(string(r)))...)
	}
	combining := func(r rune) uint8 { return norm.NFD.PropertiesString(string(r)).CCC() }
	for i := 0; i < len(out); i++ {
		j := i
		for j < len(out) && combining(out[j]) != 0 {
			j++
		}
		if j > i {
			slices.SortStableFunc(out[i:j], func(a, b rune) int { return int(combining(a)) - int(combining(b)) })
			i = j - 1
		}
	}
	return out
}

func (p *plain) pieces(word string) []int32 {
	unknown := []int32{p.ids[Unknown]}
	rest := []rune(word)
	if len(rest) > MaxWordRunes {
		return unknown
	}
	var ids []int32
	prefix := ""
	for len(rest) > 0 {
		n := len(rest)
		for n > 0 {
			if id, ok := p.ids[prefix+string(rest[:n])]; ok {
				ids = append(ids, id)
				break
			}
			n--
		}
		if n == 0 {
			return unknown
		}
		rest, prefix = rest[n:], "##"
	}
	return ids
}
