// Package report draws results as one HTML file that needs nothing else: charts are inline SVG, there is no script, no font
// and no style from elsewhere, so that the file can be mailed, kept for years, and read on a phone. Light and dark follow
// the reader's system.
//
// Describe what to show and write it:
//
//	page := report.Page{
//		Title: "Load test",
//		Facts: []report.Fact{{Name: "p99", Value: "4.1 ms"}},
//		Sections: []report.Section{{
//			Title: "Latency over time",
//			Chart: &report.Chart{
//				Label:  "Latency by second",
//				X:      report.Axis{Label: "seconds"},
//				Y:      report.Axis{Label: "ms", Log: true},
//				Series: []report.Series{{Name: "p99", Points: points}},
//			},
//		}},
//	}
//	err := page.WriteFile("report.html")
//
// A chart is small by design, 420 by 260 units: at that size its text is readable at the width of a phone, and on a wide
// screen two stand side by side. It draws lines and levels over linear or logarithmic axes, and no more; what a reader
// compares by number belongs in a Table below it.
//
// A name that ends in .md gives Markdown instead (WriteMarkdown): the same facts and tables, and charts as the numbers they
// are drawn from, for a commit message, an issue or a terminal.
//
// # Contract
//
// Points that are not finite, or not above 0 on a logarithmic axis, cannot be drawn: the line is broken there. A chart
// without a point that can be drawn says so in words. Text is escaped. Values are not synchronised; Write does not change
// the page.
package report
