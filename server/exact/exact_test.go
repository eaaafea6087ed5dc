package exact

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/ranker"
)

var (
	_ ranker.Vectors = (*Space)(nil)
	_ ranker.Nearest = (*Space)(nil)
)

func TestTheNearestItemsThatHaveAVectorAreFound(t *testing.T) {
	s, err := New([][]float32{{1, 0}, nil, {0, 1}, {0.6, 0.8}}, 2)
	if err != nil {
		t.Fatal(err)
	}
	got := s.Nearest([]float32{0, 1}, 2, []uint64{0b1011}, nil)
	if want := []ranker.Scored{{Item: 3, Score: 0.8}, {Item: 0, Score: 0}}; !cmp.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if s.Vector(1) != nil || s.Vector(9) != nil || s.Vector(2)[1] != 1 {
		t.Error("a vector is not that of its item")
	}
	if got := s.Nearest([]float32{1}, 2, nil, nil); got != nil {
		t.Errorf("a query of another dimension found %v", got)
	}
}

func TestARowOfAnotherDimensionIsRefused(t *testing.T) {
	if _, err := New([][]float32{{1, 0}, {1}}, 2); !errors.Is(err, index.ErrDimension) {
		t.Errorf("%v, want index.ErrDimension", err)
	}
}
