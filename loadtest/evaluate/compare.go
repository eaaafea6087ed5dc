package evaluate

import (
	"fmt"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/loadtest/metrics"
)

// Compared is what became of a contender, over the same questions.
type Compared struct {
	Name string `json:"name"`
	// Is what it is: mean, learned, popular, itemknn, weights, bundle or policy; Spec as given.
	Is   string `json:"is"`
	Spec string `json:"spec"`
	Figures
	Coverage      float64 `json:"coverage"`
	MicrosPerCase float64 `json:"us_per_case"`
	Beyond        *Beyond `json:"beyond,omitempty"`
	// Difference from what is evaluated, the contender less it, by resampling users.
	Difference *Intervals `json:"difference,omitempty"`
	// Note says what a reader should know, such as what has no effect here.
	Note string `json:"note,omitempty"`
}

// minUsers is how many users intervals need: of fewer, resamples are too much alike.
const minUsers = 10

// Intervals of figures at metrics.Level. Users are drawn with all of their questions.
type Intervals struct {
	HR10      metrics.Interval `json:"hr_at_10"`
	NDCG10    metrics.Interval `json:"ndcg_at_10"`
	MRR       metrics.Interval `json:"mrr"`
	Users     int              `json:"users"`
	Resamples int              `json:"resamples"`
	Level     float64          `json:"level"`
}

// intervals of answers, or of what they have more than others to the same questions; nil
// where there are fewer than minUsers.
func (o Options) intervals(users []int, base, answers []answer) (*Intervals, error) {
	count := 0
	for _, u := range users {
		count = max(count, u+1)
	}
	if count < minUsers {
		return nil, nil
	}
	var first [][]float64
	if base != nil {
		first = values(base)
	}
	found, err := metrics.Paired(first, values(answers), users, o.Resamples, metrics.Level, o.Seed)
	if err != nil {
		return nil, fmt.Errorf("intervals: %w", err)
	}
	return &Intervals{HR10: found[0], NDCG10: found[1], MRR: found[2], Users: count, Resamples: o.Resamples, Level: metrics.Level}, nil
}

// values are the figures of each question that intervals are made of: [3, questions].
func values(answers []answer) [][]float64 {
	v := [][]float64{make([]float64, len(answers)), make([]float64, len(answers)), make([]float64, len(answers))}
	for i := range answers {
		p := metrics.Places{answers[i].rank}
		v[0][i], v[1][i], v[2][i] = metrics.HitRate(p, 10), metrics.NDCG(p, 10), metrics.ReciprocalRank(p)
	}
	return v
}

// numbered gives the users of questions numbers from 0.
func numbered(queries []dataset.Query) []int {
	numbers := map[string]int{}
	users := make([]int, len(queries))
	for i, q := range queries {
		n, known := numbers[q.User]
		if !known {
			n = len(numbers)
			numbers[q.User] = n
		}
		users[i] = n
	}
	return users
}
