package load

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteTable writes the result for people.
func (r *Result) WriteTable(w io.Writer) error {
	t := &table{w: tabwriter.NewWriter(w, 2, 0, 2, ' ', tabwriter.AlignRight)}
	m := r.Machine
	t.line("%s, mode %s, %d connections, seed %d", r.Addr, r.Mode, r.Connections, r.Seed)
	t.line("%d cores (GOMAXPROCS %d), %s %s/%s%s, load average %.1f before; server %s", m.Cores, m.GOMAXPROCS, m.Go, m.OS, m.Arch,
		orEmpty(m.CPU != "", ", "+m.CPU), m.Load, either(m.Shared, "on the same machine", "elsewhere"))
	if r.Empty != nil {
		t.line("empty calls: %.0f a second by schedule; %.0f by %d callers at full throttle", r.Empty.RPS, r.Empty.ClosedRPS, r.Empty.Callers)
	}
	if r.Mix != "" {
		t.line("mix %s, %s arrivals, %d users, limit %d", r.Mix, r.Arrivals, r.Users, r.Limit)
	}
	if s := r.Sessions; s != nil {
		t.line("sessions: %s; %.1f s between steps on average, %.2f stay for the next, %.1f calls each", s.Steps, s.ThinkS, s.Stay, s.MeanCalls)
	}
	if r.Step != nil || len(r.Steps) > 0 {
		t.steps(r)
	}
	if r.Step != nil {
		t.calls(r.Step)
		t.stages(r.Step)
		t.spike(r.Step.Spike)
		t.remarks(r.Step)
	}
	for _, s := range r.full {
		t.errors(s)
	}
	if r.Events != nil {
		t.events(r.Events)
	}
	return t.flush()
}

// table writes lines and keeps the first error.
type table struct {
	w   *tabwriter.Writer
	err error
}

func (t *table) line(format string, args ...any) { t.print(format+"\n", args...) }

// row writes cells that are set below each other.
func (t *table) row(cells ...string) { t.print("%s\t\n", strings.Join(cells, "\t")) }

func (t *table) print(format string, args ...any) {
	if _, err := fmt.Fprintf(t.w, format, args...); err != nil {
		t.err = cmp.Or(t.err, err)
	}
}

// gap ends one table, so that the next has its own widths.
func (t *table) gap() { t.line("") }

func (t *table) flush() error { return cmp.Or(t.err, t.w.Flush()) }

func (t *table) steps(r *Result) {
	t.gap()
	t.row("", "rate", "achieved", "p50 ms", "p99 ms", "failed", "not sent", "client cores", "")
	for _, s := range r.Steps {
		t.step("step", s, either(s.Held, "held", "not held"))
	}
	if r.Steps == nil && r.Step != nil {
		t.step("run", summarize(r.Step), "")
	}
	if r.Half != nil {
		t.step("half", summarize(r.Half), "")
	}
	t.gap()
	if r.SaturationRPS > 0 {
		t.line("saturation: %.0f a second with p99 under %.0f ms", r.SaturationRPS, r.P99BoundMS)
	}
	if r.Ratio > 0 {
		t.line("ratio to empty calls: %.3f (Recommend alone %.3f)", r.Ratio, r.RecommendRatio)
	}
}

func (t *table) step(name string, s StepSummary, held string) {
	t.row(name, fmt.Sprintf("%.0f", s.Rate), fmt.Sprintf("%.0f", s.AchievedRPS), fmt.Sprintf("%.2f", s.P50), fmt.Sprintf("%.2f", s.P99),
		fmt.Sprint(s.Failed), fmt.Sprint(s.ClientLimited), fmt.Sprintf("%.2f", s.ClientCores), held)
}

func (t *table) calls(s *Step) {
	t.gap()
	t.row("call", "a second", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms")
	row := func(name string, rps float64, l Latency) {
		t.row(name, fmt.Sprintf("%.0f", rps), fmt.Sprintf("%.2f", l.P50), fmt.Sprintf("%.2f", l.P90), fmt.Sprintf("%.2f", l.P99),
			fmt.Sprintf("%.2f", l.P999), fmt.Sprintf("%.2f", l.Max))
	}
	row("all", s.AchievedRPS, s.Latency)
	for _, name := range slices.Sorted(maps.Keys(s.Calls)) {
		row(name, s.Calls[name].RPS, s.Calls[name].Latency)
	}
	t.gap()
}

func (t *table) stages(s *Step) {
	if len(s.Stages) == 0 {
		return
	}
	t.row("stage of Recommend", "p50 µs", "p99 µs")
	for _, name := range stageNames {
		st := s.Stages[name]
		t.row(name, fmt.Sprintf("%.0f", st.P50), fmt.Sprintf("%.0f", st.P99))
	}
	t.gap()
}

func (t *table) spike(s *SpikeStats) {
	if s == nil {
		return
	}
	t.row("part of the run", "calls", "failed", "p50 ms", "p99 ms", "max ms")
	for _, row := range s.rows() {
		t.row(row...)
	}
	t.gap()
	t.line("%s", s.verdict())
}

func (t *table) errors(s *Step) {
	for _, code := range slices.Sorted(maps.Keys(s.Errors)) {
		t.line("errors at %.0f a second: %d %s, such as: %s", s.Rate, s.Errors[code], code, s.ErrorSamples[code])
	}
}

func (t *table) remarks(s *Step) {
	if len(s.Tiers) > 0 {
		t.line("tiers: %s; %.1f items a list, %d lists empty", counts(s.Tiers), s.ItemsMean, s.EmptyLists)
	}
	if s.ServerLostS != nil {
		t.line("the server was last heard %.1f s into the run; the figures are of the time until the run ended", *s.ServerLostS)
	}
	t.errors(s)
	if s.RowErrors > 0 {
		t.line("rows refused by the server: %d", s.RowErrors)
	}
	for _, remark := range s.limits() {
		t.line("%s", remark)
	}
}

// limits says where the client and not the server bounds the figures.
func (s *Step) limits() []string {
	var remarks []string
	if s.ClientLimited > 0 {
		remarks = append(remarks, fmt.Sprintf("%d arrivals were not sent since too many calls were in flight: the latencies leave them out; raise --in-flight", s.ClientLimited))
	}
	if s.LateP99 > s.P99/2 && s.LateP99 > 1 {
		remarks = append(remarks, fmt.Sprintf("the client itself sent calls late (p99 %.1f ms): it is the limit, or the machine that it shares", s.LateP99))
	}
	return remarks
}

func (t *table) events(e *Events) {
	t.line("durable events: %.0f a second, %d writers with batches of %d over %s", e.PerSecond, e.Writers, e.Batch,
		either(e.Stream, "StreamEvents", "WriteEvents"))
	t.line("a batch: p50 %.2f ms, p99 %.2f ms; %d batches refused and sent again, %d events rejected", e.BatchP50, e.BatchP99, e.Refused, e.Rejected)
	if e.SyncP50 > 0 {
		t.line("one sync: %.2f ms", e.SyncP50)
	}
}

// counts writes a count by name, largest first.
func counts(m map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
	var parts []string
	for _, n := range names {
		parts = append(parts, fmt.Sprintf("%s %d", n, m[n]))
	}
	return strings.Join(parts, ", ")
}

func either(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

func orEmpty(condition bool, text string) string { return either(condition, text, "") }
