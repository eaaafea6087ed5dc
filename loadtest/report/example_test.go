package report_test

import (
	"fmt"
	"strings"

	"github.com/kindred-rec/kindred/loadtest/report"
)

func ExamplePage_Write() {
	page := report.Page{
		Title: "Load test",
		Facts: []report.Fact{{Name: "p99", Value: report.Number(4.123) + " ms"}},
		Sections: []report.Section{{
			Title: "Latency over time",
			Chart: &report.Chart{
				Label:  "p99 by second",
				X:      report.Axis{Label: "seconds"},
				Y:      report.Axis{Label: "ms", Log: true},
				Series: []report.Series{{Name: "p99", Points: []report.Point{{X: 1, Y: 4}, {X: 2, Y: 5.5}, {X: 3, Y: 4.2}}}},
			},
		}},
	}
	var html strings.Builder
	err := page.Write(&html)
	fmt.Println(err, strings.Count(html.String(), "<polyline"), strings.Contains(html.String(), "4.12 ms"))
	// Output: <nil> 1 true
}
