package neighbours

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// plainNearest sorts everything.
func plainNearest(vectors []float32, dim, k int) [][]int32 {
	n := len(vectors) / dim
	all := make([][]int32, n)
	for i := range n {
		scores := make([]float32, n)
		var others []int32
		for j := range n {
			for d := range dim {
				scores[j] += vectors[i*dim+d] * vectors[j*dim+d]
			}
			if j != i {
				others = append(others, int32(j))
			}
		}
		slices.SortStableFunc(others, func(a, b int32) int { return cmp.Compare(scores[b], scores[a]) })
		all[i] = others[:k]
	}
	return all
}

func TestFindsWhatSortingFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{11, 12, 60, 200} {
		vectors := make([]float32, n*8)
		for i := range vectors {
			vectors[i] = float32(r.IntN(5) - 2) // whole numbers: exact sums, many ties
		}
		want := plainNearest(vectors, 8, 10)
		for _, workers := range []int{1, 4} {
			got, err := Nearest(t.Context(), vectors, 8, 10, workers)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if !slices.Equal(got[i], want[i]) {
					t.Fatalf("%d texts, text %d: neighbours %v, want %v", n, i, got[i], want[i])
				}
			}
		}
	}
}

func TestOverlapCountsWhatBothName(t *testing.T) {
	got, err := Overlap([][]int32{{1, 2}, {0, 2}}, [][]int32{{2, 3}, {2, 0}})
	if err != nil || got != 0.75 {
		t.Errorf("overlap %v, error %v; want 0.75", got, err)
	}
}

func TestRefusesWrongShapes(t *testing.T) {
	for _, try := range []struct{ n, dim, k int }{{10, 1, 10}, {5, 2, 1}, {4, 0, 1}, {4, 1, 0}} {
		if _, err := Nearest(t.Context(), make([]float32, try.n), try.dim, try.k, 1); !errors.Is(err, ErrShape) {
			t.Errorf("%+v: error %v, want ErrShape", try, err)
		}
	}
	if _, err := Overlap(nil, nil); !errors.Is(err, ErrShape) {
		t.Errorf("error %v, want ErrShape", err)
	}
}

func TestStopsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Nearest(ctx, make([]float32, 100), 1, 3, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}
