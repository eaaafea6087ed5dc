package faults

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kindred-rec/kindred/loadtest/load"
	"github.com/kindred-rec/kindred/loadtest/report"
)

// Verdict is what a cell says.
type Verdict string

// The verdicts.
const (
	Pass    Verdict = "pass"
	Fail    Verdict = "FAIL"
	Skipped Verdict = "skipped"
)

// Cell is one verdict and why.
type Cell struct {
	Verdict Verdict `json:"verdict"`
	Text    string  `json:"text"`
}

func passed(text string) Cell { return Cell{Pass, text} }
func failed(text string) Cell { return Cell{Fail, text} }

func judged(ok bool, text string) Cell {
	if ok {
		return passed(text)
	}
	return failed(text)
}

// Row is one fault.
type Row struct {
	Name  string   `json:"name"`
	Fault string   `json:"fault"`
	Way   string   `json:"way"` // how it was done here
	Notes []string `json:"notes,omitempty"`

	Recommend Cell `json:"recommend"`
	Write     Cell `json:"write_events"`
	Data      Cell `json:"data"`
	Process   Cell `json:"process"`
	Recovery  Cell `json:"recovery"`
	// Verdict fails if any cell does.
	Verdict Verdict `json:"verdict"`

	RecommendCalls Calls   `json:"recommend_calls"`
	WriteCalls     Calls   `json:"write_calls"`
	Events         Data    `json:"events"`
	HeldS          float64 `json:"held_s"`     // how long the fault lasted
	RecoveryS      float64 `json:"recovery_s"` // from its end

	over time.Time // when the fault ended
}

func (r *Row) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r Row) skipped(why string) Row {
	c := Cell{Skipped, "skipped"}
	r.Recommend, r.Write, r.Data, r.Process, r.Recovery, r.Verdict = c, c, c, c, c, Skipped
	r.Way = why
	return r
}

// unless makes an error of the attempt a row: skipped where the machine does not allow it, failed where the server is at fault.
func (r Row) unless(err error) (Row, error) {
	var refused refusedStart
	switch {
	case errors.Is(err, errUnsupported):
		return r.skipped(err.Error()), nil
	case errors.As(err, &refused):
		r = r.skipped(r.Way)
		r.Process, r.Verdict = failed(err.Error()), Fail
		return r, nil
	}
	return r, fmt.Errorf("%s: %w", r.Name, err)
}

func (r *Row) judgeProcess(w *world, f fault) {
	if r.Process.Verdict != "" {
		return // the fault judged it
	}
	p := w.server
	switch line := p.log.panicked(); {
	case line != "" && !f.mayEnd:
		r.Process = failed(line)
	case p.isUp():
		r.Process = passed("runs")
	case p.asked:
		r.Process = passed("killed on purpose")
	case f.mayEnd:
		r.Process = passed("ended, as documented: " + orLast(line, p.log.last()))
	default:
		r.Process = failed(fmt.Sprintf("ended (%v): %s", p.err, p.log.last()))
	}
}

func orLast(line, last string) string {
	if line != "" {
		return line
	}
	return last
}

func (r *Row) judgeRecovery(seconds float64, ok bool) {
	r.RecoveryS = seconds
	r.Recovery = judged(ok, fmt.Sprintf("%.2f s", seconds))
	if !ok {
		r.Recovery.Text = fmt.Sprintf("not within %.0f s", seconds)
	}
}

func (r *Row) judgeCalls(f fault) {
	judge := func(c Calls, bad []string) Cell {
		cell := judged(len(bad) == 0 && c.Count > 0, c.String())
		if len(bad) > 0 {
			cell.Text += "; not excused: " + strings.Join(bad, ", ") + " as " + c.Example
		}
		return cell
	}
	r.Recommend = judge(r.RecommendCalls, r.RecommendCalls.unexcused(f.recommend...))
	r.Write = judge(r.WriteCalls, r.WriteCalls.unexcused(f.write...))
}

func (r *Row) judgeData(err error) {
	if err != nil {
		r.Data = failed("could not be read back: " + err.Error())
		return
	}
	if r.Data.Verdict != Fail { // the fault may have seen worse
		r.Data = judged(r.Events.intact(), r.Events.String())
	}
}

func (r Row) sum() Row {
	r.Verdict = Pass
	for _, c := range r.cells() {
		if c.Verdict == Fail {
			r.Verdict = Fail
		}
	}
	return r
}

func (r Row) cells() []Cell { return []Cell{r.Recommend, r.Write, r.Data, r.Process, r.Recovery} }

// Result is all rows.
type Result struct {
	Machine load.Machine `json:"machine"`
	Started time.Time    `json:"started"`
	Rows    []Row        `json:"rows"`
	Passed  int          `json:"passed"`
	Failed  int          `json:"failed"`
	Skipped int          `json:"skipped"`
}

func (r *Result) add(row Row) {
	r.Rows = append(r.Rows, row)
	switch row.Verdict {
	case Fail:
		r.Failed++
	case Skipped:
		r.Skipped++
	default:
		r.Passed++
	}
}

// Err is not nil if a fault broke a promise.
func (r *Result) Err() error {
	if r.Failed == 0 {
		return nil
	}
	var names []string
	for _, row := range r.Rows {
		if row.Verdict == Fail {
			names = append(names, row.Name)
		}
	}
	return fmt.Errorf("%d of %d faults broke a promise: %s", r.Failed, len(r.Rows), strings.Join(names, ", "))
}

// WriteTable writes the rows for people: verdicts first, then what was seen.
func (r *Result) WriteTable(out io.Writer) error {
	var text strings.Builder
	t := tabwriter.NewWriter(&text, 2, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(append([]string{"fault"}, columns...), "\t"))
	for _, row := range r.Rows {
		fmt.Fprint(t, row.Name)
		for _, c := range row.cells() {
			fmt.Fprint(t, "\t", c.Verdict)
		}
		fmt.Fprintf(t, "\t%.2f\n", row.RecoveryS)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, row := range r.Rows {
		fmt.Fprintf(&text, "\n%s: %s\n  %s\n", row.Name, row.Fault, row.Way)
		if row.Verdict == Skipped {
			continue
		}
		for i, c := range row.cells() {
			fmt.Fprintf(&text, "  %-11s %s: %s\n", columns[i], c.Verdict, c.Text)
		}
		for _, n := range row.Notes {
			fmt.Fprintf(&text, "  note: %s\n", n)
		}
	}
	fmt.Fprintf(&text, "\n%d passed, %d failed, %d skipped\n", r.Passed, r.Failed, r.Skipped)
	_, err := io.WriteString(out, text.String())
	return err
}

var columns = []string{"Recommend", "WriteEvents", "data", "process", "recovery", "seconds"}

// Page is the result as a report.
func (r *Result) Page() report.Page {
	m := r.Machine
	verdicts := &report.Table{Head: append([]string{"fault"}, columns...)}
	p := report.Page{
		Title: "What breaks when something breaks",
		Lead: fmt.Sprintf("%d faults on a real server process, one at a time, under light traffic; %s. %d cores (%s), load average %.1f before.",
			len(r.Rows), r.Started.Format(time.RFC3339), m.Cores, m.Go, m.Load),
		Facts: []report.Fact{
			{Name: "passed", Value: fmt.Sprint(r.Passed)}, {Name: "failed", Value: fmt.Sprint(r.Failed)},
			{Name: "skipped", Value: fmt.Sprint(r.Skipped), Note: "not possible on this machine"},
		},
		Foot: "Data: each acknowledged event is in the log once after a restart, and nothing that was never sent. Recovery: from the end of the fault to the first Recommend and WriteEvents that began after it and were answered.",
	}
	for _, row := range r.Rows {
		line := []string{row.Name}
		about := &report.Table{Head: []string{"", "seen"}}
		for i, c := range row.cells() {
			line = append(line, string(c.Verdict))
			about.Rows = append(about.Rows, []string{columns[i] + ": " + string(c.Verdict), c.Text})
		}
		for _, n := range row.Notes {
			about.Rows = append(about.Rows, []string{"note", n})
		}
		verdicts.Rows = append(verdicts.Rows, append(line, fmt.Sprintf("%.2f", row.RecoveryS)))
		p.Sections = append(p.Sections, report.Section{Title: row.Fault, Text: row.Way, Table: about, Wide: true})
	}
	p.Sections = append([]report.Section{{Title: "Verdicts", Table: verdicts, Wide: true}}, p.Sections...)
	return p
}
