package sentiment

import (
	"context"
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/embed"
)

// Head is what was learned of how texts feel, over the vectors of one encoder. It is
// immutable and safe for concurrent use.
type Head struct {
	model    string
	dim      int
	examples int // texts it was trained on, refining included
	options  Options

	intercept float64
	mean      []float32 // [dim], taken from a vector before all else
	vector    []float32 // [dim]
	lexicon   [lexical]float64
	words     []float32 // [Slots]

	support []float32 // [texts, dim] with a kernel, else nil
	dual    []float32 // [texts]
}

// Encoder is the name of the encoder that the head belongs to, as [embed.Info] has it.
func (h *Head) Encoder() string { return h.model }

// Examples is how many rated texts the head was trained on, refining included.
func (h *Head) Examples() int { return h.examples }

// Options are those that it was trained with.
func (h *Head) Options() Options { return h.options }

// Ratings predicts how people would rate each text, from -Scale to Scale. The error wraps
// [ErrEncoder] if the features are of another encoder.
func (h *Head) Ratings(f *Features) ([]float64, error) {
	if err := h.check(f.model, f.dim); err != nil {
		return nil, err
	}
	out := make([]float64, f.Len())
	scratch := make([]float32, h.dim)
	for i := range out {
		out[i] = h.rate(f, i, scratch)
	}
	return out, nil
}

// check refuses another encoder by name.
func (h *Head) check(model string, dim int) error {
	if model != h.model || dim != h.dim {
		return fmt.Errorf("%w: it belongs to %q of %d components, the encoder is %q of %d; train a head for that one", ErrEncoder, h.model, h.dim, model, dim)
	}
	return nil
}

// rate predicts the rating of one text; scratch is [dim].
func (h *Head) rate(f *Features, i int, scratch []float32) float64 {
	if f.silent(i) {
		return 0
	}
	y := h.intercept
	centre(scratch, f.vector(i), h.mean)
	y += dot(h.vector, scratch)
	for j, l := range f.lexicon[i] {
		y += h.lexicon[j] * l
	}
	words := 0.0
	for _, s := range f.slots[i] {
		words += float64(h.words[s])
	}
	y += words * f.values[i]
	for r, a := range h.dual {
		y += float64(a) * math.Exp(-2*h.options.Kernel*(1-dot(h.support[r*h.dim:(r+1)*h.dim], scratch)))
	}
	return max(-Scale, min(Scale, y))
}

// dot is summed in four parts, which the processor adds side by side.
func dot(a, b []float32) float64 {
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	j := 0
	for ; j+4 <= len(a); j += 4 {
		s0 += a[j] * b[j]
		s1 += a[j+1] * b[j+1]
		s2 += a[j+2] * b[j+2]
		s3 += a[j+3] * b[j+3]
	}
	for ; j < len(a); j++ {
		s0 += a[j] * b[j]
	}
	return float64(s0+s1) + float64(s2+s3)
}

// Model is a head with its encoder: a [Scorer].
type Model struct {
	head *Head
	enc  embed.Encoder
}

// With joins a head with its encoder, which the caller keeps open. The error wraps
// [ErrEncoder] and names both if it is another one.
func (h *Head) With(enc embed.Encoder) (*Model, error) {
	if err := h.check(enc.Info().Model, enc.Info().Dim); err != nil {
		return nil, err
	}
	return &Model{head: h, enc: enc}, nil
}

// Score implements [Scorer]. Errors of the encoder are returned wrapped.
func (m *Model) Score(ctx context.Context, texts []string, out []float64) error {
	if err := checkOut(len(texts), len(out)); err != nil {
		return err
	}
	scratch := make([]float32, m.head.dim)
	for start := 0; start < len(texts); start += encodeBatch { // so that memory is bounded
		end := min(start+encodeBatch, len(texts))
		f, err := Extract(ctx, m.enc, texts[start:end], nil)
		if err != nil {
			return err
		}
		for i := range f.Len() {
			out[start+i] = m.head.rate(f, i, scratch) / Scale
		}
	}
	return nil
}
