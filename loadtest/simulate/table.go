package simulate

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteTable writes the result for people.
func (r *Result) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 2, 0, 2, ' ', tabwriter.AlignRight)
	var failed error
	print := func(format string, args ...any) {
		_, err := fmt.Fprintf(t, format, args...)
		failed = cmp.Or(failed, err)
	}
	c := r.Config
	print("%d items and %d new ones a day, %d users, %d days after %d of random lists; %s clicks, goal %s, seed %d, %d worlds; %.0f s\n",
		c.Items, c.NewItems, c.Users, r.DaysDone, c.HistoryDays, c.Clicks.Model, c.Goal, c.Seed, r.Seeds, r.Seconds)
	if f := r.Failure; f != nil {
		print("BROKEN OFF: policy %s, seed %d, day %d after %d visits of that day; %d days counted. %s\n",
			f.Policy, f.Seed, f.Day, f.VisitsOfDay, f.DaysDone, f.Error)
	}
	if len(r.Policies) == 0 {
		return cmp.Or(failed, t.Flush())
	}
	print("with 95%% intervals over %s; in brackets the paired difference to %s\n", r.Over, r.Against)
	for _, f := range figures {
		print("\n%s\n", f.title)
		for _, p := range r.Policies {
			print("%s\t%s\t%s\t\n", p.Name, f.text(p.Figures[f.name]), f.bracket(p, r.Against))
		}
	}
	print("\nexposure\tGini\tcoverage\tmost wanted tenth\tleast wanted half\t\n")
	for _, p := range r.Policies {
		low := 0.0
		for _, x := range p.Deciles[5:] {
			low += x
		}
		print("%s\t%.3f\t%.1f%%\t%.1f%%\t%.1f%%\t\n", p.Name, p.Gini.Value, 100*p.Coverage.Value, 100*p.Deciles[0], 100*low)
	}
	if s := r.Server; s != nil {
		print("\nserver: %d replies, %d of them behind the last write; tiers %v\n", s.Replies, s.Lagging, s.Tiers)
		for _, x := range s.Training {
			print("trained after day %d on %d events in %.0f s: NDCG@10 %.3f, compared on %d cases %.3f where what served has %.3f; serving %v %s\n",
				x.AfterDay, x.Events, x.Seconds, x.NDCG, x.Cases, x.Candidate, x.Before, x.Serving, x.Reason)
		}
	}
	return cmp.Or(failed, t.Flush())
}

// text is an estimate as people read it.
func (f figure) text(e Estimate) string {
	scale, unit := 1.0, ""
	if f.percent {
		scale, unit = 100, "%"
	}
	if e.Interval == nil {
		return fmt.Sprintf("%.4g%s", scale*e.Value, unit)
	}
	return fmt.Sprintf("%.4g%s (%.4g to %.4g)", scale*e.Value, unit, scale*e.Interval[0], scale*e.Interval[1])
}

func (f figure) bracket(p PolicyResult, against string) string {
	if p.Name == against {
		return ""
	}
	return "[" + f.text(p.Differences[f.name]) + "]"
}

// WriteText writes for people what was written to dir.
func (r *Written) WriteText(w io.Writer, dir string) error {
	_, err := fmt.Fprintf(w, "%s: %d items (%.0f/s, %d MB), %d events (%.0f/s, %d MB), %d decisions; peak memory %d MB\n", dir, r.Items, r.ItemsPerS,
		r.ItemsBytes>>20, r.Events, r.EventsPerS, r.EventsBytes>>20, r.Decisions, r.PeakRSS>>20)
	for _, p := range r.Truth.Policies {
		if err == nil {
			_, err = fmt.Fprintf(w, "true value of %s: %.4f clicks, %.4f purchases by list\n", p.Name, p.Clicks, p.Purchases)
		}
	}
	return err
}
