package load

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/kindred-rec/kindred/loadtest/report"
)

// Page is the result as a report: latency by percentile and over time, and the steps of a search against the ceiling.
func (r *Result) Page() report.Page {
	p := report.Page{Title: "Load test of " + r.Addr, Lead: r.lead(), Facts: r.facts(),
		Foot: "Arrivals follow a schedule whatever the server does, and latency counts from when a call was due. " +
			"Empty calls are Health/Check through the same connections, by the same schedule, from the same process. " +
			"A rate is held if p99 keeps its bound, no call fails and none is left unsent."}
	if r.Step != nil || len(r.full) > 0 {
		p.Sections = append(p.Sections, r.percentiles())
	}
	if r.Step != nil {
		p.Sections = append(p.Sections, r.overTime(), r.callsOverTime())
		if s := r.Step.Spike; s != nil {
			p.Sections = append(p.Sections, spikeTable(s))
		}
	}
	if len(r.Steps) > 0 {
		p.Sections = append(p.Sections, r.throughput(), r.knee())
	}
	if r.Step != nil {
		p.Sections = append(p.Sections, r.callTable())
		if len(r.Step.Stages) > 0 {
			p.Sections = append(p.Sections, r.stageTable())
		}
	}
	if len(r.Steps) > 0 {
		p.Sections = append(p.Sections, r.stepTable())
	}
	if t := r.errorTable(); len(t.Table.Rows) > 0 {
		p.Sections = append(p.Sections, t)
	}
	return p
}

func (r *Result) lead() string {
	m := r.Machine
	text := fmt.Sprintf("%d cores, %s %s/%s, server %s, %d connections.", m.Cores, m.Go, m.OS, m.Arch,
		either(m.Shared, "on the same machine as the client", "on another machine"), r.Connections)
	if s := r.Sessions; s != nil {
		text = fmt.Sprintf("Sessions of %s, %g s between steps on average; ", s.Steps, s.ThinkS) + text
	}
	if r.Mix != "" {
		text = fmt.Sprintf("%s, %s arrivals, %s users; ", r.Mix, r.Arrivals, report.Number(float64(r.Users))) + text
	}
	return text
}

func (r *Result) facts() []report.Fact {
	var facts []report.Fact
	add := func(name, note, format string, args ...any) {
		facts = append(facts, report.Fact{Name: name, Value: fmt.Sprintf(format, args...), Note: note})
	}
	if r.SaturationRPS > 0 {
		add("Saturation", fmt.Sprintf("highest rate with p99 under %.0f ms", r.P99BoundMS), "%s/s", report.Number(r.SaturationRPS))
	}
	if r.Half != nil {
		add("p99 at half", fmt.Sprintf("p50 %s ms", report.Number(r.Half.P50)), "%s ms", report.Number(r.Half.P99))
	}
	if r.Step != nil && r.Half == nil {
		add("Achieved", fmt.Sprintf("%s/s offered", report.Number(r.OfferedRPS)), "%s/s", report.Number(r.AchievedRPS))
		add("p99", fmt.Sprintf("p50 %s ms", report.Number(r.P50)), "%s ms", report.Number(r.P99))
	}
	if r.Empty != nil {
		add("Empty calls", "held under the same bound", "%s/s", report.Number(r.Empty.RPS))
		add("Ratio", "achieved to empty calls", "%.3f", r.Ratio)
	}
	if r.Step != nil && r.Spike != nil {
		s := r.Spike
		add("p99 in the spike", fmt.Sprintf("%gx the rate for %g s; before it %s ms", s.Factor, s.ForS, report.Number(s.Before.P99)), "%s ms", report.Number(s.During.P99))
		add("Recovery", "after the end of the spike", "%s", either(s.Recovered, fmt.Sprintf("%.2f s", s.RecoveryS), "not seen"))
	}
	if r.Step != nil && r.ServerLostS != nil {
		add("Server lost", "when it was last heard", "%s s", report.Number(*r.ServerLostS))
	}
	if r.Step != nil {
		add("Failed", fmt.Sprintf("%d not sent", r.ClientLimited), "%d", r.failed())
	}
	if e := r.Events; e != nil {
		add("Durable events", fmt.Sprintf("%d writers, batches of %d", e.Writers, e.Batch), "%s/s", report.Number(e.PerSecond))
		add("Batch p99", fmt.Sprintf("p50 %s ms", report.Number(e.BatchP50)), "%s ms", report.Number(e.BatchP99))
		if e.SyncP50 > 0 {
			add("One sync", "median", "%s ms", report.Number(e.SyncP50))
		}
	}
	return facts
}

// runs are the runs that are drawn in full, by name.
func (r *Result) runs() []report.Series {
	if r.Step == nil {
		return r.stepRuns()
	}
	runs := []report.Series{{Name: fmt.Sprintf("%s/s", report.Number(r.Rate)), Points: percentileLine(r.Step.Histogram)}}
	if r.Half != nil {
		runs = append(runs, report.Series{Name: fmt.Sprintf("%s/s, half of saturation", report.Number(r.Half.Rate)),
			Points: percentileLine(r.Half.Histogram)})
	}
	return runs
}

// stepRuns are up to six of the steps, evenly, as more cannot be told apart.
func (r *Result) stepRuns() []report.Series {
	var runs []report.Series
	n := min(len(r.full), 6)
	for i := range n {
		s := r.full[i*(len(r.full)-1)/max(n-1, 1)]
		runs = append(runs, report.Series{Name: fmt.Sprintf("%s/s", report.Number(s.Rate)), Points: percentileLine(s.Histogram)})
	}
	return runs
}

// The horizontal axis of percentiles is calls per slower call: 100 stands for p99.
var percentileTicks = []report.Tick{{At: 1, Text: "p0"}, {At: 2, Text: "p50"}, {At: 10, Text: "p90"}, {At: 100, Text: "p99"},
	{At: 1000, Text: "p99.9"}, {At: 10000, Text: "p99.99"}, {At: 100000, Text: "p99.999"}}

func percentileLine(h *hdrhistogram.Histogram) []report.Point {
	var points []report.Point
	for _, b := range h.CumulativeDistributionWithTicks(5) {
		if b.Quantile < 100 {
			points = append(points, report.Point{X: 100 / (100 - b.Quantile), Y: float64(max(b.ValueAt, 1)) / 1000})
		}
	}
	return points
}

func (r *Result) percentiles() report.Section {
	return report.Section{Title: "Latency by percentile", Text: "From when a call was due to its answer.",
		Chart: &report.Chart{Label: "Latency in milliseconds by percentile", X: report.Axis{Label: "percentile", Log: true, Ticks: percentileTicks},
			Y: report.Axis{Label: "ms", Log: true}, Series: r.runs(), Levels: r.bound()}}
}

func (r *Result) bound() []report.Level {
	if r.P99BoundMS == 0 {
		return nil
	}
	return []report.Level{{Name: fmt.Sprintf("bound on p99, %.0f ms", r.P99BoundMS), Y: r.P99BoundMS}}
}

func (r *Result) overTime() report.Section {
	run, name := r.Step, "the run"
	if r.Half != nil {
		run, name = r.Half, "the run at half of saturation"
	}
	lines := []report.Series{{Name: "p50"}, {Name: "p99"}, {Name: "slowest", Dashed: true}}
	for _, p := range run.Points {
		if p.Count == 0 {
			continue
		}
		for i, d := range []float64{millis(p.P50), millis(p.P99), millis(p.Max)} {
			lines[i].Points = append(lines[i].Points, report.Point{X: p.At.Seconds(), Y: d})
		}
	}
	return report.Section{Title: "Latency over time", Text: fmt.Sprintf("Of %s, by when calls were answered; the first %.0f s warm up.", name, r.WarmUpS),
		Chart: &report.Chart{Label: "Latency in milliseconds by second", X: report.Axis{Label: "seconds", Zero: true},
			Y: report.Axis{Label: "ms", Log: true}, Series: lines}}
}

// callsOverTime draws what was answered and what failed, a second, in each interval.
func (r *Result) callsOverTime() report.Section {
	run := r.Step
	if r.Half != nil {
		run = r.Half
	}
	lines := []report.Series{{Name: "answered"}, {Name: "failed", Dashed: true}}
	var before time.Duration
	for _, p := range run.Points {
		if width := (p.At - before).Seconds(); width > 0 {
			lines[0].Points = append(lines[0].Points, report.Point{X: p.At.Seconds(), Y: float64(p.Count) / width})
			lines[1].Points = append(lines[1].Points, report.Point{X: p.At.Seconds(), Y: float64(p.Failed) / width})
		}
		before = p.At
	}
	return report.Section{Title: "Calls over time", Text: "By when they were answered or failed.",
		Chart: &report.Chart{Label: "Calls a second", X: report.Axis{Label: "seconds", Zero: true}, Y: report.Axis{Label: "calls a second", Zero: true}, Series: lines}}
}

func spikeTable(s *SpikeStats) report.Section {
	return report.Section{Title: "The spike", Text: "Parts by when calls were due; " + s.verdict() + ".",
		Table: &report.Table{Head: []string{"part", "calls", "failed", "p50 ms", "p99 ms", "max ms"}, Rows: s.rows()}}
}

func (r *Result) errorTable() report.Section {
	t := &report.Table{Head: []string{"code", "at, calls a second", "calls", "such as"}}
	steps := r.full
	if r.Step != nil {
		steps = []*Step{r.Step}
	}
	for _, s := range steps {
		for _, code := range slices.Sorted(maps.Keys(s.Errors)) {
			t.Rows = append(t.Rows, []string{code, report.Number(s.Rate), fmt.Sprint(s.Errors[code]), s.ErrorSamples[code]})
		}
	}
	return report.Section{Title: "Calls that failed", Table: t, Wide: true}
}

func (r *Result) throughput() report.Section {
	held, failed := report.Series{Name: "held", Dots: true}, report.Series{Name: "not held", Dots: true}
	even := report.Series{Name: "all that is offered", Dashed: true}
	for _, s := range r.Steps {
		p := report.Point{X: s.OfferedRPS, Y: s.AchievedRPS,
			Note: fmt.Sprintf("%.0f/s offered, %.0f/s achieved, p99 %.1f ms", s.OfferedRPS, s.AchievedRPS, s.P99)}
		if s.Held {
			held.Points = append(held.Points, p)
		} else {
			failed.Points = append(failed.Points, p)
		}
		even.Points = append(even.Points, report.Point{X: s.OfferedRPS, Y: s.OfferedRPS})
	}
	slices.SortFunc(even.Points, func(a, b report.Point) int { return cmp.Compare(a.X, b.X) })
	c := &report.Chart{Label: "Achieved by offered rate", X: report.Axis{Label: "offered, calls a second", Log: true},
		Y: report.Axis{Label: "achieved, calls a second", Log: true}, Series: []report.Series{held, failed, even}}
	if r.Empty != nil {
		c.Levels = []report.Level{{Name: "empty calls", Y: r.Empty.RPS}}
	}
	return report.Section{Title: "Throughput against the ceiling", Text: "Each dot is a step of the search.", Chart: c}
}

func (r *Result) knee() report.Section {
	lines := []report.Series{{Name: "p50", Dots: true}, {Name: "p99", Dots: true}}
	for _, s := range r.Steps {
		lines[0].Points = append(lines[0].Points, report.Point{X: s.OfferedRPS, Y: s.P50})
		lines[1].Points = append(lines[1].Points, report.Point{X: s.OfferedRPS, Y: s.P99})
	}
	return report.Section{Title: "Latency by offered rate", Text: "Where the server saturates, latency leaves the ground.",
		Chart: &report.Chart{Label: "Latency in milliseconds by offered rate", X: report.Axis{Label: "offered, calls a second", Log: true},
			Y: report.Axis{Label: "ms", Log: true}, Series: lines, Levels: r.bound()}}
}

func (r *Result) callTable() report.Section {
	t := &report.Table{Head: []string{"call", "a second", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms"}}
	row := func(name string, rps float64, l Latency) {
		t.Rows = append(t.Rows, []string{name, report.Number(rps), report.Number(l.P50), report.Number(l.P90), report.Number(l.P99), report.Number(l.P999)})
	}
	row("all", r.AchievedRPS, r.Latency)
	for _, name := range slices.Sorted(maps.Keys(r.Calls)) {
		row(name, r.Calls[name].RPS, r.Calls[name].Latency)
	}
	return report.Section{Title: fmt.Sprintf("Calls at %s/s", report.Number(r.Rate)), Table: t}
}

func (r *Result) stageTable() report.Section {
	t := &report.Table{Head: []string{"stage", "p50 µs", "p99 µs"}}
	for _, name := range stageNames {
		t.Rows = append(t.Rows, []string{name, report.Number(r.Stages[name].P50), report.Number(r.Stages[name].P99)})
	}
	return report.Section{Title: "Stages of Recommend", Text: "As the server says in its replies.", Table: t}
}

func (r *Result) stepTable() report.Section {
	t := &report.Table{Head: []string{"rate", "achieved", "p50 ms", "p99 ms", "failed", "not sent", "client cores", "held"}}
	for _, s := range r.Steps {
		t.Rows = append(t.Rows, []string{report.Number(s.Rate), report.Number(s.AchievedRPS), report.Number(s.P50), report.Number(s.P99),
			fmt.Sprint(s.Failed), fmt.Sprint(s.ClientLimited), fmt.Sprintf("%.2f", s.ClientCores), either(s.Held, "yes", "no")})
	}
	return report.Section{Title: "Steps of the search", Table: t, Wide: true}
}
