package restart

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/kindred-rec/kindred/loadtest/load"
	"github.com/kindred-rec/kindred/loadtest/report"
)

// Result is what the starts took.
type Result struct {
	Machine load.Machine `json:"machine"`
	Items   int          `json:"items"`
	Users   int          `json:"users"`
	Events  int          `json:"events"`
	Tail    int          `json:"tail"`
	Starts  []Start      `json:"starts"`
}

// Start is one start of the process.
type Start struct {
	// After says how the process before ended.
	After string `json:"after"`
	// ReadyS is from the start of the process to the first 200 of /readyz, seconds; ProcessorS what it used of all cores until
	// then, and ResidentMB its memory then, mapped files that were read included; 0 where the system does not tell.
	ReadyS     float64 `json:"ready_s"`
	ProcessorS float64 `json:"processor_s"`
	ResidentMB float64 `json:"resident_mb"`
	// Stages are the server's own, in their order.
	Stages []Stage `json:"stages"`
}

// Stage is a part of a start, as the server's log names it: seconds, or what it counted.
type Stage struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

var (
	stageLine  = regexp.MustCompile(`msg="(?:store opened|tenant serves)".*`)
	stageValue = regexp.MustCompile(`\b(\w+)=([0-9.e+-]+)(?:\s|$)`)
)

// stagesIn finds the stages in a server's log.
func stagesIn(log string) (stages []Stage) {
	for _, line := range stageLine.FindAllString(log, -1) {
		for _, m := range stageValue.FindAllStringSubmatch(line, -1) {
			if v, err := strconv.ParseFloat(m[2], 64); err == nil {
				stages = append(stages, Stage{m[1], v})
			}
		}
	}
	return stages
}

func (r *Result) about() string {
	return fmt.Sprintf("%d items, %d events of %d users, then a tail of %d; %d cores, %s/%s, load %.1f before",
		r.Items, r.Events, r.Users, r.Tail, r.Machine.Cores, r.Machine.OS, r.Machine.Arch, r.Machine.Load)
}

// WriteTable writes a row a start.
func (r *Result) WriteTable(w io.Writer) error {
	if _, err := fmt.Fprintln(w, r.about()); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	for _, row := range r.rows() {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

var head = []string{"after", "ready s", "processor s", "resident MB", "stages"}

func (r *Result) rows() [][]string {
	rows := [][]string{head}
	for _, s := range r.Starts {
		var stages []string
		for _, g := range s.Stages {
			stages = append(stages, fmt.Sprintf("%s %s", g.Name, report.Number(g.Value)))
		}
		rows = append(rows, []string{s.After, fmt.Sprintf("%.2f", s.ReadyS), fmt.Sprintf("%.2f", s.ProcessorS), fmt.Sprintf("%.0f", s.ResidentMB), strings.Join(stages, ", ")})
	}
	return rows
}

// Page is the result as a report.
func (r *Result) Page() report.Page {
	rows := r.rows()
	return report.Page{
		Title: "Restart", Lead: r.about(),
		Sections: []report.Section{{Title: "Starts", Wide: true, Table: &report.Table{Head: rows[0], Rows: rows[1:]}}},
		Foot:     "Ready is from the start of the process to the first 200 of /readyz. Stages are seconds of the server's own clock, or counts.",
	}
}
