package soak

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/kindred-rec/kindred/loadtest/load"
	"github.com/kindred-rec/kindred/loadtest/report"
)

// Check is one verdict.
type Check struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	Text   string `json:"text"`
}

// Result is what a soak gave.
type Result struct {
	Machine       load.Machine     `json:"machine"`
	DurationS     float64          `json:"duration_s"`
	SaturationRPS float64          `json:"saturation_rps,omitempty"` // 0: not looked for
	Rate          float64          `json:"rate"`
	AchievedRPS   float64          `json:"achieved_rps"`
	Client        load.Latency     `json:"client_latency"` // of all calls, from when they were due
	Items         int              `json:"items"`
	Users         int              `json:"users"`
	Seed          uint64           `json:"seed"`
	Churn         Churn            `json:"churn"`
	TrainEveryS   float64          `json:"train_every_s"`
	Errors        map[string]int64 `json:"errors"`
	Ended         string           `json:"process_ended,omitempty"` // its last words

	Memory      Trend    `json:"memory"`     // resident
	Own         Trend    `json:"own_memory"` // without mapped files; 0 where the system does not tell
	Mapped      Trend    `json:"mapped_files"`
	Store       Trend    `json:"store"`     // files in the server's folder
	Heap        Trend    `json:"heap_goal"` // of the collector, the lowest in each part of the time
	Goroutines  Trend    `json:"goroutines"`
	Descriptors Trend    `json:"descriptors"` // without files of the store
	P99Drift    float64  `json:"p99_drift"`   // share, last third over the middle one
	Checks      []Check  `json:"checks"`
	Passed      bool     `json:"passed"`
	Samples     []Sample `json:"samples"`
	Windows     []Window `json:"windows"`
}

func (r *Result) take(step *load.Step) {
	r.AchievedRPS, r.Client = step.AchievedRPS, step.Latency
	for code, n := range step.Errors {
		r.Errors[code+": "+step.ErrorSamples[code]] += n
	}
	for name, n := range map[string]int64{"not sent by the client": step.ClientLimited, "rows refused": step.RowErrors, "empty lists": step.EmptyLists} {
		if n > 0 {
			r.Errors[name] = n
		}
	}
}

// warmUp is the part of the time that is not judged.
const warmUp = 1.0 / 3

// mostDrift of p99, as a share.
const mostDrift = 0.2

// leastAmount is a rise that counts: 10 MB, goroutines or descriptors. Two more tables of the store are no leak.
const leastAmount = 10

// conclude makes the checks; an error names those that failed.
func (r *Result) conclude() error {
	judged := r.Samples[int(float64(len(r.Samples))*warmUp):]
	values := func(of func(Sample) float64) []float64 {
		v := make([]float64, len(judged))
		for i, s := range judged {
			v[i] = of(s)
		}
		return v
	}
	column := func(of func(Sample) float64) Trend { return judge(values(of), leastAmount) }
	r.Memory = column(func(s Sample) float64 { return s.RSSMB })
	r.Own = column(func(s Sample) float64 { return s.OwnMB })
	r.Mapped = column(func(s Sample) float64 { return s.MappedMB })
	r.Store = column(func(s Sample) float64 { return s.StoreMB })
	r.Heap = judgeLows(values(func(s Sample) float64 { return s.HeapGoalMB }), leastAmount)
	r.Goroutines = column(func(s Sample) float64 { return s.Goroutines })
	r.Descriptors = column(func(s Sample) float64 { return s.Descriptors })
	r.Checks = []Check{
		r.memory(len(judged)), r.mapped(), flat("heap", r.Heap, "MB", len(judged)),
		flat("goroutines", r.Goroutines, "", len(judged)), flat("descriptors", r.Descriptors, "", len(judged)),
		r.drift(), r.faultless(), r.changed(), r.trained(), r.promoted(), {"process", r.Ended == "", orElse(r.Ended, "ran to the end")},
	}
	var bad []string
	for _, c := range r.Checks {
		if !c.Passed {
			bad = append(bad, c.Name+": "+c.Text)
		}
	}
	if r.Passed = len(bad) == 0; r.Passed {
		return nil
	}
	return fmt.Errorf("soak: %s", strings.Join(bad, "; "))
}

// Err makes the verdict, and is not nil if a check fails.
func (r *Result) Err() error { return r.conclude() }

func flat(name string, t Trend, unit string, samples int) Check {
	if samples < fewestMeans {
		return Check{name, false, fmt.Sprintf("%d samples are too few to judge", samples)}
	}
	return Check{name, !t.Rising, strings.TrimSpace(fmt.Sprintf("%.0f to %.0f %s", t.First, t.Last, unit)) +
		fmt.Sprintf(", rises by %+.1f%% over the time judged (p = %.3f)", 100*t.Rise, t.P)}
}

// memory judges what is the process's own, where the system tells it apart.
func (r *Result) memory(samples int) Check {
	if r.Own.Median == 0 {
		return flat("memory", r.Memory, "MB", samples)
	}
	c := flat("memory", r.Own, "MB", samples)
	c.Text += fmt.Sprintf("; with mapped files %.0f to %.0f MB", r.Memory.First, r.Memory.Last)
	return c
}

// mapped judges the pages of mapped files: there may be more when the store has grown, and not otherwise, for then files that
// are gone are held.
func (r *Result) mapped() Check {
	m, files := r.Mapped, r.Store
	held := m.Rising && m.Rise*m.Median > max(0, files.Rise*files.Median)+leastAmount
	return Check{"mapped files", !held, fmt.Sprintf("%.0f to %.0f MB resident, the kernel's to take back; the store's files went from %.0f to %.0f MB",
		m.First, m.Last, files.First, files.Last)}
}

func (r *Result) drift() Check {
	n := len(r.Windows)
	if n < 3 {
		return Check{"p99", false, fmt.Sprintf("%d windows are too few to judge", n)}
	}
	tail := func(w []Window) float64 {
		v := make([]float64, len(w))
		for i := range w {
			v[i] = w[i].P99MS
		}
		return median(v)
	}
	middle, last := tail(r.Windows[n/3:n-n/3]), tail(r.Windows[n-n/3:])
	if middle > 0 {
		r.P99Drift = last/middle - 1
	}
	return Check{"p99", r.P99Drift < mostDrift, fmt.Sprintf("%.1f ms in the middle third, %.1f ms in the last: %+.0f%%", middle, last, 100*r.P99Drift)}
}

func (r *Result) faultless() Check {
	if len(r.Errors) == 0 {
		return Check{"errors", true, "none"}
	}
	var text []string
	for _, name := range slices.Sorted(maps.Keys(r.Errors)) {
		text = append(text, fmt.Sprintf("%d %s", r.Errors[name], name))
	}
	return Check{"errors", false, strings.Join(text, ", ")}
}

// changed, trained and promoted see to it that what is meant to happen beside the load did: else nothing is shown by a
// service that stayed as it was.
func (r *Result) changed() Check {
	c := r.Churn
	return Check{"churn", c.Imports > 0 && c.ChangedItems > 0 && c.NewItems > 0 && c.DeletedItems > 0 && c.NewUsers > 0 && c.ErasedUsers > 0,
		fmt.Sprintf("%d imports of the catalog: %d rows changed, %d new, %d deleted; %d users came, %d were erased",
			c.Imports, c.ChangedItems, c.NewItems, c.DeletedItems, c.NewUsers, c.ErasedUsers)}
}

func (r *Result) trained() Check {
	c := r.Churn
	text := fmt.Sprintf("%d, one every %.0f s where it fits; the last: %s", c.Trainings, r.TrainEveryS, orElse(c.LastTraining, "none ended"))
	if c.TrainingS > 0 {
		text += fmt.Sprintf(" after %.0f s", c.TrainingS)
	}
	return Check{"training", c.Trainings > 0, text}
}

func (r *Result) promoted() Check {
	c := r.Churn
	return Check{"promotion", c.Promotions > 0, fmt.Sprintf("%d models came to serve, %d promoted by hand", c.Promotions, c.ByHand)}
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func word(passed bool) string {
	if passed {
		return "pass"
	}
	return "FAIL"
}

func (r *Result) about() string {
	m := r.Machine
	text := fmt.Sprintf("%.0f calls a second for %.0f s (%.0f achieved, p99 %.1f ms at the client)", r.Rate, r.DurationS, r.AchievedRPS, r.Client.P99)
	if r.SaturationRPS > 0 {
		text += fmt.Sprintf(", of a saturation of %.0f", r.SaturationRPS)
	}
	return text + fmt.Sprintf("; %d items, %d users. %d cores (%s), shared with the client, load average %.1f before.",
		r.Items, r.Users, m.Cores, m.Go, m.Load)
}

// WriteTable writes the checks for people.
func (r *Result) WriteTable(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintln(&text, r.about())
	t := tabwriter.NewWriter(&text, 2, 0, 2, ' ', 0)
	for _, c := range r.Checks {
		fmt.Fprintf(t, "%s\t%s\t%s\n", c.Name, word(c.Passed), c.Text)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// Page is the result as a report.
func (r *Result) Page() report.Page {
	checks := &report.Table{Head: []string{"check", "verdict", "seen"}}
	for _, c := range r.Checks {
		checks.Rows = append(checks.Rows, []string{c.Name, word(c.Passed), c.Text})
	}
	line := func(title, unit string, of func(Sample) float64) report.Section {
		points := make([]report.Point, len(r.Samples))
		for i, s := range r.Samples {
			points[i] = report.Point{X: s.AtS, Y: of(s)}
		}
		return chart(title, unit, points)
	}
	tail := make([]report.Point, len(r.Windows))
	for i, w := range r.Windows {
		tail[i] = report.Point{X: w.AtS, Y: w.P99MS}
	}
	return report.Page{
		Title: "Soak", Lead: r.about(),
		Facts: []report.Fact{
			{Name: "verdict", Value: word(r.Passed)}, {Name: "memory", Value: report.Number(r.Own.Last) + " MB", Note: fmt.Sprintf("%+.1f%%; with mapped files %s MB", 100*r.Own.Rise, report.Number(r.Memory.Last))},
			{Name: "models trained", Value: fmt.Sprint(r.Churn.Trainings), Note: fmt.Sprintf("%d promoted", r.Churn.Promotions)},
			{Name: "p99 drift", Value: fmt.Sprintf("%+.0f%%", 100*r.P99Drift)},
		},
		Sections: []report.Section{
			{Title: "Checks", Table: checks, Wide: true},
			line("Resident memory", "MB", func(s Sample) float64 { return s.RSSMB }),
			line("Own memory, without mapped files", "MB", func(s Sample) float64 { return s.OwnMB }),
			line("Files of the store", "MB", func(s Sample) float64 { return s.StoreMB }),
			line("Heap at the next collection", "MB", func(s Sample) float64 { return s.HeapGoalMB }),
			line("Goroutines", "goroutines", func(s Sample) float64 { return s.Goroutines }),
			line("Descriptors, without the store's files", "descriptors", func(s Sample) float64 { return s.Descriptors }),
			line("Files of the store that are open", "files", func(s Sample) float64 { return s.Tables }),
			chart("p99 of Recommend, from the service's histogram", "ms", tail),
			{Title: "What else was done meanwhile", Table: windowTable(r.Windows), Wide: true},
		},
		Foot: "The first third is warm-up. A series rises if the Mann-Kendall test finds a trend at 1% and the Theil-Sen slope comes to more than 5% of the median, and 10, over the time judged. Mapped files may rise with the store's.",
	}
}

// windowTable sets the tail beside what else the service did.
func windowTable(windows []Window) *report.Table {
	t := &report.Table{Head: []string{"until, s", "p99, ms", "mean, ms", "calls", "processors", "written, MB", "training"}}
	for _, w := range windows {
		t.Rows = append(t.Rows, []string{fmt.Sprintf("%.0f", w.AtS), fmt.Sprintf("%.2f", w.P99MS), fmt.Sprintf("%.3f", w.MeanMS),
			fmt.Sprintf("%.0f", w.Calls), fmt.Sprintf("%.2f", w.Processors), fmt.Sprintf("%.0f", w.WrittenMB), fmt.Sprintf("%.0f%%", 100*w.Training)})
	}
	return t
}

func chart(title, unit string, points []report.Point) report.Section {
	return report.Section{Title: title, Chart: &report.Chart{Label: title, X: report.Axis{Label: "seconds"}, Y: report.Axis{Label: unit, Zero: true},
		Series: []report.Series{{Name: unit, Points: points}}}}
}
