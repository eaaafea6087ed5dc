package replay

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteTable writes the result for people.
func (r *Result) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 2, 0, 2, ' ', tabwriter.AlignRight)
	var failed error
	print := func(format string, args ...any) {
		_, err := fmt.Fprintf(t, format, args...)
		failed = cmp.Or(failed, err)
	}
	print("%d events of %d users on %d items, the first %d only written; %.0f events a second\n", r.Events, r.Users, r.Items, r.WarmUp, r.EventsPerS)
	print("limit %d, seen policy %s, windows of %d events, %d asks at once, seed %d\n\n", r.Limit, r.Seen, r.Window, r.Parallel, r.Seed)
	print("part\tasks\tHR@10\tNDCG@10\tMRR\tnovelty\tcoverage\trepeats\tlagging\task p99 ms\ttiers\t\n")
	row := func(name string, f Figures, reach Reach) {
		print("%s\t%d\t%.4f\t%.4f\t%.4f\t%.2f\t%.3f\t%.3f\t%.3f\t%.2f\t%s\t\n", name, f.Asks, f.HR, f.NDCG, f.MRR, f.Novelty, reach.Coverage,
			f.RepeatShare, f.LagShare, f.AskP99, tierText(f.Quality))
	}
	for i, tenth := range r.Tenths {
		row(fmt.Sprintf("%d, to %s", i+1, tenth.To.Format(time.DateOnly)), tenth.Figures, tenth.Reach)
	}
	row("all", r.Figures, r.Reach)
	print("\nsegment\tasks\tHR@10\tNDCG@10\tMRR\tnovelty\trepeats\ttiers\t\n")
	for _, s := range r.Segments {
		print("%s\t%d\t%.4f\t%.4f\t%.4f\t%.2f\t%.3f\t%s\t\n", s.Name, s.Asks, s.HR, s.NDCG, s.MRR, s.Novelty, s.RepeatShare, tierText(s.Quality))
	}
	print("\ncoverage: %d items in some first ten, %.1f%% of a catalog of %d; Gini of exposure %.3f\n", r.Shown, 100*r.Coverage, r.Catalog, r.Gini)
	if r.OutOfOrder > 0 {
		print("out of order in the file: %d events, up to %v behind; sorted by time\n", r.OutOfOrder, time.Duration(r.Disorder*float64(time.Second)).Round(time.Second))
	}
	if r.Speed > 0 {
		print("at %g times real time, at most %.3f s late\n", r.Speed, r.LateMax)
	}
	if r.Rejected > 0 {
		print("rejected by the server: %d events, such as: %s\n", r.Rejected, strings.Join(r.Reasons, "; "))
	}
	return cmp.Or(failed, t.Flush())
}

func tierText(q Quality) string {
	var parts []string
	for _, name := range tierNames(q) {
		parts = append(parts, fmt.Sprintf("%s %.0f%%", name, 100*q.TierShares[name]))
	}
	return strings.Join(parts, ", ")
}

// tierNames is the rungs of a stretch, largest share first.
func tierNames(q Quality) []string {
	return slices.SortedFunc(maps.Keys(q.TierShares), func(a, b string) int {
		return cmp.Or(cmp.Compare(q.TierShares[b], q.TierShares[a]), cmp.Compare(a, b))
	})
}
