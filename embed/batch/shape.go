package batch

import (
	"context"
	"slices"

	"github.com/kindred-rec/kindred/embed"
)

// Shape is the size of a padded batch.
type Shape struct {
	Rows   int // texts, padding rows included
	Length int // tokens of each, padding tokens included
}

// Staged is an encoder that can be asked to tokenize and to compute apart from
// each other. The batcher finds it by type assertion; it knows the texts' lengths
// then, and tokenizes the next batch while one is computed. Info().MaxTokens must
// be at least 1. Both methods are safe for concurrent use.
type Staged interface {
	embed.Encoder

	// AppendTokens appends to ids the tokens that the model reads of text, special
	// tokens included, at most Info().MaxTokens. The extent says what of the text
	// they cover, and is what the rest of the project counts truncation by.
	AppendTokens(ids []int32, text string) ([]int32, embed.Extent)

	// EncodeTokens writes the vectors of rows to out, [len(rows), Dim] float32, as
	// [embed.Encoder] says of Encode. There are 1 to shape.Rows rows of at most
	// shape.Length tokens; the encoder pads to the shape, and pads nothing else, so
	// that only shapes it was given are compiled. A row without a text's own tokens
	// gets zeros. Out of memory is an error that wraps [ErrOutOfMemory].
	EncodeTokens(ctx context.Context, rows [][]int32, shape Shape, out []float32) error
}

// shapes are the sizes that batches are padded to.
type shapes struct {
	lengths []int
	rows    [][]int // by index of length, ascending
}

func newShapes(lengths, rows []int, tokens int) shapes {
	s := shapes{lengths: lengths}
	for _, length := range lengths {
		n := 1
		for n < len(rows) && rows[n]*length <= tokens {
			n++
		}
		s.rows = append(s.rows, rows[:n])
	}
	return s
}

// bucket is the index of the shortest length that holds n tokens. There is always
// one, since the last length is the encoder's own bound.
func (s *shapes) bucket(n int) int {
	i, _ := slices.BinarySearch(s.lengths, n)
	return min(i, len(s.lengths)-1)
}

// fit returns the smallest shape of a bucket that holds n rows.
func (s *shapes) fit(bucket, n int) Shape {
	rows := s.rows[bucket]
	i, _ := slices.BinarySearch(rows, n)
	return Shape{Rows: rows[min(i, len(rows)-1)], Length: s.lengths[bucket]}
}

// most is the largest number of rows of a bucket within a bound on rows times
// length, at least that of its smallest shape.
func (s *shapes) most(bucket, tokens int) int {
	best := s.rows[bucket][0]
	for _, n := range s.rows[bucket] {
		if n*s.lengths[bucket] <= tokens {
			best = n
		}
	}
	return best
}

// all lists the shapes, the largest first, which is the order to try memory in.
func (s *shapes) all() []Shape {
	var list []Shape
	for i, length := range s.lengths {
		for _, n := range s.rows[i] {
			list = append(list, Shape{Rows: n, Length: length})
		}
	}
	slices.SortFunc(list, func(a, b Shape) int { return b.Rows*b.Length - a.Rows*a.Length })
	return list
}
