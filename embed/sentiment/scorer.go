package sentiment

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Scale is the largest rating: people rate from -Scale to Scale, and a score times Scale
// is a rating.
const Scale = 4

// MaxBytes is how many bytes of one text are read; what follows is left out. It bounds the
// time of one text to some milliseconds.
const MaxBytes = 16 << 10

// Errors that a caller can tell apart.
var (
	// ErrEncoder: the head was trained on the vectors of another encoder.
	ErrEncoder = errors.New("sentiment: head of another encoder")
	// ErrFormat: a file is not a head, or is damaged; or a row of rated texts is broken.
	ErrFormat = errors.New("sentiment: bad file")
	// ErrFew: there are fewer rated texts than the minimum.
	ErrFew = errors.New("sentiment: too few rated texts")
	// ErrOptions: a setting is out of its range; the error names it.
	ErrOptions = errors.New("sentiment: bad options")
	// ErrLexicon: the lexicon's rules failed on a text.
	ErrLexicon = errors.New("sentiment: the lexicon failed")
)

// Scorer says how texts feel.
type Scorer interface {
	// Score writes a number from -1 to 1 for each text to out, [len(texts)]. A text that
	// says nothing gets 0. Texts are any bytes; what is not UTF-8 is left out. It is safe
	// for concurrent use. On an error the content of out is undefined.
	Score(ctx context.Context, texts []string, out []float64) error
}

// checkOut says when out does not fit the texts.
func checkOut(texts, out int) error {
	if texts != out {
		return fmt.Errorf("sentiment: out holds %d scores for %d texts; make it as long", out, texts)
	}
	return nil
}

// clip returns the part of a text that is read, as valid UTF-8.
func clip(text string) string {
	if len(text) > MaxBytes {
		cut := MaxBytes
		for cut > MaxBytes-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
	return strings.ToValidUTF8(text, "")
}
