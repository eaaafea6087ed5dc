// Package neighbours compares two encoders by whom they find near whom.
//
// # The figure
//
// Texts are encoded by both. For each text the k others of the largest inner product
// are found, exactly, once among the vectors of the one and once among those of the
// other. The overlap is the share of the k that both name, averaged over texts. It says
// what a shop notices when one encoder stands in for the other: which items are shown as
// alike. It needs no labels, and the vectors may have different dimensions.
//
// Among few texts the overlap is higher than among many, so figures compare only on the
// same texts.
package neighbours

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/viterin/vek/vek32"
)

// ErrShape: the vectors are not as many as they should be, or too few for k.
var ErrShape = errors.New("neighbours: vectors have the wrong shape")

// Nearest returns for each row of vectors, [n, dim], the numbers of the k other rows of
// the largest inner product, best first, ties by number. It takes n² products, on as
// many goroutines as workers, and ends early with the context's error.
func Nearest(ctx context.Context, vectors []float32, dim, k, workers int) ([][]int32, error) {
	if dim < 1 || len(vectors)%dim != 0 || k < 1 || len(vectors)/dim <= k {
		return nil, fmt.Errorf("%w: %d float32 of dimension %d; want rows of at least 1 component, and more than %d rows", ErrShape, len(vectors), dim, k)
	}
	n := len(vectors) / dim
	all := make([][]int32, n)
	var next atomic.Int64
	var group sync.WaitGroup
	for range max(1, workers) {
		group.Go(func() {
			best := make([]scored, 0, k+1)
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				best = nearestTo(best[:0], vectors, dim, i, k)
				all[i] = make([]int32, k)
				for j, s := range best {
					all[i][j] = s.row
				}
			}
		})
	}
	group.Wait()
	return all, ctx.Err()
}

// scored is a row and its inner product with the one that is asked about.
type scored struct {
	row   int32
	score float32
}

// nearestTo fills best, which has room for k+1, with the k rows nearest to row i.
func nearestTo(best []scored, vectors []float32, dim, i, k int) []scored {
	query := vectors[i*dim : (i+1)*dim]
	for j := range len(vectors) / dim {
		if j == i {
			continue
		}
		s := scored{int32(j), vek32.Dot(query, vectors[j*dim:(j+1)*dim])}
		if len(best) == k && s.score <= best[k-1].score {
			continue // on ties the lower number, which came first, stays
		}
		at := len(best)
		for at > 0 && best[at-1].score < s.score {
			at--
		}
		best = slices.Insert(best, at, s)
		best = best[:min(len(best), k)]
	}
	return best
}

// Overlap is the mean share of neighbours that both name, 0 to 1, of two answers of
// [Nearest] about the same texts with the same k.
func Overlap(a, b [][]int32) (float64, error) {
	if len(a) != len(b) || len(a) == 0 {
		return 0, fmt.Errorf("%w: neighbours of %d and of %d texts; want the same, and at least 1", ErrShape, len(a), len(b))
	}
	both, all := 0, 0
	for i := range a {
		for _, row := range a[i] {
			if slices.Contains(b[i], row) {
				both++
			}
		}
		all += len(a[i])
	}
	return float64(both) / float64(all), nil
}
