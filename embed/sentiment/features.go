package sentiment

import (
	"context"
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/embed"
)

// lexical is how many figures the lexicon gives.
const lexical = 4

// Features are the three views of texts that a head is trained on. They may be used for
// many heads and do not change.
type Features struct {
	model   string
	dim     int
	vectors []float32 // [texts, dim], as the encoder gave them
	lexicon [][lexical]float64
	slots   [][]uint32
	values  []float64 // of each text's slots
}

// encodeBatch is how many texts go to the encoder in one call.
const encodeBatch = 256

// Extract computes the features of texts. progress, if it is not nil, is told how many are
// done, from the caller's goroutine.
func Extract(ctx context.Context, enc embed.Encoder, texts []string, progress func(done, all int)) (*Features, error) {
	info := enc.Info()
	f := &Features{model: info.Model, dim: info.Dim, vectors: make([]float32, len(texts)*info.Dim),
		lexicon: make([][lexical]float64, len(texts)), slots: make([][]uint32, len(texts)), values: make([]float64, len(texts))}
	clipped := make([]string, 0, encodeBatch)
	for start := 0; start < len(texts); start += encodeBatch {
		end := min(start+encodeBatch, len(texts))
		clipped = clipped[:0]
		for i := start; i < end; i++ {
			text := clip(texts[i])
			clipped = append(clipped, text)
			v, err := Lexicon{}.Valence(text)
			if err != nil {
				return nil, fmt.Errorf("text %d: %w", i, err)
			}
			f.lexicon[i] = [lexical]float64{v.Compound, v.Positive, v.Negative, v.Neutral}
			f.slots[i], f.values[i] = slots(text)
		}
		if err := enc.Encode(ctx, clipped, f.vectors[start*f.dim:end*f.dim]); err != nil {
			return nil, fmt.Errorf("sentiment: %s: texts %d to %d: %w", info.Model, start, end-1, err)
		}
		if progress != nil {
			progress(end, len(texts))
		}
	}
	return f, nil
}

// Len is how many texts there are.
func (f *Features) Len() int { return len(f.values) }

func (f *Features) vector(i int) []float32 { return f.vectors[i*f.dim : (i+1)*f.dim] }

// silent reports whether a text says nothing: no vector and no word.
func (f *Features) silent(i int) bool {
	if len(f.slots[i]) > 0 {
		return false
	}
	for _, x := range f.vector(i) {
		if x != 0 {
			return false
		}
	}
	return true
}

// mean is the mean vector of the rows.
func (f *Features) mean(rows []int) []float32 {
	sum := make([]float64, f.dim)
	for _, i := range rows {
		for j, x := range f.vector(i) {
			sum[j] += float64(x)
		}
	}
	out := make([]float32, f.dim)
	for j := range out {
		out[j] = float32(sum[j] / float64(max(len(rows), 1)))
	}
	return out
}

// centre writes vector less mean, at unit length, to out; zeros stay zeros.
func centre(out, vector, mean []float32) {
	squares, any := 0.0, false
	for j, x := range vector {
		any = any || x != 0
		out[j] = x - mean[j]
		squares += float64(out[j]) * float64(out[j])
	}
	if !any || squares < 1e-20 { // a text without a vector has no direction either
		clear(out)
		return
	}
	scale := float32(1 / math.Sqrt(squares))
	for j := range out {
		out[j] *= scale
	}
}
