package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
)

// Confidence is that of the intervals over repetitions.
const Confidence = 0.95

// mostRepetitions bounds Repeat.
const mostRepetitions = 1000

// Interval is a mean over repetitions, with where the true mean lies: Student's t at 95% confidence. What differs between the
// repetitions is in it (the schedule, what else the machine did); what is the same in all of them is not.
type Interval struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Summary is a repeated test. Encoded, it is one JSON object.
type Summary struct {
	Repetitions int     `json:"repetitions"`
	Confidence  float64 `json:"confidence"`
	// Figures by name: those that every repetition has.
	Figures map[string]Interval `json:"figures"`

	order []string
}

// Repeat makes a test n times, 2 to 1,000, with seeds that follow each other. each is told of every result when it is there.
// If a repetition fails, the results so far come with its error, which may be ErrServerLost with a last, shorter result.
func Repeat(ctx context.Context, o Options, n int, each func(*Result) error) ([]*Result, error) {
	if n < 2 || n > mostRepetitions {
		return nil, fmt.Errorf("load: %d repetitions: must be 2 to %d", n, mostRepetitions)
	}
	var results []*Result
	for i := range n {
		result, err := Run(ctx, o)
		if result != nil {
			result.Repetition = i + 1
			results = append(results, result)
			err = errors.Join(err, each(result))
		}
		if err != nil {
			return results, err
		}
		o.Plan.Seed++
		o.Events.Seed++
	}
	return results, nil
}

// Summarize gives means and intervals over at least two results.
func Summarize(results []*Result) (Summary, error) {
	if len(results) < 2 {
		return Summary{}, fmt.Errorf("load: %d results: an interval needs at least 2", len(results))
	}
	s := Summary{Repetitions: len(results), Confidence: Confidence, Figures: map[string]Interval{}}
	for _, f := range shared(results) {
		m := momentsOf(f.values)
		wide := tQuantile(Confidence, m.n-1) * math.Sqrt(m.variance/m.n)
		s.order = append(s.order, f.name)
		s.Figures[f.name] = Interval{Mean: m.mean, Low: m.mean - wide, High: m.mean + wide}
	}
	return s, nil
}

// series is one figure over repetitions.
type series struct {
	figure
	values []float64
}

// shared are the figures that all results have, in the order of the first.
func shared(results []*Result) []series {
	var all []series
	byName := map[string]int{}
	for i, r := range results {
		for _, f := range r.figures() {
			if i == 0 {
				byName[f.name] = len(all)
				all = append(all, series{figure: f})
			}
			if at, has := byName[f.name]; has {
				all[at].values = append(all[at].values, f.value)
			}
		}
	}
	kept := all[:0]
	for _, f := range all {
		if len(f.values) == len(results) {
			kept = append(kept, f)
		}
	}
	return kept
}

// WriteTable writes the summary for people.
func (s Summary) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 2, 0, 2, ' ', tabwriter.AlignRight)
	_, err := fmt.Fprintf(t, "%d repetitions\tmean\tfrom\tto\t\n", s.Repetitions)
	for _, name := range s.order {
		i := s.Figures[name]
		_, more := fmt.Fprintf(t, "%s\t%.4g\t%.4g\t%.4g\t\n", name, i.Mean, i.Low, i.High)
		err = cmp.Or(err, more)
	}
	_, more := fmt.Fprintf(t, "from and to: %.0f%% confidence, Student's t over the repetitions\n", 100*s.Confidence)
	return cmp.Or(err, more, t.Flush())
}
