package lexical

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// folder folds words. It is not safe for concurrent use: neither is a Caser. The zero
// folder is ready.
type folder struct {
	caser cases.Caser
	ready bool
}

// fold appends a token without what people do not type the same way twice: case,
// compatibility forms, accents, points, apostrophes.
func (f *folder) fold(dst []byte, token string) []byte {
	for i := range len(token) {
		c := token[i]
		switch {
		case c >= utf8.RuneSelf:
			return f.slow(dst, token, i)
		case 'A' <= c && c <= 'Z':
			dst = append(dst, c+'a'-'A')
		case c != '\'':
			dst = append(dst, c)
		}
	}
	return dst
}

// slow goes on from a byte that is not ASCII; what is before it is in dst.
func (f *folder) slow(dst []byte, token string, from int) []byte {
	if !f.ready {
		f.caser, f.ready = cases.Fold(), true
	}
	rest := strings.ToValidUTF8(token[from:], "")
	rest = norm.NFKD.String(f.caser.String(norm.NFKC.String(rest)))
	rest = strings.Map(plain, rest)
	// Not norm.Append, which would join the first mark with the word before.
	return append(dst, norm.NFC.String(rest)...)
}

// plain drops the marks that are often left out, and joins letters that keyboards
// confuse. Marks of other scripts are vowels and stay.
func plain(r rune) rune {
	switch {
	case 0x0300 <= r && r <= 0x036f, // accents
		0x0591 <= r && r <= 0x05c7,                           // Hebrew points
		0x064b <= r && r <= 0x0652, r == 0x0670, r == 0x0640, // Arabic points, tatweel
		r == '\'', r == '’', r == 'ʼ', r == 0x200c, r == 0x200d, // apostrophes, joiners
		0xfe00 <= r && r <= 0xfe0f: // variation selectors
		return -1
	case r == 'ı':
		return 'i'
	}
	return r
}
