package ope

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteTable writes a result for people.
func (r *Result) WriteTable(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, judged by %s: %s\n", r.Target, r.Log, r.size())
	t := tabwriter.NewWriter(&b, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\testimate\tlow\thigh\tinterval\t\n") // a strings.Builder has no errors to look for
	for _, e := range r.Estimates {
		fmt.Fprintf(t, "%s\t%s\t\n", e.Estimator, strings.Join(e.cells(), "\t"))
	}
	if r.Truth != nil {
		fmt.Fprintf(t, "truth\t%s\t\n", strings.Join(r.Truth.cells(), "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(&b, "  %s\n", r.Support)
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "  note: %s\n", note)
	}
	if r.Refused != "" {
		fmt.Fprintf(&b, "  refused: %s\n", r.Refused)
	}
	_, err := io.WriteString(w, b.String()+"\n")
	return err
}

// size says how long the log is.
func (r *Result) size() string {
	text := fmt.Sprintf("%d decisions", r.Decisions)
	if r.Rows != r.Decisions {
		text += fmt.Sprintf(" with %d slots (%s)", r.Rows, r.Lists)
	}
	if r.Clusters != r.Decisions {
		text += fmt.Sprintf(" in %d clusters", r.Clusters)
	}
	return text
}

// cells are the figures of an estimate as text: value, ends of the interval, and how it was made.
func (e Estimate) cells() []string {
	if e.Interval == nil {
		return []string{figure(e.Value), "–", "–", "none"}
	}
	return []string{figure(e.Value), figure(e.Interval.Low), figure(e.Interval.High), string(e.Interval.Method)}
}

func figure(v float64) string { return fmt.Sprintf("%.5f", v) }

// String sums up the support.
func (s Support) String() string {
	return fmt.Sprintf("worth %.1f decisions and %.1f rewards; mean weight %.3f ± %.3f, largest %.4g; %.2f%% of the choices unexplored; %.2f%% of the rows clipped",
		s.Effective, s.Rewards, s.MeanWeight, s.MeanWeightSE, s.MaxWeight, 100*s.Unexplored, 100*s.ClippedShare)
}
