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
	print("part\tasks\tHR@10\tNDCG@10\tMRR\trepeats\tlagging\task p99 ms\ttiers\t\n")
	row := func(name string, f Figures) {
		print("%s\t%d\t%.4f\t%.4f\t%.4f\t%.3f\t%.3f\t%.2f\t%s\t\n", name, f.Asks, f.HR, f.NDCG, f.MRR, f.RepeatShare, f.LagShare, f.AskP99, tierText(f))
	}
	for i, tenth := range r.Tenths {
		row(fmt.Sprintf("%d, to %s", i+1, tenth.To.Format(time.DateOnly)), tenth.Figures)
	}
	row("all", r.Figures)
	print("\ncoverage: %d items in some first ten, %.1f%% of a catalog of %d\n", r.Shown, 100*r.Coverage, r.Catalog)
	if r.Rejected > 0 {
		print("rejected by the server: %d events, such as: %s\n", r.Rejected, strings.Join(r.Reasons, "; "))
	}
	return cmp.Or(failed, t.Flush())
}

func tierText(f Figures) string {
	var parts []string
	for _, name := range tierNames(f) {
		parts = append(parts, fmt.Sprintf("%s %.0f%%", name, 100*f.TierShares[name]))
	}
	return strings.Join(parts, ", ")
}

// tierNames is the rungs of a stretch, largest share first.
func tierNames(f Figures) []string {
	return slices.SortedFunc(maps.Keys(f.TierShares), func(a, b string) int {
		return cmp.Or(cmp.Compare(f.TierShares[b], f.TierShares[a]), cmp.Compare(a, b))
	})
}
