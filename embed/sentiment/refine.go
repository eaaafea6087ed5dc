package sentiment

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// MinRefine is how few rated comments of a tenant a head is refined on: with fewer, a held
// out fifth cannot tell a better head from a lucky one.
const MinRefine = 200

// RefineOptions say how a head is refined.
type RefineOptions struct {
	// Prior holds the refined head to the one it starts from, as Options.Ridge holds
	// weights to zero. 0 means 10: the stars beside a comment are one person's, and say
	// less of its words than the mean of twenty readers.
	Prior float64
	// Words is as in Options; 0 means 1.
	Words float64
	// Seed draws the sample and the fifth that is kept apart.
	Seed uint64
}

// Refined says what refining did.
type Refined struct {
	Given  int     // rated comments
	Used   int     // of those, drawn for learning and judging: at most MaxExamples
	Before float64 // Pearson's r of the given head on the fifth kept apart
	After  float64 // of the head refined on the other four
	Kept   bool    // true: the refined head is better and was returned, fitted to all that was used
}

// Refine fits a head to a tenant's own rated comments: a linear correction, held to the
// head by a prior, so that few comments change little. A fifth of them is kept apart, and if
// the correction does not raise the correlation there, the given head comes back. ratings
// are from -Scale to Scale ([FromStars]). Fewer than [MinRefine] are [ErrFew]; features of
// another encoder are [ErrEncoder].
func Refine(h *Head, f *Features, ratings []float64, o RefineOptions) (*Head, Refined, error) {
	report := Refined{Given: f.Len()}
	if err := h.check(f.model, f.dim); err != nil {
		return nil, report, err
	}
	if f.Len() < MinRefine {
		return nil, report, fmt.Errorf("%w: %d; refining needs at least %d", ErrFew, f.Len(), MinRefine)
	}
	options := Options{Ridge: 10, Words: 1}
	if o.Prior != 0 {
		options.Ridge = o.Prior
	}
	if o.Words != 0 {
		options.Words = o.Words
	}
	if err := options.Validate(); err != nil {
		return nil, report, err
	}
	rows := Sample(f.Len(), MaxExamples, o.Seed)
	report.Used = len(rows)
	if _, err := checkRows(f, ratings, rows); err != nil {
		return nil, report, err
	}
	kept := make(map[int]bool)
	for _, r := range Sample(len(rows), len(rows)/5, o.Seed+1) {
		kept[r] = true
	}
	var learn, judge []int
	for r, i := range rows {
		if kept[r] {
			judge = append(judge, i)
		} else {
			learn = append(learn, i)
		}
	}
	trial, err := h.corrected(f, ratings, learn, options)
	if err != nil {
		return nil, report, err
	}
	report.Before, report.After = h.correlation(f, ratings, judge), trial.correlation(f, ratings, judge)
	if !(report.After > report.Before) { // not better, or not a number since all ratings are equal
		return h, report, nil
	}
	report.Kept = true
	refined, err := h.corrected(f, ratings, rows, options)
	return refined, report, err
}

// corrected returns a head with a linear correction that is fitted to what h leaves over.
func (h *Head) corrected(f *Features, ratings []float64, rows []int, o Options) (*Head, error) {
	left := make([]float64, f.Len())
	scratch := make([]float32, h.dim)
	for _, i := range rows {
		left[i] = ratings[i] - h.rate(f, i, scratch)
	}
	correction, err := fit(f, products(f, rows, h.mean), left, rows, o)
	if err != nil {
		return nil, err
	}
	out := *h
	out.examples += len(rows)
	out.intercept += correction.intercept
	out.vector, out.words = slices.Clone(h.vector), slices.Clone(h.words)
	for j, x := range correction.vector {
		out.vector[j] += x
	}
	for s, x := range correction.words {
		out.words[s] += x
	}
	for j, x := range correction.lexicon {
		out.lexicon[j] += x
	}
	return &out, nil
}

// correlation is Pearson's r on the rows.
func (h *Head) correlation(f *Features, ratings []float64, rows []int) float64 {
	predicted := make([]float64, len(rows))
	scratch := make([]float32, h.dim)
	for r, i := range rows {
		predicted[r] = h.rate(f, i, scratch)
	}
	return stat.Correlation(predicted, at(ratings, rows), nil)
}
