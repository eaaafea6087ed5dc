// Package exact holds the items' vectors of a log that is looked at offline, and finds the
// nearest of them by looking at all: what training and evaluation give the ranker in place
// of a shop's live space.
//
// # How to use it
//
//	texts, err := exact.New(rows, 256)
//	world := ranker.World{Vectors: texts, Nearest: texts}
//
// A [Space] does not change once made, and may be read by many goroutines.
package exact

import (
	"fmt"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/flat"
	"github.com/kindred-rec/kindred/ranker"
)

// Space is the vectors of items by number, in one index.
type Space struct {
	rows  [][]float32
	dim   int
	index *flat.Index
}

// New indexes rows, one for each item, [dim] float32 of unit length; nil: the item has none.
// It keeps the rows. Errors are those of the index, with the item's number.
func New(rows [][]float32, dim int) (*Space, error) {
	all, err := flat.New(flat.Config{Dim: dim, MaxItems: max(1, len(rows))})
	if err != nil {
		return nil, err
	}
	for item, v := range rows {
		if v == nil {
			continue
		}
		if err := all.Add(uint32(item), v); err != nil {
			return nil, fmt.Errorf("item number %d: %w", item, err)
		}
	}
	return &Space{rows: rows, dim: dim, index: all}, nil
}

// Dim is the number of components of a vector.
func (s *Space) Dim() int { return s.dim }

// Rows are the vectors by item number, not to be changed.
func (s *Space) Rows() [][]float32 { return s.rows }

// Vector implements ranker.Vectors.
func (s *Space) Vector(item uint32) []float32 {
	if int(item) < len(s.rows) {
		return s.rows[item]
	}
	return nil
}

// Search asks the index.
func (s *Space) Search(q index.Query, dst []index.Hit) ([]index.Hit, error) {
	return s.index.Search(q, dst)
}

// Nearest implements ranker.Nearest. A query that the index refuses finds nothing.
func (s *Space) Nearest(vector []float32, limit int, allow []uint64, dst []ranker.Scored) []ranker.Scored {
	hits, err := s.index.Search(index.Query{Vector: vector, K: limit, Allow: allow}, nil)
	if err != nil {
		return dst
	}
	for _, hit := range hits {
		dst = append(dst, ranker.Scored{Item: hit.ID, Score: hit.Score})
	}
	return dst
}
