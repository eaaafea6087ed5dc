// Package tokens turns a text into the token numbers that a model of the BERT family
// was trained with, from the tokenizer files beside its weights.
//
// tokenizer.json is read, as the tokenizers library of Hugging Face writes it, or else
// vocab.txt with tokenizer_config.json. What the file asks for and this package does
// not do is an error that names it: a tokenizer that is nearly right gives vectors that
// are nearly right, and nobody notices.
//
// Control tokens cannot be written into a text: "[SEP]" in a title is five letters and
// signs. Otherwise the numbers are the library's.
package tokens

import (
	"fmt"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// Cutter cuts a text into tokens, without special ones. It is safe for concurrent use.
type Cutter interface {
	// Append appends the numbers of a text's tokens, and says how much of the text
	// they cover. A text may be any bytes.
	Append(ids []int32, text string) ([]int32, embed.Extent)
}

// Bounds are the most that is read of one text; both at least 1.
type Bounds struct{ Tokens, Bytes int }

// Tokenizer is a cutter and the special tokens that stand around a text.
type Tokenizer struct {
	Cutter
	Before, After []int32
	Vocab         int // how many token numbers there are
}

// Load reads the tokenizer in the folder dir. Of a text at most maxTokens are kept,
// the special ones included, of at most maxBytes. Errors about content wrap
// [checkpoint.ErrFormat] or [checkpoint.ErrUnsupported].
func Load(dir string, maxTokens, maxBytes int) (*Tokenizer, error) {
	f, err := readFile(dir)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{}
	if t.Before, t.After, err = f.specials(); err != nil {
		return nil, err
	}
	room := maxTokens - len(t.Before) - len(t.After)
	if room < 1 {
		return nil, fmt.Errorf("%w: %d special tokens stand around a text, and at most %d tokens are read", checkpoint.ErrFormat, len(t.Before)+len(t.After), maxTokens)
	}
	if t.Cutter, t.Vocab, err = f.cutter(Bounds{Tokens: room, Bytes: maxBytes}); err != nil {
		return nil, err
	}
	for _, id := range append(append([]int32(nil), t.Before...), t.After...) {
		if int(id) >= t.Vocab {
			return nil, fmt.Errorf("%w: tokenizer.json: special token %d; there are %d tokens", checkpoint.ErrFormat, id, t.Vocab)
		}
	}
	return t, nil
}

// padding is how many more rows than tokens a model may have: some round up.
const padding = 128

// CheckRows returns an error unless a token table of so many rows belongs to the
// tokenizer.
func (t *Tokenizer) CheckRows(rows int) error {
	if t.Vocab > rows || t.Vocab <= rows-padding {
		return fmt.Errorf("%w: the vocabulary has %d tokens, and the model has rows for %d; take both from the same model", checkpoint.ErrFormat, t.Vocab, rows)
	}
	return nil
}
