package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/kindred-rec/kindred/server/training"
)

// printRanking says what scores, and what it was learned from.
func printRanking(w io.Writer, r *training.Ranking) {
	switch r.From {
	case training.FromNothing:
		fmt.Fprintln(w, "ranker: the usual weights, since there are too few choices to learn from")
	case training.FromFile:
		fmt.Fprintf(w, "ranker: %s, of your file\n", r.Kind)
	default:
		fmt.Fprintf(w, "ranker: %s, learned from %d choices (%s)\n", r.Kind, r.Fitted, r.From)
	}
	if t := r.Trial; t != nil {
		fmt.Fprintf(w, "  on choices held back: NDCG@10 %.4f linear, %.4f network; the network gains %.4f ± %.4f in log probability\n",
			t.Linear, t.Network, t.Gain, t.Error)
	}
	if c := r.Clicks; c.Decisions > 0 {
		fmt.Fprintf(w, "  %d lists of the decision log, %d acted on\n", c.Decisions, c.Acted)
	}
	for _, objective := range slices.Sorted(maps.Keys(r.Reliability)) {
		of := r.Reliability[objective]
		fmt.Fprintf(w, "  probability of %s: off by %.2f%% on %d impressions kept apart\n", objective, 100*of.Error, of.Impressions)
	}
}
