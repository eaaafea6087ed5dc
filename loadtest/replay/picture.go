package replay

import (
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/loadtest/report"
)

// Page is the result as a report: quality, rungs and lag over the log.
func (r *Result) Page(title string) report.Page {
	number := report.Number
	percent := func(v float64) string { return number(100*v) + "%" }
	return report.Page{
		Title: title,
		Lead: fmt.Sprintf("%s events of %s users on %s items in time order: before each, the server was asked what it would show; the first %s were only written.",
			number(float64(r.Events)), number(float64(r.Users)), number(float64(r.Items)), number(float64(r.WarmUp))),
		Facts: []report.Fact{
			{Name: "HR@10", Value: fmt.Sprintf("%.4f", r.HR), Note: number(float64(r.Asks)) + " asks"},
			{Name: "NDCG@10", Value: fmt.Sprintf("%.4f", r.NDCG)},
			{Name: "MRR", Value: fmt.Sprintf("%.4f", r.MRR), Note: fmt.Sprintf("within %d items", r.Limit)},
			{Name: "Coverage", Value: percent(r.Coverage), Note: fmt.Sprintf("of %s items", number(float64(r.Catalog)))},
			{Name: "Replies that lag", Value: percent(r.LagShare)},
			{Name: "Events", Value: number(r.EventsPerS) + "/s", Note: "asked and written"},
		},
		Sections: []report.Section{
			{Title: "Quality over the log", Text: "Each point is a tenth of the log.", Chart: r.chart("HR, NDCG and MRR by tenth", "", []line{
				{"HR@10", func(f Figures) float64 { return f.HR }}, {"NDCG@10", func(f Figures) float64 { return f.NDCG }},
				{"MRR", func(f Figures) float64 { return f.MRR }}})},
			{Title: "Rungs over the log", Text: "Which rung of the ladder answered.", Chart: r.chart("Share of asks by rung and tenth", "% of asks", r.tierLines())},
			{Title: "Time of an ask", Text: "As the client sees it, the wait for its last event included.", Chart: r.chart("Milliseconds of an ask by tenth", "ms", []line{
				{"p50", func(f Figures) float64 { return f.AskP50 }}, {"p99", func(f Figures) float64 { return f.AskP99 }}})},
			{Title: "Repeats and lag", Text: "Asks whose item the user had before, and replies that did not reflect the last write.",
				Chart: r.chart("Share of asks by tenth", "% of asks", []line{
					{"repeats", func(f Figures) float64 { return 100 * f.RepeatShare }}, {"lagging", func(f Figures) float64 { return 100 * f.LagShare }}})},
			{Title: "By tenth", Wide: true, Table: r.tenthTable()},
		},
		Foot: fmt.Sprintf("Seen policy %s, windows of %d events, %d asks at once, seed %d.", r.Seen, r.Window, r.Parallel, r.Seed),
	}
}

// line is one figure over the tenths.
type line struct {
	name  string
	value func(Figures) float64
}

func (r *Result) chart(label, unit string, lines []line) *report.Chart {
	c := &report.Chart{Label: label, X: report.Axis{Label: "tenth of the log"}, Y: report.Axis{Label: unit, Zero: true}}
	for _, l := range lines {
		s := report.Series{Name: l.name, Marks: true}
		for i, t := range r.Tenths {
			if t.Asks > 0 {
				s.Points = append(s.Points, report.Point{X: float64(i + 1), Y: l.value(t.Figures),
					Note: fmt.Sprintf("%s to %s: %s", l.name, t.To.Format(time.DateOnly), report.Number(l.value(t.Figures)))})
			}
		}
		c.Series = append(c.Series, s)
		for i := len(c.X.Ticks); i < len(r.Tenths); i++ {
			c.X.Ticks = append(c.X.Ticks, report.Tick{At: float64(i + 1), Text: fmt.Sprint(i + 1)})
		}
	}
	return c
}

func (r *Result) tierLines() []line {
	var lines []line
	for _, name := range tierNames(r.Figures) {
		lines = append(lines, line{name, func(f Figures) float64 { return 100 * f.TierShares[name] }})
	}
	return lines
}

func (r *Result) tenthTable() *report.Table {
	t := &report.Table{Head: []string{"last event", "asks", "HR@10", "NDCG@10", "MRR", "repeats", "lagging", "ask p99 ms"}}
	for _, tenth := range r.Tenths {
		f := tenth.Figures
		t.Rows = append(t.Rows, []string{tenth.To.Format(time.DateOnly), fmt.Sprint(f.Asks), fmt.Sprintf("%.4f", f.HR), fmt.Sprintf("%.4f", f.NDCG),
			fmt.Sprintf("%.4f", f.MRR), fmt.Sprintf("%.3f", f.RepeatShare), fmt.Sprintf("%.3f", f.LagShare), report.Number(f.AskP99)})
	}
	return t
}
