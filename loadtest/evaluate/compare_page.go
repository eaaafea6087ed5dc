package evaluate

import (
	"cmp"
	"fmt"

	"github.com/kindred-rec/kindred/loadtest/metrics"
	"github.com/kindred-rec/kindred/loadtest/report"
)

// mostLines of a chart are told apart by colour.
const mostLines = 6

// Page draws the figures, what lies beyond accuracy, the contenders, the windows, and what
// variety costs where that was asked.
func (r Result) Page() report.Page {
	p := report.Page{Title: "Evaluation",
		Lead: fmt.Sprintf("%s, %s, stage %s, split %s, seed %d, %d items, %d questions, encoder %s, behaviour %s, weights %s.",
			r.Format, r.Protocol, r.Stage, r.Split, r.Seed, r.Items, r.Cases, r.Encoder, r.Behaviour, cmp.Or(r.Weights, "none")),
		Facts: []report.Fact{r.fact("HR@10", r.HR10, func(i *Intervals) metrics.Interval { return i.HR10 }),
			r.fact("NDCG@10", r.NDCG10, func(i *Intervals) metrics.Interval { return i.NDCG10 }),
			r.fact("MRR", r.MRR, func(i *Intervals) metrics.Interval { return i.MRR }),
			{Name: "Coverage", Value: percent(r.Coverage), Note: "of the catalog stands in some list of ten"}},
		Foot: "All items are ranked for every question; what is not returned ranks last, and ties count against the ranking. " +
			"Intervals are of 95%, by resampling users with all of their questions. Distances are means over pairs of a list of ten; novelty is −log2 of the share of " +
			"users who met an item; popularity is acts of training; calibration is the divergence of a list's categories from the history's, in nats."}
	if len(r.Compared) > 0 {
		p.Sections = append(p.Sections, r.accuracyTable())
	}
	if r.Beyond != nil {
		p.Sections = append(p.Sections, r.beyondTable(), r.placesChart(), r.activityTable())
	}
	if len(r.Windows) > 0 {
		p.Sections = append(p.Sections, r.windowTable())
	}
	if len(r.Variety) > 0 {
		variety := r.VarietyPage()
		p.Facts, p.Sections = append(p.Facts, variety.Facts...), append(p.Sections, variety.Sections...)
		p.Foot += " " + variety.Foot
	}
	return p
}

func (r Result) fact(name string, value float64, of func(*Intervals) metrics.Interval) report.Fact {
	f := report.Fact{Name: name, Value: fmt.Sprintf("%.4f", value), Note: "too few users for an interval"}
	if r.Intervals != nil {
		i := of(r.Intervals)
		f.Note = fmt.Sprintf("%.4f to %.4f", i.Low, i.High)
	}
	return f
}

// contestant is what is evaluated or a contender, for tables.
type contestant struct {
	name   string
	f      Figures
	cover  float64
	micros float64
	beyond *Beyond
	diff   *Intervals
	note   string
}

// EvaluatedName is what tables call what is evaluated itself.
const EvaluatedName = "evaluated"

func (r Result) contestants() []contestant {
	all := []contestant{{EvaluatedName, r.Figures, r.Coverage, r.MicrosPerCase, r.Beyond, nil, ""}}
	for _, c := range r.Compared {
		all = append(all, contestant{c.Name + " (" + c.Is + ")", c.Figures, c.Coverage, c.MicrosPerCase, c.Beyond, c.Difference, c.Note})
	}
	return all
}

func (r Result) accuracyTable() report.Section {
	t := &report.Table{Head: []string{"", "HR@10", "NDCG@10", "MRR", "HR@10 less", "NDCG@10 less", "MRR less", "µs", "note"}}
	for _, c := range r.contestants() {
		row := []string{c.name, fmt.Sprintf("%.4f", c.f.HR10), fmt.Sprintf("%.4f", c.f.NDCG10), fmt.Sprintf("%.4f", c.f.MRR)}
		if d := c.diff; d != nil {
			row = append(row, Change(d.HR10), Change(d.NDCG10), Change(d.MRR))
		} else {
			row = append(row, "", "", "")
		}
		t.Rows = append(t.Rows, append(row, fmt.Sprintf("%.0f", c.micros), c.note))
	}
	return report.Section{Title: "Side by side", Text: "What is evaluated, then the contenders, over the same questions; \"less\" is the contender less what is evaluated, with its interval. * says that the interval does not hold 0.",
		Table: t, Wide: true}
}

// Change is a difference with its interval: "+0.0120 [0.0034, 0.0209] *".
func Change(i metrics.Interval) string {
	text := fmt.Sprintf("%+.4f [%.4f, %.4f]", i.Mean, i.Low, i.High)
	if i.Excludes(0) {
		text += " *"
	}
	return text
}

func (r Result) beyondTable() report.Section {
	t := &report.Table{Head: []string{"", "coverage", "label distance", "vector distance", "novelty, bits", "popularity", "Gini", "first tenth", "miscalibration", "maker disparity", "activity gap"}}
	for _, c := range r.contestants() {
		b := c.beyond
		row := []string{c.name, percent(c.cover), Known(b.LabelDistance), fmt.Sprintf("%.3f", b.VectorDistance), fmt.Sprintf("%.2f", b.Novelty),
			report.Number(b.Popularity), fmt.Sprintf("%.3f", b.Gini), percent(b.Exposure[0]), Known(b.Miscalibration), "–", fmt.Sprintf("%.4f", b.ActivityGap)}
		if b.Makers != nil {
			row[9] = fmt.Sprintf("%.3f of %d %ss", b.Makers.Disparity, b.Makers.Count, b.Makers.By)
		}
		t.Rows = append(t.Rows, row)
	}
	return report.Section{Title: "Beyond accuracy", Text: "Lists of ten.", Table: t, Wide: true}
}

func (r Result) placesChart() report.Section {
	c := &report.Chart{Label: "Share of places by tenth of the items", X: report.Axis{Label: "tenth of the items, the most popular first"},
		Y: report.Axis{Label: "% of places", Zero: true}}
	all := r.contestants()
	for _, e := range all[:min(len(all), mostLines)] {
		line := report.Series{Name: e.name, Marks: true}
		for d, share := range e.beyond.Exposure {
			line.Points = append(line.Points, report.Point{X: float64(d + 1), Y: 100 * share, Note: fmt.Sprintf("%s: %.1f%%", e.name, 100*share)})
		}
		c.Series = append(c.Series, line)
	}
	s := report.Section{Title: "Who is shown", Chart: c}
	if len(all) > mostLines {
		s.Text = fmt.Sprintf("The first %d of %d.", mostLines, len(all))
	}
	return s
}

func (r Result) activityTable() report.Section {
	t := &report.Table{Head: []string{"", "history", "questions", "HR@10", "NDCG@10", "MRR"}}
	for _, c := range r.contestants() {
		for _, a := range c.beyond.ByActivity {
			t.Rows = append(t.Rows, []string{c.name, fmt.Sprintf("%d to %d", a.Shortest, a.Longest), fmt.Sprint(a.Cases), fmt.Sprintf("%.4f", a.HR10),
				fmt.Sprintf("%.4f", a.NDCG10), fmt.Sprintf("%.4f", a.MRR)})
		}
	}
	return report.Section{Title: "By activity", Text: "Questions in thirds by how many acts the history has.", Table: t}
}

func (r Result) windowTable() report.Section {
	t := &report.Table{Head: []string{"asked from", "until", "trained until", "training events", "questions", "HR@10", "NDCG@10", "MRR", "coverage"}}
	for _, w := range r.Windows {
		t.Rows = append(t.Rows, []string{day(w.From), day(w.Until), day(w.TrainedUntil), fmt.Sprint(w.TrainEvents), fmt.Sprint(w.Cases),
			fmt.Sprintf("%.4f", w.HR10), fmt.Sprintf("%.4f", w.NDCG10), fmt.Sprintf("%.4f", w.MRR), percent(w.Coverage)})
	}
	return report.Section{Title: "Windows", Table: t, Wide: true}
}

// Known writes a figure that may be absent.
func Known(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%.3f", *v)
}

func percent(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }
