package simulate

import (
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/loadtest/report"
)

// Page is the result as a report.
func (r *Result) Page(title string) report.Page {
	c := r.Config
	p := report.Page{
		Title: title,
		Lead: fmt.Sprintf("%s users in a shop of %s items, %d new ones a day, over %d days. "+
			"Each policy worked in its own copy of the same world: same users, same visits, same chance.",
			report.Number(float64(c.Users)), report.Number(float64(c.Items)), c.NewItems, r.DaysDone),
		Foot: fmt.Sprintf("The truth of the world is known: regret is the expected %s of the best list at the moment of a visit less "+
			"those of what was shown. %s model of clicks; intervals are 95%%, over %s; differences are paired. Before the comparison all "+
			"copies had %d days of random lists. Seed %d, %d worlds, windows of %d visits.",
			c.Goal, c.Clicks.Model, r.Over, c.HistoryDays, c.Seed, r.Seeds, r.Window),
	}
	if f := r.Failure; f != nil {
		p.Lead += fmt.Sprintf(" The run broke off: policy %s, day %d, after %d visits of that day: %s. The days before are shown.",
			f.Policy, f.Day, f.VisitsOfDay, f.Error)
	}
	if len(r.Policies) == 0 {
		return p
	}
	for _, x := range r.Policies {
		p.Facts = append(p.Facts, report.Fact{Name: x.Name + ", purchases by visit", Value: fmt.Sprintf("%.3f", x.Figures["purchases_per_visit"].Value),
			Note: fmt.Sprintf("regret %.0f%% of what was possible", 100*x.Figures["regret_share"].Value)})
	}
	p.Sections = append(p.Sections,
		r.overDays("Regret over days", "What the best list would have brought more, by visit.", "expected "+string(c.Goal),
			func(d Day) float64 { return d.RegretPerVisit }),
		r.conversion(),
		r.overDays("Purchases over days", "From the list, by visit.", "purchases by visit", func(d Day) float64 { return d.PurchasesPerVisit }),
		r.overDays("Users still there", "Who finds nothing leaves.", "% of users", func(d Day) float64 { return 100 * d.Retention }),
		r.overDays("Concentration of exposure", "Gini coefficient of what was shown in a day, over all items on the shelves.", "Gini",
			func(d Day) float64 { return d.Gini }),
		r.overDays("The most wanted tenth", "Share of slots that went to the tenth of items that had most acts when the day began: the feedback loop.",
			"% of slots", func(d Day) float64 { return 100 * d.TopDecile }),
		r.newItems(), r.byDecile(), r.table())
	return p
}

func (r *Result) overDays(title, text, unit string, value func(Day) float64) report.Section {
	c := &report.Chart{Label: title, X: report.Axis{Label: "day"}, Y: report.Axis{Label: unit, Zero: true}}
	for _, p := range r.Policies {
		s := report.Series{Name: p.Name, Marks: true}
		for _, d := range p.Days {
			s.Points = append(s.Points, report.Point{X: float64(d.Day), Y: value(d), Note: fmt.Sprintf("%s, day %d: %s", p.Name, d.Day, report.Number(value(d)))})
		}
		c.Series = append(c.Series, s)
	}
	return report.Section{Title: title, Text: text, Chart: c}
}

// conversion draws the interval of each policy as a line between its ends.
func (r *Result) conversion() report.Section {
	c := &report.Chart{Label: "Purchases by visit with intervals", X: report.Axis{Label: "policy"}, Y: report.Axis{Label: "purchases by visit", Zero: true}}
	for i, p := range r.Policies {
		e, at := p.Figures["purchases_per_visit"], float64(i+1)
		note := fmt.Sprintf("%s: %.4g", p.Name, e.Value)
		s := report.Series{Name: p.Name, Marks: true, Points: []report.Point{{X: at, Y: e.Value, Note: note}}}
		if e.Interval != nil {
			s.Points = []report.Point{{X: at, Y: e.Interval[0], Note: note}, {X: at, Y: e.Value, Note: note}, {X: at, Y: e.Interval[1], Note: note}}
		}
		c.Series = append(c.Series, s)
		c.X.Ticks = append(c.X.Ticks, report.Tick{At: at, Text: p.Name})
	}
	// Points that cannot be drawn make room beside the first and the last policy.
	nan := math.NaN()
	c.Series[0].Points = append(c.Series[0].Points, report.Point{X: 0.5, Y: nan}, report.Point{X: float64(len(r.Policies)) + 0.5, Y: nan})
	return report.Section{Title: "Conversion", Text: "Purchases from the list by visit, with 95% intervals.", Chart: c}
}

func (r *Result) newItems() report.Section {
	s := r.overDays("Exposure of new items", "Share of slots that went to items that came since day 0; dashed, their share of the shelves.", "% of slots",
		func(d Day) float64 { return 100 * d.NewShare })
	shelf := report.Series{Name: "shelf", Dashed: true}
	for _, d := range r.Policies[0].Days {
		shelf.Points = append(shelf.Points, report.Point{X: float64(d.Day), Y: 100 * d.NewOnShelf})
	}
	s.Chart.Series = append(s.Chart.Series, shelf)
	return s
}

func (r *Result) byDecile() report.Section {
	c := &report.Chart{Label: "Exposure by tenth of popularity", X: report.Axis{Label: "tenth of items, the most wanted first"},
		Y: report.Axis{Label: "% of slots", Zero: true}}
	for _, p := range r.Policies {
		s := report.Series{Name: p.Name, Marks: true}
		for i, x := range p.Deciles {
			s.Points = append(s.Points, report.Point{X: float64(i + 1), Y: 100 * x, Note: fmt.Sprintf("%s, tenth %d: %.1f%%", p.Name, i+1, 100*x)})
		}
		c.Series = append(c.Series, s)
	}
	return report.Section{Title: "Exposure by popularity", Text: "Over all days.", Chart: c}
}

func (r *Result) table() report.Section {
	t := &report.Table{Head: []string{"figure", "policy", "value (95%)", "difference to " + r.Against}}
	for _, f := range figures {
		for _, p := range r.Policies {
			t.Rows = append(t.Rows, []string{f.title, p.Name, f.text(p.Figures[f.name]), f.bracket(p, r.Against)})
		}
	}
	return report.Section{Title: "All figures", Wide: true, Table: t}
}
