package embed

import (
	"context"
	"errors"
	"fmt"
)

// Errors that an [Encoder] returns, wrapped with what happened. A cancelled or
// expired context is returned as the context's own error, wrapped or bare.
var (
	// ErrShape: the output does not hold len(texts) rows of Dim components. It is
	// a mistake of the caller; a retry does not help.
	ErrShape = errors.New("embed: output has the wrong shape")

	// ErrOverloaded: the encoder has no room for the call now. Nothing was
	// encoded; the caller may retry after a pause.
	ErrOverloaded = errors.New("embed: encoder is overloaded")

	// ErrUnavailable: the encoder cannot be reached, or was closed. The caller may
	// retry, or go on without text vectors.
	ErrUnavailable = errors.New("embed: encoder is unavailable")
)

// Encoder turns texts into vectors. Implementations are safe for concurrent use
// and give the same text the same vector whatever it is encoded with, up to
// rounding.
type Encoder interface {
	// Info describes the model. It does not change during the encoder's life and
	// costs nothing to ask for.
	Info() Info

	// Encode writes the vectors of texts to out, [len(texts), Dim] float32, row by
	// row. Rows have unit length; the row of a text without any token is zeros.
	// Texts are any bytes: what is not UTF-8 is treated as absent. What out held
	// before does not matter. Zero texts are no error.
	//
	// On an error the content of out is undefined, and neither texts nor out is
	// used after Encode has returned.
	Encode(ctx context.Context, texts []string, out []float32) error
}

// Info describes an encoder's model.
type Info struct {
	// Model names the model and its content, such as
	// "static-minilm-256@sha256:1f0c…": vectors may be compared when their Model is
	// equal, and only then.
	Model string

	// Dim is the number of components of a vector, at least 1.
	Dim int

	// MaxTokens is how many tokens of a text are considered, special tokens
	// included; what follows is left out. 0 means that there is no such bound.
	MaxTokens int

	// MaxBytes is how many bytes of a text are considered; what follows is left
	// out. 0 means that there is no such bound.
	MaxBytes int
}

// CheckShape returns an error that wraps [ErrShape] unless an output of n float32
// holds exactly one row for each of so many texts.
func (i Info) CheckShape(texts, n int) error {
	if want := texts * i.Dim; n != want {
		return fmt.Errorf("%w: %d texts of dimension %d need %d float32, got %d; make the slice of len(texts)*Dim",
			ErrShape, texts, i.Dim, want, n)
	}
	return nil
}

// Extent says how much of a text an encoder or tokenizer considered.
type Extent struct {
	// Tokens is the number of tokens kept, without the special tokens that a model
	// adds itself.
	Tokens int

	// Bytes is the length of the part of the text that was read for them, at most
	// the text's length.
	Bytes int

	// Truncated is true when a bound on tokens or bytes left out something of the
	// text that would have given more tokens, or may have.
	Truncated bool
}

// Measurer is implemented by encoders that can say how much of a text they
// consider. An importer uses it to warn of descriptions whose end is not seen.
type Measurer interface {
	// Measure reports what Encode considers of text. It is safe for concurrent use
	// and encodes nothing.
	Measure(text string) Extent
}
