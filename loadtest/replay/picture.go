package replay

import (
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/loadtest/report"
)

// Page is the result as a report: quality over the log, whole and by segment, rungs, exposure, lag and time.
func (r *Result) Page(title string) report.Page {
	number := report.Number
	return report.Page{
		Title: title,
		Lead: fmt.Sprintf("%s events of %s users on %s items in time order: before each, the server was asked what it would show; the first %s were only written.",
			number(float64(r.Events)), number(float64(r.Users)), number(float64(r.Items)), number(float64(r.WarmUp))),
		Facts: []report.Fact{
			{Name: "HR@10", Value: fmt.Sprintf("%.4f", r.HR), Note: number(float64(r.Asks)) + " asks"},
			{Name: "NDCG@10", Value: fmt.Sprintf("%.4f", r.NDCG)},
			{Name: "MRR", Value: fmt.Sprintf("%.4f", r.MRR), Note: fmt.Sprintf("within %d items", r.Limit)},
			{Name: "Coverage", Value: percent(r.Coverage), Note: fmt.Sprintf("of %s items", number(float64(r.Catalog)))},
			{Name: "Novelty", Value: number(r.Novelty) + " bits", Note: "mean over what was shown"},
			{Name: "Replies that lag", Value: percent(r.LagShare)},
			{Name: "Events", Value: number(r.EventsPerS) + "/s", Note: "asked and written"},
		},
		Sections: append(r.qualitySections(), r.serviceSections()...),
		Foot: fmt.Sprintf("Seen policy %s, windows of %d events, %d asks at once, seed %d. New users and items have fewer than %d earlier events in the log; light, middle and heavy users are thirds of the users by their events in the whole log.",
			r.Seen, r.Window, r.Parallel, r.Seed, newBelow),
	}
}

func percent(v float64) string { return report.Number(100*v) + "%" }

func (r *Result) qualitySections() []report.Section {
	return []report.Section{
		{Title: "Quality over the log", Text: "Each point is a tenth of the log.", Chart: r.chart("HR, NDCG and MRR by tenth", "", []line{
			{"HR@10", func(t Tenth) float64 { return t.HR }}, {"NDCG@10", func(t Tenth) float64 { return t.NDCG }},
			{"MRR", func(t Tenth) float64 { return t.MRR }}})},
		{Title: "Quality by segment", Text: "HR@10 of parts of the asks.", Chart: r.segmentChart()},
		{Title: "Rungs over the log", Text: "Which rung of the ladder answered.", Chart: r.chart("Share of asks by rung and tenth", "% of asks", r.tierLines())},
		{Title: "Exposure", Text: fmt.Sprintf("Which share of the slots went to which share of the catalog, the most shown items first; Gini %.3f.", r.Gini),
			Chart: r.exposureChart()},
		{Title: "Novelty over the log", Text: "Mean of −log2 of the popularity of what was shown: the higher, the less known.",
			Chart: r.chart("Bits by tenth", "bits", []line{{"novelty", func(t Tenth) float64 { return t.Novelty }}})},
		{Title: "Coverage over the log", Text: "Share of the catalog that stood in some first ten of a tenth of the log.",
			Chart: r.chart("Coverage by tenth", "% of the catalog", []line{{"coverage", func(t Tenth) float64 { return 100 * t.Coverage }}})},
	}
}

func (r *Result) serviceSections() []report.Section {
	return []report.Section{
		{Title: "Time of an ask", Text: "As the client sees it, the wait for its last event included.", Chart: r.chart("Milliseconds of an ask by tenth", "ms", []line{
			{"p50", func(t Tenth) float64 { return t.AskP50 }}, {"p99", func(t Tenth) float64 { return t.AskP99 }}})},
		{Title: "Repeats and lag", Text: "Asks whose item the user had before, and replies that did not reflect the last write.",
			Chart: r.chart("Share of asks by tenth", "% of asks", []line{
				{"repeats", func(t Tenth) float64 { return 100 * t.RepeatShare }}, {"lagging", func(t Tenth) float64 { return 100 * t.LagShare }}})},
		{Title: "By tenth", Wide: true, Table: r.tenthTable()},
		{Title: "By segment", Wide: true, Table: r.segmentTable()},
	}
}

// line is one figure over the tenths.
type line struct {
	name  string
	value func(Tenth) float64
}

func (r *Result) chart(label, unit string, lines []line) *report.Chart {
	c := r.overTenths(label, unit)
	for _, l := range lines {
		s := report.Series{Name: l.name, Marks: true}
		for i, t := range r.Tenths {
			if t.Asks > 0 {
				s.Points = append(s.Points, r.point(i, l.name, l.value(t)))
			}
		}
		c.Series = append(c.Series, s)
	}
	return c
}

func (r *Result) overTenths(label, unit string) *report.Chart {
	c := &report.Chart{Label: label, X: report.Axis{Label: "tenth of the log"}, Y: report.Axis{Label: unit, Zero: true}}
	for i := range r.Tenths {
		c.X.Ticks = append(c.X.Ticks, report.Tick{At: float64(i + 1), Text: fmt.Sprint(i + 1)})
	}
	return c
}

func (r *Result) point(tenth int, name string, value float64) report.Point {
	return report.Point{X: float64(tenth + 1), Y: value,
		Note: fmt.Sprintf("%s to %s: %s", name, r.Tenths[tenth].To.Format(time.DateOnly), report.Number(value))}
}

func (r *Result) segmentChart() *report.Chart {
	c := r.overTenths("HR@10 by segment and tenth", "")
	for _, s := range r.Segments {
		line := report.Series{Name: s.Name, Marks: true}
		for i, q := range s.Tenths {
			if q.Asks > 0 {
				line.Points = append(line.Points, r.point(i, s.Name, q.HR))
			}
		}
		c.Series = append(c.Series, line)
	}
	return c
}

// exposureChart draws the shares against where all items are shown alike.
func (r *Result) exposureChart() *report.Chart {
	c := &report.Chart{Label: "Share of slots by share of the catalog", X: report.Axis{Label: "% of the catalog, most shown first", Log: true},
		Y: report.Axis{Label: "% of slots", Zero: true}}
	shown, even := report.Series{Name: "shown", Marks: true}, report.Series{Name: "all alike", Dashed: true}
	for _, p := range r.Exposure {
		x := 100 * p.Items
		shown.Points = append(shown.Points, report.Point{X: x, Y: 100 * p.Slots, Note: fmt.Sprintf("%s of the items: %s of the slots", percent(p.Items), percent(p.Slots))})
		even.Points = append(even.Points, report.Point{X: x, Y: x})
	}
	c.Series = []report.Series{shown, even}
	return c
}

func (r *Result) tierLines() []line {
	var lines []line
	for _, name := range tierNames(r.Quality) {
		lines = append(lines, line{name, func(t Tenth) float64 { return 100 * t.TierShares[name] }})
	}
	return lines
}

func (r *Result) tenthTable() *report.Table {
	t := &report.Table{Head: []string{"last event", "asks", "HR@10", "NDCG@10", "MRR", "novelty", "coverage", "Gini", "repeats", "lagging", "furthest lag", "ask p99 ms"}}
	for _, f := range r.Tenths {
		t.Rows = append(t.Rows, []string{f.To.Format(time.DateOnly), fmt.Sprint(f.Asks), fmt.Sprintf("%.4f", f.HR), fmt.Sprintf("%.4f", f.NDCG),
			fmt.Sprintf("%.4f", f.MRR), fmt.Sprintf("%.2f", f.Novelty), percent(f.Coverage), fmt.Sprintf("%.3f", f.Gini),
			fmt.Sprintf("%.3f", f.RepeatShare), fmt.Sprintf("%.3f", f.LagShare), fmt.Sprint(f.LagMax), report.Number(f.AskP99)})
	}
	return t
}

func (r *Result) segmentTable() *report.Table {
	t := &report.Table{Head: []string{"segment", "asks", "HR@10", "NDCG@10", "MRR", "novelty", "repeats"}}
	for _, s := range r.Segments {
		t.Rows = append(t.Rows, []string{s.Name, fmt.Sprint(s.Asks), fmt.Sprintf("%.4f", s.HR), fmt.Sprintf("%.4f", s.NDCG),
			fmt.Sprintf("%.4f", s.MRR), fmt.Sprintf("%.2f", s.Novelty), fmt.Sprintf("%.3f", s.RepeatShare)})
	}
	return t
}
