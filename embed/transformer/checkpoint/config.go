package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Errors of this package, wrapped with the file and what is wrong with it.
var (
	// ErrFormat: a file is damaged, or the files do not belong together.
	ErrFormat = errors.New("checkpoint: bad model")

	// ErrUnsupported: the model is sound, but of a kind that is not computed here.
	ErrUnsupported = errors.New("checkpoint: unsupported model")
)

// Bounds of a model, so that a wrong file is refused before it fills the memory.
const (
	MaxHidden    = 1 << 14
	MaxLayers    = 1 << 9
	MaxVocab     = 1 << 21
	MaxPositions = 1 << 16
)

// Config is the architecture of an encoder and its sizes.
type Config struct {
	Family      string  // "bert", "roberta", "xlm-roberta" or "camembert"
	Vocab       int     // rows of the token table
	Hidden      int     // components of a token's vector, a multiple of Heads
	Layers      int     // at least 1
	Heads       int     // at least 1
	FeedForward int     // components between the two matrices of a feed-forward block
	Positions   int     // rows of the position table
	TokenTypes  int     // rows of the token type table; only the first is used
	Epsilon     float32 // of layer norm

	// FirstPosition is the row of the position table that a text's first token takes:
	// 0 for BERT, the row after the padding's for the RoBERTa family.
	FirstPosition int
}

// HeadDim is the number of components of one attention head.
func (c Config) HeadDim() int { return c.Hidden / c.Heads }

// MaxTokens is the longest text that has positions, special tokens included.
func (c Config) MaxTokens() int { return c.Positions - c.FirstPosition }

// Flops is the number of floating point operations of the matrix products for one
// batch of so many texts of so many tokens. Figures of speed are quoted in it.
func (c Config) Flops(batch, tokens int) float64 {
	h, f, t := float64(c.Hidden), float64(c.FeedForward), float64(tokens)
	return float64(batch) * t * float64(c.Layers) * (8*h*h + 4*h*f + 4*t*h)
}

// configJSON is what config.json says. Pointers tell what is absent.
type configJSON struct {
	ModelType    string  `json:"model_type"`
	Vocab        int     `json:"vocab_size"`
	Hidden       int     `json:"hidden_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	FeedForward  int     `json:"intermediate_size"`
	Positions    int     `json:"max_position_embeddings"`
	TokenTypes   int     `json:"type_vocab_size"`
	Epsilon      float32 `json:"layer_norm_eps"`
	Activation   string  `json:"hidden_act"`
	PositionType string  `json:"position_embedding_type"`
	Pad          *int    `json:"pad_token_id"`
	Decoder      bool    `json:"is_decoder"`
}

// families are the architectures that are computed, and whether positions begin
// after the padding's.
var families = map[string]bool{"bert": false, "roberta": true, "xlm-roberta": true, "camembert": true}

// ParseConfig reads the content of a config.json.
func ParseConfig(content []byte) (Config, error) {
	var j configJSON
	if err := json.Unmarshal(content, &j); err != nil {
		return Config{}, fmt.Errorf("%w: config.json: %w", ErrFormat, err)
	}
	afterPadding, known := families[j.ModelType]
	switch {
	case !known:
		return Config{}, fmt.Errorf("%w: config.json: model_type is %.40q; bert, roberta, xlm-roberta and camembert are computed", ErrUnsupported, j.ModelType)
	case j.Activation != "gelu":
		return Config{}, fmt.Errorf("%w: config.json: hidden_act is %.40q; only gelu is computed", ErrUnsupported, j.Activation)
	case j.PositionType != "" && j.PositionType != "absolute":
		return Config{}, fmt.Errorf("%w: config.json: position_embedding_type is %.40q; only absolute is computed", ErrUnsupported, j.PositionType)
	case j.Decoder:
		return Config{}, fmt.Errorf("%w: config.json: is_decoder is true; only encoders are computed", ErrUnsupported)
	}
	c := Config{Family: j.ModelType, Vocab: j.Vocab, Hidden: j.Hidden, Layers: j.Layers, Heads: j.Heads, FeedForward: j.FeedForward,
		Positions: j.Positions, TokenTypes: j.TokenTypes, Epsilon: j.Epsilon}
	if afterPadding {
		if j.Pad == nil {
			return Config{}, fmt.Errorf("%w: config.json: a %s needs pad_token_id, since positions begin after it", ErrFormat, j.ModelType)
		}
		if *j.Pad < 0 || *j.Pad >= MaxPositions {
			return Config{}, fmt.Errorf("%w: config.json: pad_token_id is %d; want 0 to %d", ErrFormat, *j.Pad, MaxPositions-1)
		}
		c.FirstPosition = *j.Pad + 1
	}
	return c, c.check()
}

func (c Config) check() error {
	for _, size := range []struct {
		name       string
		n, atLeast int
		atMost     int
	}{
		{"vocab_size", c.Vocab, 1, MaxVocab},
		{"hidden_size", c.Hidden, 1, MaxHidden},
		{"num_hidden_layers", c.Layers, 1, MaxLayers},
		{"num_attention_heads", c.Heads, 1, c.Hidden},
		{"intermediate_size", c.FeedForward, 1, 8 * MaxHidden},
		{"max_position_embeddings", c.Positions, c.FirstPosition + 3, MaxPositions},
		{"type_vocab_size", c.TokenTypes, 1, MaxHidden},
	} {
		if size.n < size.atLeast || size.n > size.atMost {
			return fmt.Errorf("%w: config.json: %s is %d; want %d to %d", ErrFormat, size.name, size.n, size.atLeast, size.atMost)
		}
	}
	if c.Hidden%c.Heads != 0 {
		return fmt.Errorf("%w: config.json: hidden_size %d is not a multiple of num_attention_heads %d", ErrFormat, c.Hidden, c.Heads)
	}
	if !(c.Epsilon > 0 && c.Epsilon < 1) {
		return fmt.Errorf("%w: config.json: layer_norm_eps is %g; want more than 0 and less than 1", ErrFormat, c.Epsilon)
	}
	return nil
}
