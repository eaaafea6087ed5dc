package plan

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kindred-rec/kindred/loadtest/report"
)

// WriteTable writes the plan for people.
func (r *Result) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	_, err := fmt.Fprintf(t, "%s\n%s\n", r.lead(), r.verdict())
	for _, s := range r.sections() {
		_, more := fmt.Fprintf(t, "\n%s\n%s\n", s.Title, strings.Join(s.Table.Head, "\t"))
		err = cmp.Or(err, more)
		for _, row := range s.Table.Rows {
			_, more := fmt.Fprintln(t, strings.Join(row, "\t"))
			err = cmp.Or(err, more)
		}
	}
	return cmp.Or(err, t.Flush())
}

// Page is the plan as a report.
func (r *Result) Page() report.Page {
	return report.Page{Title: "Capacity plan", Lead: r.lead() + ". " + r.verdict() + ".", Sections: r.sections(),
		Facts: []report.Fact{{Name: "Replicas", Value: fmt.Sprint(r.Replicas), Note: "each holds all items and the whole log"},
			{Name: "Memory a replica", Value: bytesText(r.Memory)}, {Name: "Disk a replica", Value: bytesText(r.Disk)},
			{Name: "Cores busy", Value: report.Number(r.RecommendCores + r.EventCores*float64(r.Replicas)), Note: "in all, at the peak"}}}
}

func (r *Result) lead() string {
	return fmt.Sprintf("%s items, %s users, %s Recommend a second at the peak", report.Number(r.Need.Items), report.Number(r.Need.Users), report.Number(r.Need.RPS))
}

func (r *Result) verdict() string {
	if r.Fits {
		return fmt.Sprintf("%d replicas do it", r.Replicas)
	}
	return "it does not fit: " + strings.Join(r.Obstacles, "; and ")
}

func (r *Result) sections() []report.Section {
	table := func(title, text string, head []string, rows [][]string) report.Section {
		return report.Section{Title: title, Text: text, Wide: true, Table: &report.Table{Head: head, Rows: rows}}
	}
	c := r.Costs
	us := func(v float64) string { return fmt.Sprintf("%.3g µs", v) }
	need := [][]string{
		{"memory a replica", bytesText(r.Memory)}, {"  items", bytesText(r.ItemMemory)}, {"  profiles", bytesText(r.ProfileMemory)},
		{"  the service itself", bytesText(r.FixedMemory)},
		{"disk a replica", bytesText(r.Disk)}, {"  items", bytesText(r.ItemDisk)}, {"  events", bytesText(r.EventDisk)}, {"  decisions", bytesText(r.DecisionDisk)},
		{"cores busy for Recommend, in all", report.Number(r.RecommendCores)}, {"cores busy for events, each replica", report.Number(r.EventCores)},
		{either(r.Fits, "replicas", "replicas, at least, if it did fit"), fmt.Sprint(r.Replicas)},
	}
	costs := [][]string{
		{"item in memory, all", bytesText(c.ItemMemory)}, {"  of it the catalog's row", bytesText(c.CatalogRow)},
		{"  of it vector and links, float32", bytesText(c.IndexFloat32)}, {"  or as int8", bytesText(c.IndexInt8) + " and " + bytesText(c.IndexInt8Mapped) + " mapped"},
		{"item on disk", bytesText(c.ItemDisk)}, {"profile in memory", bytesText(c.ProfileMemory)}, {"event on disk", bytesText(c.EventDisk)},
		{"decision on disk", bytesText(c.DecisionDisk)}, {"Recommend, time of a core", us(c.RecommendCPU)}, {"event, time of a core", us(c.EventCPU)},
		{"empty call, time of a core", us(c.EmptyCPU)}, {"the service itself in memory", bytesText(c.FixedMemory)},
	}
	var assumed [][]string
	for _, a := range r.Assumptions {
		assumed = append(assumed, []string{a.Flag, fmt.Sprintf("%g", a.Value), a.Why})
	}
	measured := fmt.Sprintf("Measured %s between %d and %d items and users with %d events each, vectors of %d; %d cores, %s, load average %.1f.",
		c.MeasuredAt.Format(time.RFC3339), c.Items, 2*c.Items, c.EventsPerUser, c.Dim, c.Machine.Cores, cmp.Or(c.Machine.CPU, c.Machine.Arch), c.Machine.Load)
	return []report.Section{table("Needs", "", []string{"what", "how much"}, need),
		table("Costs, measured "+c.MeasuredAt.Format(time.DateOnly), measured, []string{"what", "one costs"}, costs),
		table("Assumptions", "Each can be changed by its flag.", []string{"flag", "value", "why"}, assumed)}
}

func either(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}
