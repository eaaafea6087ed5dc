package ope

import (
	"fmt"

	"github.com/kindred-rec/kindred/loadtest/report"
)

// Page draws results: a section each, with the intervals and the table.
func Page(title string, results []*Result) report.Page {
	p := report.Page{Title: title, Lead: "What policies would have earned, judged by logs of other policies. A dot is an estimate, the line its interval.",
		Foot: "A value is the mean over decisions of the rewards in all slots. ips weighs rewards by target probability over logged propensity, snips divides by the weights, " +
			"dr corrects a reward model by weighted errors, dm believes the model and has no interval. Effective decisions are (Σw)²/Σw²."}
	for _, r := range results {
		p.Sections = append(p.Sections, r.section())
	}
	return p
}

func (r *Result) section() report.Section {
	s := report.Section{Title: fmt.Sprintf("%s, judged by %s", r.Target, r.Log), Text: r.size() + "; " + r.Support.String() + ".", Chart: r.chart(), Table: r.table()}
	for _, note := range r.Notes {
		s.Text += " " + note + "."
	}
	if r.Refused != "" {
		s.Text += " Refused: " + r.Refused + "."
	}
	return s
}

// chart draws each estimate as a line from the low to the high end of its interval.
func (r *Result) chart() *report.Chart {
	c := &report.Chart{Label: "Estimates with their intervals", Y: report.Axis{Label: "reward a decision"}, X: report.Axis{Label: "estimator"}}
	draw := func(name string, e Estimate) {
		x := float64(len(c.Series) + 1)
		s := report.Series{Name: name, Marks: true}
		point := func(what string, y float64) {
			s.Points = append(s.Points, report.Point{X: x, Y: y, Note: fmt.Sprintf("%s, %s: %s", name, what, figure(y))})
		}
		if e.Interval != nil {
			point("low", e.Interval.Low)
		}
		point("estimate", e.Value)
		if e.Interval != nil {
			point("high", e.Interval.High)
		}
		c.Series = append(c.Series, s)
		c.X.Ticks = append(c.X.Ticks, report.Tick{At: x, Text: name})
	}
	for _, e := range r.Estimates {
		draw(string(e.Estimator), e)
	}
	if r.Truth != nil {
		draw("truth", *r.Truth)
		c.Levels = []report.Level{{Name: "truth", Y: r.Truth.Value}}
	}
	return c
}

func (r *Result) table() *report.Table {
	t := &report.Table{Head: []string{"", "estimate", "low", "high", "interval"}}
	for _, e := range r.Estimates {
		t.Rows = append(t.Rows, append([]string{string(e.Estimator)}, e.cells()...))
	}
	if r.Truth != nil {
		t.Rows = append(t.Rows, append([]string{"truth"}, r.Truth.cells()...))
	}
	return t
}
