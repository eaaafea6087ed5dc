package wordpiece

import (
	"fmt"
	"unicode/utf8"

	"github.com/kindred-rec/kindred/embed"
)

// MaxWordRunes is the length of the longest word, in characters after accents are
// gone, that is looked up. Longer ones are [Unknown].
const MaxWordRunes = 100

// Options say which variant of the rules a model was trained with, and bound the
// work on a text. The zero Options are those of an uncased model, without bounds.
type Options struct {
	// KeepCase leaves capital letters as they are. Cased models want it.
	KeepCase bool

	// KeepAccents leaves the text as it was composed, with its nonspacing marks.
	// Cased models want it.
	KeepAccents bool

	// MaxTokens is the largest number of tokens that one text may give; the rest
	// is left out and reported. 0 means no bound.
	MaxTokens int

	// MaxBytes is the largest number of bytes that are read of one text; the rest
	// is left out and reported. The cut falls between two characters and may fall
	// inside a word. 0 means no bound.
	MaxBytes int
}

// Tokenizer turns text into the numbers of tokens. It is immutable and safe for
// concurrent use.
type Tokenizer struct {
	vocab   *Vocabulary
	options Options
	classes *[tabled]class
	bytes   [256]class // the class of a byte; notASCII from 0x80
	signs   [128]int32 // the token of an ASCII punctuation character
	fold    *[256]byte // how bytes are seen in the trie
	start   unit       // the trie's root
	goesOn  unit       // the trie's node for "##"
}

// notASCII is the class of bytes of longer characters.
const notASCII = ideograph + 1

// New returns a tokenizer over a vocabulary. An error says that a bound in o is
// negative.
func New(v *Vocabulary, o Options) (*Tokenizer, error) {
	if o.MaxTokens < 0 || o.MaxBytes < 0 {
		return nil, fmt.Errorf("wordpiece: MaxTokens %d, MaxBytes %d: want at least 1, or 0 for no bound", o.MaxTokens, o.MaxBytes)
	}
	t := &Tokenizer{
		vocab: v, options: o, classes: classTable(), fold: &lower,
		start: v.trie.units[0], goesOn: v.trie.walk("##"),
	}
	if o.KeepCase {
		t.fold = &asIs
	}
	for c := range t.bytes {
		t.bytes[c] = notASCII
		if c < utf8.RuneSelf {
			t.bytes[c] = t.classes[c]
			t.signs[c] = t.wordID(string(rune(c)))
		}
	}
	return t, nil
}

// Vocabulary returns the vocabulary that the tokenizer was made with.
func (t *Tokenizer) Vocabulary() *Vocabulary { return t.vocab }

// Options returns the options that the tokenizer was made with.
func (t *Tokenizer) Options() Options { return t.options }

// Append appends the numbers of text's tokens to ids, each from 0 to one less
// than the vocabulary's length, and says how much of the text they cover. Special
// tokens such as [CLS] are not added. Text may be any bytes. Nothing is allocated
// unless ids has to grow; it never gives more tokens than the text has bytes.
func (t *Tokenizer) Append(ids []int32, text string) ([]int32, embed.Extent) {
	read := t.cut(text)
	w := words{t: t, ids: ids}
	limit := len(text) + 1 // more than there can be
	if t.options.MaxTokens > 0 {
		limit = t.options.MaxTokens
	}
	i, first := 0, len(ids)
	for i < read && len(w.ids)-first <= limit {
		i = w.next(text[:read], i)
	}
	w.end()
	e := embed.Extent{Tokens: len(w.ids) - first, Bytes: i, Truncated: read < len(text)}
	if e.Tokens > limit {
		e.Tokens, e.Truncated = limit, true
		w.ids = w.ids[:first+limit]
	}
	return w.ids, e
}

// cut returns the length of text that may be read: all of it, or to the last
// character that begins and ends within the bound.
func (t *Tokenizer) cut(text string) int {
	n := t.options.MaxBytes
	if n == 0 || len(text) <= n {
		return len(text)
	}
	for i := n; i > n-utf8.UTFMax && i > 0; i-- {
		if utf8.RuneStart(text[i]) {
			return i
		}
	}
	return n // not UTF-8 there
}

// wordID returns the token that is a whole word, or the one for unknown.
func (t *Tokenizer) wordID(word string) int32 {
	if id, ok := t.vocab.ID(word); ok {
		return id
	}
	return t.vocab.unknown
}

// appendPieces cuts a word of at most MaxWordRunes characters from the left into
// the longest pieces that there are, or makes it unknown.
func appendPieces[W string | []byte](t *Tokenizer, ids []int32, word W) []int32 {
	first, from := len(ids), t.start
	for len(word) > 0 {
		id, n := longest(t.vocab.trie, from, t.fold, word)
		if n == 0 {
			return append(ids[:first], t.vocab.unknown)
		}
		ids, word, from = append(ids, id), word[n:], t.goesOn
	}
	return ids
}
