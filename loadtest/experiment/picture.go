package experiment

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kindred-rec/kindred/loadtest/report"
)

// WriteTable writes the result for people.
func (r *Result) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	var err error
	line := func(cells ...string) {
		_, more := fmt.Fprintln(t, strings.Join(cells, "\t"))
		err = cmp.Or(err, more)
	}
	line(r.lead())
	line(r.sharesText())
	if r.Warning != "" {
		line(r.Warning)
	}
	line("")
	tables := []report.Table{r.variantTable(), r.comparisonTable()}
	for _, table := range tables {
		line(table.Head...)
		for _, row := range table.Rows {
			line(row...)
		}
		line("")
	}
	line(r.leftText())
	return cmp.Or(err, t.Flush())
}

// Page is the result as a report.
func (r *Result) Page() report.Page {
	p := report.Page{Title: "Experiment " + r.Experiment, Lead: r.lead(),
		Foot: fmt.Sprintf("Intervals and p values hold at all looks and for all figures at once, with an error probability of %g; the unit is the user. %s", r.Alpha, r.leftText())}
	for _, c := range r.Comparisons {
		if c.Figure == "click_rate" {
			p.Facts = append(p.Facts, report.Fact{Name: "Click rate of " + c.Variant, Value: fmt.Sprintf("%.3g%%", 100*c.Value), Note: c.Text})
		}
	}
	variants, comparisons := r.variantTable(), r.comparisonTable()
	p.Sections = []report.Section{{Title: "Shares", Text: strings.TrimSuffix(r.sharesText()+". "+r.Warning, ". "), Wide: true},
		{Title: "Variants", Table: &variants, Wide: true}, {Title: "Against the control", Table: &comparisons, Wide: true}}
	return p
}

func (r *Result) lead() string {
	return fmt.Sprintf("%s until %s, acts of each user within %v of their first list", r.Experiment, r.Until.Format(time.RFC3339), time.Duration(r.WindowS*float64(time.Second)))
}

func (r *Result) sharesText() string {
	if r.Mismatch {
		return fmt.Sprintf("SAMPLE-RATIO MISMATCH (always-valid p %.2g): users did not fall to the variants in the shares meant; find out where they are lost before trusting any figure below", r.Shares.P)
	}
	return fmt.Sprintf("shares of users are as meant (always-valid p %.2g, chi-square p %.2g)", r.Shares.P, r.Shares.ChiSquareP)
}

func (r *Result) leftText() string {
	l := r.Left
	return fmt.Sprintf("Left out: lists of %d listed testers' requests, %d that named a variant, %d anonymous, %d of newcomers, %d in bulk, %d of unknown variants; %d users who changed variant count for their first.",
		l.Listed, l.Requested, l.Anonymous, l.Newcomers, l.Bulk, l.Unknown, l.Switched)
}

func (r *Result) variantTable() report.Table {
	t := report.Table{Head: []string{"variant", "share", "assigned", "open", "users", "lists", "items shown", "clicks", "click rate", "users who clicked", "purchases"}}
	for _, v := range r.Variants {
		t.Rows = append(t.Rows, []string{v.Variant, fmt.Sprintf("%.3g", v.Share), fmt.Sprint(v.Assigned), fmt.Sprint(v.Open), fmt.Sprint(v.Users), fmt.Sprint(v.Lists),
			fmt.Sprint(v.Shown), fmt.Sprint(v.Clicks), fmt.Sprintf("%.4f", v.ClickRate), fmt.Sprint(v.Clickers), fmt.Sprint(v.Purchases)})
	}
	return t
}

func (r *Result) comparisonTable() report.Table {
	t := report.Table{Head: []string{"variant", "figure", "control", "value", "p", "since", "verdict"}}
	for _, c := range r.Comparisons {
		since := ""
		if c.CrossedAt != nil {
			since = c.CrossedAt.UTC().Format(time.RFC3339)
		}
		t.Rows = append(t.Rows, []string{c.Variant, c.Figure, fmt.Sprintf("%.4f", c.Before), fmt.Sprintf("%.4f", c.Value), fmt.Sprintf("%.2g", c.P), since, c.Text})
	}
	return t
}
