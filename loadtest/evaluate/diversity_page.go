package evaluate

import (
	"fmt"

	"github.com/kindred-rec/kindred/loadtest/report"
)

// VarietyPage draws what variety costs.
func (r Result) VarietyPage() report.Page {
	p := report.Page{Title: "Variety against relevance",
		Lead: fmt.Sprintf("%s, %s, split %s, %d items, %d questions, encoder %s, weights %s.", r.Format, r.Protocol, r.Split, r.Items, r.Cases, r.Encoder, r.Weights),
		Foot: "Lists of ten. Distances are means over pairs of a list. NDCG counts the item that came next, wherever a setting puts it; its change is against the first setting, ± one standard error. " +
			fmt.Sprintf("New items are those with fewer than %d acts in training.", NewBelow)}
	base, found := r.plain()
	if found {
		if best := r.cheapest(base); best != nil {
			p.Facts = append(p.Facts,
				report.Fact{Name: "Diversity", Value: report.Number(best.Diversity), Note: "the most variety for at most 2% of NDCG@10"},
				report.Fact{Name: "Categories in ten", Value: fmt.Sprintf("%+.0f%%", 100*(best.Categories/base.Categories-1)), Note: fmt.Sprintf("%.2f, without %.2f", best.Categories, base.Categories)},
				report.Fact{Name: "NDCG@10", Value: fmt.Sprintf("%+.1f%%", 100*(best.NDCG10/base.NDCG10-1)), Note: fmt.Sprintf("%.4f, without %.4f", best.NDCG10, base.NDCG10)})
		}
		p.Sections = append(p.Sections, r.tradeChart(base))
	}
	p.Sections = append(p.Sections, r.exposureChart(), r.varietyTable())
	return p
}

// plain is the setting that changes nothing.
func (r Result) plain() (Variety, bool) {
	for _, v := range r.Variety {
		if v.Diversity == 0 && v.NewItems == 0 {
			return v, v.Categories > 0 && v.NDCG10 > 0
		}
	}
	return Variety{}, false
}

// cheapest is the setting with the most categories that costs at most 2% of NDCG, nil for
// none.
func (r Result) cheapest(base Variety) *Variety {
	var best *Variety
	for i := range r.Variety {
		v := &r.Variety[i]
		if v.NewItems == 0 && v.Diversity > 0 && v.NDCG10 >= 0.98*base.NDCG10 && (best == nil || v.Categories > best.Categories) {
			best = v
		}
	}
	return best
}

func (r Result) tradeChart(base Variety) report.Section {
	lines := []report.Series{{Name: "categories in ten", Marks: true}, {Name: "category distance", Marks: true}, {Name: "vector distance", Marks: true},
		{Name: "coverage", Marks: true}, {Name: "NDCG@10", Marks: true, Dashed: true}}
	for _, v := range r.Variety {
		if v.NewItems != 0 {
			continue
		}
		for i, x := range [][2]float64{{v.Categories, base.Categories}, {v.CategoryDistance, base.CategoryDistance}, {v.VectorDistance, base.VectorDistance},
			{v.Coverage, base.Coverage}, {v.NDCG10, base.NDCG10}} {
			lines[i].Points = append(lines[i].Points, report.Point{X: v.Diversity, Y: 100 * x[0] / x[1], Note: fmt.Sprintf("diversity %v: %.4f", v.Diversity, x[0])})
		}
	}
	return report.Section{Title: "What variety costs", Text: "In percent of what is without it.",
		Chart: &report.Chart{Label: "Variety and NDCG by weight of diversity, in percent", X: report.Axis{Label: "diversity", Zero: true},
			Y: report.Axis{Label: "%"}, Series: lines, Levels: []report.Level{{Name: "98% of NDCG", Y: 98}}}}
}

func (r Result) exposureChart() report.Section {
	c := &report.Chart{Label: "Share of places by tenth of the items", X: report.Axis{Label: "tenth of the items, the most popular first"},
		Y: report.Axis{Label: "% of places", Zero: true}}
	for _, v := range r.Variety {
		line := report.Series{Name: v.name(), Marks: true}
		for i, share := range v.Exposure {
			line.Points = append(line.Points, report.Point{X: float64(i + 1), Y: 100 * share, Note: fmt.Sprintf("%s: %.1f%%", v.name(), 100*share)})
		}
		c.Series = append(c.Series, line)
	}
	c.Series = c.Series[:min(len(c.Series), 6)]
	return report.Section{Title: "Who is shown", Text: "The first six settings; all are in the table.", Chart: c}
}

func (v Variety) name() string {
	if v.NewItems > 0 {
		return fmt.Sprintf("new items %v", v.NewItems)
	}
	return fmt.Sprintf("diversity %v", v.Diversity)
}

func (r Result) varietyTable() report.Section {
	t := &report.Table{Head: []string{"setting", "NDCG@10", "change", "HR@10", "categories", "category distance", "vector distance", "coverage", "first tenth", "last five tenths", "µs"}}
	for _, v := range r.Variety {
		tail := 0.0
		for _, share := range v.Exposure[deciles/2:] {
			tail += share
		}
		t.Rows = append(t.Rows, []string{v.name(), fmt.Sprintf("%.4f", v.NDCG10), fmt.Sprintf("%+.4f ± %.4f", v.NDCGChange, v.NDCGError), fmt.Sprintf("%.4f", v.HR10), fmt.Sprintf("%.2f", v.Categories),
			fmt.Sprintf("%.3f", v.CategoryDistance), fmt.Sprintf("%.3f", v.VectorDistance), fmt.Sprintf("%.1f%%", 100*v.Coverage),
			fmt.Sprintf("%.1f%%", 100*v.Exposure[0]), fmt.Sprintf("%.1f%%", 100*tail), fmt.Sprintf("%.0f", v.Micros)})
	}
	return report.Section{Title: "All settings", Table: t, Wide: true}
}
