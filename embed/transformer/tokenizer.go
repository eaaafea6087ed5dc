package transformer

import (
	"fmt"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/internal/tokens"
)

// Tokenizer turns a text into the token numbers that an encoder computes, the prompt and
// the special tokens included: what training reads must be what [Encoder.Encode] will.
// It is safe for concurrent use.
type Tokenizer struct {
	tokens       *tokens.Tokenizer
	prompt       string
	promptTokens int // of the prompt alone
}

// LoadTokenizer reads the tokenizer beside a model that was loaded from the folder dir.
// Of a text model.MaxTokens tokens are kept. The prompt stands before each text.
func LoadTokenizer(dir string, model *checkpoint.Model, prompt string) (Tokenizer, error) {
	t, err := loadTokens(dir, model)
	if err != nil {
		return Tokenizer{}, err
	}
	return newTokenizer(t, prompt), nil
}

func loadTokens(dir string, model *checkpoint.Model) (*tokens.Tokenizer, error) {
	t, err := tokens.Load(dir, model.MaxTokens, MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("transformer: %s: %w", dir, err)
	}
	if err := t.CheckRows(model.Config.Vocab); err != nil {
		return nil, fmt.Errorf("transformer: %s: %w", dir, err)
	}
	return t, nil
}

func newTokenizer(t *tokens.Tokenizer, prompt string) Tokenizer {
	w := Tokenizer{tokens: t, prompt: prompt}
	if prompt != "" {
		_, extent := t.Append(nil, prompt)
		w.promptTokens = extent.Tokens
	}
	return w
}

// Append appends the tokens of a text with its prompt and the special ones, or none if
// the text has none itself, and says how much of the text they cover.
func (t Tokenizer) Append(ids []int32, text string) ([]int32, embed.Extent) {
	first := len(ids)
	ids = append(ids, t.tokens.Before...)
	var extent embed.Extent
	ids, extent = t.tokens.Append(ids, t.prompt+text)
	if extent = t.own(extent, text); extent.Tokens == 0 {
		return ids[:first], extent
	}
	return append(ids, t.tokens.After...), extent
}

// own is the part of an extent that is the text's and not the prompt's.
func (t Tokenizer) own(extent embed.Extent, text string) embed.Extent {
	extent.Tokens = max(0, extent.Tokens-t.promptTokens)
	extent.Bytes = min(max(0, extent.Bytes-len(t.prompt)), len(text))
	return extent
}

// Measure says how much of text is read, the prompt not counted.
func (t Tokenizer) Measure(text string) embed.Extent {
	_, extent := t.tokens.Append(nil, t.prompt+text)
	return t.own(extent, text)
}
