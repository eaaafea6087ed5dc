package main

import (
	"cmp"
	"fmt"
	"text/tabwriter"

	"github.com/kindred-rec/kindred/loadtest/evaluate"
	"github.com/kindred-rec/kindred/loadtest/report"
)

func writeFigures(to output, r evaluate.Result) error {
	t := tabwriter.NewWriter(to.out, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "%s: %s, stage %s, split %s, seed %d, encoder %s, behaviour %s, weights %s, %d items\n\n", r.Format, r.Protocol, r.Stage, r.Split, r.Seed,
		r.Encoder, r.Behaviour, cmp.Or(r.Weights, "none"), r.Items)
	fmt.Fprint(t, "\tquestions\tHR@5\tHR@10\tNDCG@10\tMRR\t\n")
	row := func(name string, f evaluate.Figures) {
		fmt.Fprintf(t, "%s\t%d\t%.4f\t%.4f\t%.4f\t%.4f\t\n", name, f.Cases, f.HR5, f.HR10, f.NDCG10, f.MRR)
	}
	row("all", r.Figures)
	if r.Cold != nil && r.Warm != nil {
		row("cold items", *r.Cold)
		row("other items", *r.Warm)
	}
	for _, w := range r.Windows {
		row(w.From.Format("from 2006-01-02"), w.Figures)
	}
	fmt.Fprintf(t, "\ncoverage %.1f%%, %.0f µs a question, %.1f s in all\n", 100*r.Coverage, r.MicrosPerCase, r.Seconds)
	if err := t.Flush(); err != nil { // a tabwriter writes when it is flushed
		return err
	}
	return writeCompared(to, r)
}

// writeCompared writes the contenders' figures, and what their lists look like.
func writeCompared(to output, r evaluate.Result) error {
	t := tabwriter.NewWriter(to.out, 2, 0, 2, ' ', 0)
	if b := r.Beyond; b != nil {
		fmt.Fprint(t, "\nlists of ten\tlabels apart\tvectors apart\tnovelty, bits\tpopularity\tGini\tfirst tenth\tcoverage\n")
		row := func(name string, b *evaluate.Beyond, coverage float64) {
			fmt.Fprintf(t, "%s\t%s\t%.3f\t%.2f\t%s\t%.3f\t%.1f%%\t%.1f%%\n", name, evaluate.Known(b.LabelDistance), b.VectorDistance, b.Novelty,
				report.Number(b.Popularity), b.Gini, 100*b.Exposure[0], 100*coverage)
		}
		row(evaluate.EvaluatedName, b, r.Coverage)
		for _, c := range r.Compared {
			row(c.Name, c.Beyond, c.Coverage)
		}
	}
	if len(r.Compared) > 0 {
		fmt.Fprint(t, "\ncontender\tis\tHR@10\tNDCG@10\tMRR\tHR@10 less the evaluated\tNDCG@10 less\tMRR less\tnote\n")
	}
	for _, c := range r.Compared {
		fmt.Fprintf(t, "%s\t%s\t%.4f\t%.4f\t%.4f", c.Name, c.Is, c.HR10, c.NDCG10, c.MRR)
		if d := c.Difference; d != nil {
			fmt.Fprintf(t, "\t%s\t%s\t%s\t%s\n", evaluate.Change(d.HR10), evaluate.Change(d.NDCG10), evaluate.Change(d.MRR), c.Note)
		} else {
			fmt.Fprintf(t, "\ttoo few users for an interval\t\t\t%s\n", c.Note)
		}
	}
	return t.Flush()
}
