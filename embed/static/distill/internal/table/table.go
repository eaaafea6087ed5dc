// Package table makes the rows of a static table from what a teacher makes of each
// token, and writes them as embed/static reads them.
//
// # The method
//
// Of each token's vector the mean over all tokens is taken away, what is left is
// reduced to its first principal components, and each row is multiplied by
// ln(1 + rank). Vocabularies are ordered by how common a token is, so that the rank,
// which is the token's number counted from 1, says how rare it is: by Zipf's law the
// logarithm is near the weight that counting would give. The rows of [CLS], [SEP],
// [PAD] and [MASK] are zeros, since a text does not have them.
//
// Rows are written as int8 with one scale each, the largest component being 127.
//
// The sign of a principal component is not determined, nor does it matter: vectors are
// compared by inner products. [Weighted] and [Reduce] fix it, so that a run can be
// repeated: the largest component of each direction is positive.
//
// # Source
//
// Model2vec (Tulkens and van Dongen, 2024).
package table

import (
	"errors"
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/embed/wordpiece"
	"github.com/viterin/vek/vek32"
)

// ErrShape: vectors are not as many as tokens and dimensions ask for, or a dimension is
// out of range.
var ErrShape = errors.New("table: wrong shape")

// Special are the tokens whose rows are zeros.
var Special = []string{"[PAD]", "[CLS]", "[SEP]", "[MASK]"}

// Rows are the vectors of a vocabulary's tokens.
type Rows struct {
	Dim  int       // components of a row, at least 1
	Data []float32 // [tokens, Dim]
}

// Row is the vector of one token; it shares Data.
func (r Rows) Row(token int32) []float32 {
	return r.Data[int(token)*r.Dim : (int(token)+1)*r.Dim]
}

// Encode returns the vectors of texts given as their tokens, [len(texts), Dim], of unit
// length, or zeros for a text without direction.
func (r Rows) Encode(texts [][]int32) []float32 {
	out := make([]float32, len(texts)*r.Dim)
	for i, tokens := range texts {
		v := out[i*r.Dim : (i+1)*r.Dim]
		for _, token := range tokens {
			vek32.Add_Inplace(v, r.Row(token))
		}
		Normalize(v)
	}
	return out
}

// Normalize scales v to unit length, or leaves zeros.
func Normalize(v []float32) {
	if square := float64(vek32.Dot(v, v)); square > 0 {
		vek32.MulNumber_Inplace(v, float32(1/math.Sqrt(square)))
	}
}

// Weighted returns the tokens' vectors, [tokens, dim] as the teacher made them, less
// their mean and times ln(1 + rank), with zeros for special tokens.
func Weighted(vectors []float32, dim int, vocab *wordpiece.Vocabulary) (Rows, error) {
	if dim < 1 || len(vectors) != vocab.Len()*dim {
		return Rows{}, fmt.Errorf("%w: %d tokens of dimension %d need %d float32, got %d", ErrShape, vocab.Len(), dim, vocab.Len()*dim, len(vectors))
	}
	mean := make([]float64, dim)
	for i, x := range vectors {
		mean[i%dim] += float64(x)
	}
	rows := Rows{Dim: dim, Data: make([]float32, len(vectors))}
	for i, x := range vectors {
		weight := math.Log(2 + float64(i/dim)) // the first token has rank 1
		rows.Data[i] = float32((float64(x) - mean[i%dim]/float64(vocab.Len())) * weight)
	}
	silence(rows, vocab)
	return rows, nil
}

// silence sets the rows of special tokens to zeros.
func silence(rows Rows, vocab *wordpiece.Vocabulary) {
	for _, token := range Special {
		if id, ok := vocab.ID(token); ok {
			clear(rows.Row(id))
		}
	}
}
