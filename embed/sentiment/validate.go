package sentiment

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Folds deals groups out to so many folds, at random by the seed, and returns the fold of
// each text, [len(groups)]: texts of one group (sentences of one review) are never apart.
func Folds(groups []string, folds int, seed uint64) ([]int, error) {
	names := slices.Compact(slices.Sorted(slices.Values(groups)))
	if folds < 2 || folds > len(names) {
		return nil, fmt.Errorf("%w: %d folds of %d groups; want 2 or more, and no more than there are groups", ErrOptions, folds, len(names))
	}
	rng := rand.New(rand.NewPCG(seed, 0x5e471))
	rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	foldOf := make(map[string]int, len(names))
	for i, name := range names {
		foldOf[name] = i % folds
	}
	out := make([]int, len(groups))
	for i, g := range groups {
		out[i] = foldOf[g]
	}
	return out, nil
}

// Grid is what [Tune] chooses from unless told otherwise.
func Grid() []Options {
	var grid []Options
	for _, kernel := range []float64{0, 1} {
		for _, words := range []float64{0.6, 1} {
			for _, ridge := range []float64{0.3, 0.6} {
				grid = append(grid, Options{Ridge: ridge, Words: words, Kernel: kernel})
			}
		}
	}
	return grid
}

// Choice is what [Tune] chose.
type Choice struct {
	View    int // index into the views that it chose from
	Options Options
	R       float64 // Pearson's r over the inner folds
}

// Tune chooses options, and which of several encoders' features to use, by the correlation
// over inner folds of the given rows (nil: all). Views hold the same texts. groups are as in
// [Folds]. On ties the first wins.
func Tune(ctx context.Context, views []*Features, ratings []float64, groups []string, rows []int, grid []Options, folds int, seed uint64) (Choice, error) {
	if len(views) == 0 || len(grid) == 0 {
		return Choice{}, fmt.Errorf("%w: %d views and %d options to choose from; give at least one of each", ErrOptions, len(views), len(grid))
	}
	if rows == nil {
		rows = all(len(ratings))
	}
	inner := make([]string, len(rows))
	for r, i := range rows {
		inner[r] = groups[i]
	}
	foldOf, err := Folds(inner, folds, seed)
	if err != nil {
		return Choice{}, err
	}
	best := Choice{View: -1}
	for v, f := range views {
		predicted, err := innerPredictions(ctx, f, ratings, rows, foldOf, grid, folds)
		if err != nil {
			return Choice{}, err
		}
		truth := at(ratings, rows)
		for k, p := range predicted {
			if r := stat.Correlation(p, truth, nil); best.View < 0 || r > best.R {
				best = Choice{View: v, Options: grid[k], R: r}
			}
		}
	}
	return best, nil
}

// innerPredictions returns for each of the options the held-out predictions, [rows].
func innerPredictions(ctx context.Context, f *Features, ratings []float64, rows, foldOf []int, grid []Options, folds int) ([][]float64, error) {
	out := make([][]float64, len(grid))
	for k := range out {
		out[k] = make([]float64, len(rows))
	}
	scratch := make([]float32, f.dim)
	for fold := range folds {
		train, err := checkRows(f, ratings, where(rows, foldOf, func(x int) bool { return x != fold }))
		if err != nil {
			return nil, err
		}
		g := products(f, train, nil)
		for k, o := range grid {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := o.Validate(); err != nil {
				return nil, err
			}
			h, err := fit(f, g, ratings, train, o)
			if err != nil {
				return nil, err
			}
			for r, i := range rows {
				if foldOf[r] == fold {
					out[k][r] = h.rate(f, i, scratch)
				}
			}
		}
	}
	return out, nil
}

// where returns the rows whose fold is wanted.
func where(rows, foldOf []int, want func(int) bool) []int {
	out := []int{}
	for r, i := range rows {
		if want(foldOf[r]) {
			out = append(out, i)
		}
	}
	return out
}

func at(values []float64, rows []int) []float64 {
	out := make([]float64, len(rows))
	for r, i := range rows {
		out[r] = values[i]
	}
	return out
}

// Validation is how well heads did on texts that they were not trained on.
type Validation struct {
	R       float64   // Pearson's r over all texts, each predicted by the head that did not see its group
	Folds   []float64 // and within each fold
	Choices []Choice  // what was chosen in each fold, from its training part alone
	Ratings []float64 // the predictions, -Scale to Scale
}

// CrossValidate predicts every text by a head that was trained, and tuned, on the other folds alone.
// progress, if not nil, is told of each finished fold.
func CrossValidate(ctx context.Context, views []*Features, ratings []float64, groups []string, grid []Options, folds int, seed uint64, progress func(done, all int)) (Validation, error) {
	v := Validation{Ratings: make([]float64, len(ratings))}
	foldOf, err := Folds(groups, folds, seed)
	if err != nil {
		return v, err
	}
	rows := all(len(ratings))
	for fold := range folds {
		train := where(rows, foldOf, func(x int) bool { return x != fold })
		test := where(rows, foldOf, func(x int) bool { return x == fold })
		choice := Choice{Options: grid[0]}
		if len(grid) > 1 || len(views) > 1 {
			if choice, err = Tune(ctx, views, ratings, groups, train, grid, 3, seed+1); err != nil {
				return v, err
			}
		}
		f := views[choice.View]
		h, err := Train(f, ratings, train, choice.Options)
		if err != nil {
			return v, err
		}
		scratch := make([]float32, f.dim)
		for _, i := range test {
			v.Ratings[i] = h.rate(f, i, scratch)
		}
		v.Folds = append(v.Folds, stat.Correlation(at(v.Ratings, test), at(ratings, test), nil))
		v.Choices = append(v.Choices, choice)
		if progress != nil {
			progress(fold+1, folds)
		}
	}
	v.R = stat.Correlation(v.Ratings, ratings, nil)
	return v, nil
}
