// Package teacher asks a text encoder of the BERT family for the vectors that a static
// table is made from: those of single tokens, and those of texts.
//
// # Which models can teach
//
// A static table reads text with an uncased WordPiece vocabulary, so the teacher's must
// be one: BERT uncased, MiniLM, BGE, E5 (English), GTE, and Chinese ones such as
// bge-small-zh. A cased model, and one with SentencePiece or BPE (XLM-RoBERTa,
// multilingual E5, RoBERTa), is refused with [ErrVocabulary], which names what was found.
//
// # Vectors of tokens
//
// The table needs a token's pooled vector with its length, which says how much the token
// matters. The encoder returns unit length. The length is found again from the last step
// of the network, a layer norm: it makes the vector of each token of zero mean and then
// multiplies by a scale and adds a shift, component by component. So the sum over
// components of (vector - shift)/scale is zero for each token, hence also for pooled
// vectors, and a unit vector u has the length
//
//	sum(shift/scale) / sum(u/scale)
//
// In MiniLM both sums are far from zero, and the length is exact to 2e-7. Where they are
// so near zero that rounding would show, [ErrLength] is returned.
//
// # Vectors of texts
//
// Those are what [transformer.Encoder.Encode] gives, with the model's default prompt.
// They take most of the time, so [Cache] keeps them on disk.
package teacher

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/wordpiece"
)

// ErrLength: the length of a token's vector cannot be found from its direction.
var ErrLength = errors.New("teacher: the length of token vectors is not determined by the last layer norm")

// Progress is told what goes on and which share of it, 0 to 1, is done.
type Progress func(what string, share float64)

// Teacher is an encoder with its vocabulary. It is safe for concurrent use.
type Teacher struct {
	encoder  *transformer.Encoder
	vocab    *wordpiece.Vocabulary
	norm     checkpoint.Norm // after the last block
	cls, sep int32
}

// Open loads the model in the folder dir. Errors about its vocabulary wrap
// [ErrVocabulary]; others are those of transformer.Load. Close releases it.
func Open(dir string, o transformer.Options) (*Teacher, error) {
	vocab, err := Vocabulary(dir)
	if err != nil {
		return nil, err
	}
	t := &Teacher{vocab: vocab}
	for token, id := range map[string]*int32{"[CLS]": &t.cls, "[SEP]": &t.sep} {
		var ok bool
		if *id, ok = vocab.ID(token); !ok {
			return nil, fmt.Errorf("%w: none of the %d tokens of %s is %s", ErrVocabulary, vocab.Len(), dir, token)
		}
	}
	model, err := checkpoint.Load(dir, checkpoint.Settings{Pooling: o.Pooling, MaxTokens: o.MaxTokens})
	if err != nil {
		return nil, fmt.Errorf("teacher: %w", err)
	}
	last := model.Weights.Layers[len(model.Weights.Layers)-1].Norm
	t.norm = checkpoint.Norm{Scale: append([]float32(nil), last.Scale...), Shift: append([]float32(nil), last.Shift...)}
	if t.encoder, err = transformer.Load(dir, o); err != nil {
		return nil, fmt.Errorf("teacher: %w", err)
	}
	return t, nil
}

// Model names the teacher and its content.
func (t *Teacher) Model() string { return t.encoder.Info().Model }

// Dim is the number of components of its vectors.
func (t *Teacher) Dim() int { return t.encoder.Info().Dim }

// Vocabulary is what numbers its tokens.
func (t *Teacher) Vocabulary() *wordpiece.Vocabulary { return t.vocab }

// Close releases the model.
func (t *Teacher) Close() error { return t.encoder.Close() }

// tokensAtOnce is how many tokens are encoded between two reports of progress.
const tokensAtOnce = 2048

// Tokens returns the pooled vector of "[CLS] token [SEP]" for each token of a list,
// [tokens, Dim], not of unit length.
func (t *Teacher) Tokens(ctx context.Context, tokens []int32, progress Progress) ([]float32, error) {
	dim := t.Dim()
	out := make([]float32, len(tokens)*dim)
	for first := 0; first < len(tokens); first += tokensAtOnce {
		last := min(first+tokensAtOnce, len(tokens))
		ids, starts := make([]int32, 0, 3*tokensAtOnce), []int{0}
		for _, token := range tokens[first:last] {
			ids = append(ids, t.cls, token, t.sep)
			starts = append(starts, len(ids))
		}
		if err := t.encoder.EncodeTokens(ctx, ids, starts, out[first*dim:last*dim]); err != nil {
			return nil, fmt.Errorf("teacher: vectors of tokens %d to %d of the list: %w", first, last-1, err)
		}
		progress("tokens", float64(last)/float64(len(tokens)))
	}
	for i, token := range tokens {
		if err := lengthen(out[i*dim:(i+1)*dim], t.norm); err != nil {
			return nil, fmt.Errorf("token %d: %w", token, err)
		}
	}
	return out, nil
}

// All lists the numbers of the vocabulary's tokens.
func (t *Teacher) All() []int32 {
	all := make([]int32, t.vocab.Len())
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// maxCancelling is how much larger than their sum the terms may be: the length then has
// lost three of a float32's seven digits.
const maxCancelling = 1e3

// lengthen gives a unit vector the length that it had after a layer norm.
func lengthen(unit []float32, norm checkpoint.Norm) error {
	var shift, shifts, sum, terms float64
	for i, u := range unit {
		scale := float64(norm.Scale[i])
		if scale == 0 {
			return fmt.Errorf("%w: its scale is 0 at component %d", ErrLength, i)
		}
		shift += float64(norm.Shift[i]) / scale
		shifts += math.Abs(float64(norm.Shift[i]) / scale)
		sum += float64(u) / scale
		terms += math.Abs(float64(u) / scale)
	}
	length := shift / sum
	if terms > maxCancelling*math.Abs(sum) || shifts > maxCancelling*math.Abs(shift) || !(length > 0) || math.IsInf(length, 1) {
		return fmt.Errorf("%w: sum of shift/scale is %g of terms of %g, of the vector's %g of %g", ErrLength, shift, shifts, sum, terms)
	}
	for i := range unit {
		unit[i] *= float32(length)
	}
	return nil
}

// textsAtOnce is how many texts are encoded between two reports of progress.
const textsAtOnce = 512

// Texts returns the vectors of texts, [texts, Dim], of unit length, or zeros for a text
// without tokens.
func (t *Teacher) Texts(ctx context.Context, texts []string, progress Progress) ([]float32, error) {
	dim := t.Dim()
	out := make([]float32, len(texts)*dim)
	for first := 0; first < len(texts); first += textsAtOnce {
		last := min(first+textsAtOnce, len(texts))
		if err := t.encoder.Encode(ctx, texts[first:last], out[first*dim:last*dim]); err != nil {
			return nil, fmt.Errorf("teacher: texts %d to %d: %w", first, last-1, err)
		}
		progress("teacher reads", float64(last)/float64(len(texts)))
	}
	return out, nil
}
