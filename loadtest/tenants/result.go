package tenants

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"github.com/HdrHistogram/hdrhistogram-go"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/kindred-rec/kindred/loadtest/load"
	"github.com/kindred-rec/kindred/loadtest/report"
)

// Half is one half of a round.
type Half struct {
	// Neighbour is what the neighbour saw, Failed how many of its calls failed or were not sent.
	Neighbour load.Latency `json:"neighbour"`
	Failed    int64        `json:"neighbour_failed,omitempty"`
	// Served, Refused and Other count the hostile tenant's calls: answered, RESOURCE_EXHAUSTED, and all else, unsent ones
	// included. Words is a message of each code.
	Served  int64             `json:"hostile_served,omitempty"`
	Refused int64             `json:"hostile_refused,omitempty"`
	Other   int64             `json:"hostile_other,omitempty"`
	Words   map[string]string `json:"hostile_errors,omitempty"`
	// ServerS is the server's processor time, ClientCores how many cores the neighbour's client kept busy, FloodCores that of
	// the hostile tenant.
	ServerS     float64 `json:"server_cpu_s"`
	ClientCores float64 `json:"client_cores"`
	FloodCores  float64 `json:"flood_cores,omitempty"`

	calls     int64 // of the neighbour, answered
	histogram *hdrhistogram.Histogram
}

func halfOf(step, flood *load.Step, cpu float64) Half {
	h := Half{Neighbour: step.Latency, Failed: step.ClientLimited, ServerS: cpu, ClientCores: step.ClientCores,
		calls: step.Histogram.TotalCount(), histogram: step.Histogram}
	for _, n := range step.Errors {
		h.Failed += n
	}
	if flood == nil {
		return h
	}
	h.Other, h.Words, h.FloodCores = flood.ClientLimited, flood.ErrorSamples, flood.ClientCores
	for _, calls := range flood.Calls {
		h.Served += calls.Count
	}
	for code, n := range flood.Errors {
		if code == "ResourceExhausted" {
			h.Refused += n
		} else {
			h.Other += n
		}
	}
	return h
}

// Round is two halves, one after the other.
type Round struct {
	Alone  Half `json:"alone"`
	Beside Half `json:"beside"`
}

// Ratio is a mean of ratios with its 95% interval.
type Ratio struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// ratioOf is the geometric mean of at least two ratios above 0.
func ratioOf(ratios []float64) Ratio {
	logs := make([]float64, len(ratios))
	for i, r := range ratios {
		logs[i] = math.Log(r)
	}
	mean, deviation := stat.MeanStdDev(logs, nil)
	n := float64(len(logs))
	wide := deviation / math.Sqrt(n) * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975)
	return Ratio{math.Exp(mean), math.Exp(mean - wide), math.Exp(mean + wide)}
}

// Result is what the rounds gave.
type Result struct {
	Machine load.Machine `json:"machine"`
	Rate    float64      `json:"neighbour_rate"`
	Quota   float64      `json:"hostile_quota"`
	Times   float64      `json:"hostile_times"`
	HalfS   float64      `json:"half_s"`
	FloodS  float64      `json:"flood_s"` // how long the hostile tenant calls beside each half
	Items   int          `json:"items"`
	Seed    uint64       `json:"seed"`
	Rounds  []Round      `json:"rounds"`

	// AloneP50 to BesideP99 are of all halves together, milliseconds.
	AloneP50  float64 `json:"alone_p50_ms"`
	AloneP99  float64 `json:"alone_p99_ms"`
	BesideP50 float64 `json:"beside_p50_ms"`
	BesideP99 float64 `json:"beside_p99_ms"`
	// P50 and P99 are the ratios of the rounds, beside to alone; Noise those of halves that were alone, each to the one before.
	P50   Ratio `json:"p50_ratio"`
	P99   Ratio `json:"p99_ratio"`
	Noise Ratio `json:"noise_p99_ratio"`
	// RefusedShare is of the hostile tenant's calls, RefusedRPS a second.
	RefusedShare float64 `json:"hostile_refused_share"`
	RefusedRPS   float64 `json:"hostile_refused_rps"`
	// RefusedCPU is about what the server's processors spend on a refused call, microseconds: what is beside the neighbour's
	// calls alone, less the hostile tenant's served calls at the price of the neighbour's.
	RefusedCPU float64 `json:"refused_cpu_us"`
	// Verdict is pass, fail or unclear.
	Verdict string `json:"verdict"`
}

// mostSlower is the ratio of p99 that a neighbour may see.
const mostSlower = 1.2

// conclude makes the figures of the rounds.
func (r *Result) conclude() {
	if len(r.Rounds) < 2 {
		r.Verdict = "unclear"
		return
	}
	alone, beside := r.together(func(x *Round) *Half { return &x.Alone }), r.together(func(x *Round) *Half { return &x.Beside })
	ms := func(h *hdrhistogram.Histogram, percent float64) float64 {
		return float64(h.ValueAtQuantile(percent)) / 1000
	}
	r.AloneP50, r.AloneP99 = ms(alone.histogram, 50), ms(alone.histogram, 99)
	r.BesideP50, r.BesideP99 = ms(beside.histogram, 50), ms(beside.histogram, 99)
	r.ratios()
	asked := float64(beside.Served + beside.Refused + beside.Other)
	r.RefusedShare = float64(beside.Refused) / max(asked, 1)
	r.RefusedRPS = float64(beside.Refused) / (r.FloodS * float64(len(r.Rounds)))
	each := alone.ServerS / max(float64(alone.calls), 1)
	r.RefusedCPU = 1e6 * (beside.ServerS - each*float64(beside.calls+beside.Served)) / max(float64(beside.Refused), 1)
	r.Verdict = r.judge(alone, beside)
}

func (r *Result) judge(alone, beside Half) string {
	switch {
	case alone.Failed+beside.Failed > 0 || beside.Refused == 0 || beside.Served == 0 || beside.Other > 0 || r.P99.Low >= mostSlower:
		return "fail"
	case r.P99.High < mostSlower:
		return "pass"
	}
	return "unclear"
}

func (r *Result) ratios() {
	var p50, p99, noise []float64
	for i := range r.Rounds {
		x := &r.Rounds[i]
		p50 = append(p50, x.Beside.Neighbour.P50/x.Alone.Neighbour.P50)
		p99 = append(p99, x.Beside.Neighbour.P99/x.Alone.Neighbour.P99)
		if i > 0 {
			noise = append(noise, x.Alone.Neighbour.P99/r.Rounds[i-1].Alone.Neighbour.P99)
		}
	}
	r.P50, r.P99 = ratioOf(p50), ratioOf(p99)
	if len(noise) > 1 {
		r.Noise = ratioOf(noise)
	}
}

// together is all halves of a kind as one.
func (r *Result) together(of func(*Round) *Half) Half {
	sum := Half{histogram: hdrhistogram.Import(of(&r.Rounds[0]).histogram.Export())}
	for i := range r.Rounds {
		h := of(&r.Rounds[i])
		if i > 0 {
			sum.histogram.Merge(h.histogram)
		}
		sum.calls, sum.Failed, sum.Served = sum.calls+h.calls, sum.Failed+h.Failed, sum.Served+h.Served
		sum.Refused, sum.Other, sum.ServerS = sum.Refused+h.Refused, sum.Other+h.Other, sum.ServerS+h.ServerS
	}
	return sum
}

// Err is not nil if the verdict is fail.
func (r *Result) Err() error {
	if r.Verdict != "fail" {
		return nil
	}
	failed, other, words := int64(0), int64(0), ""
	for i := range r.Rounds {
		x := &r.Rounds[i]
		failed, other = failed+x.Alone.Failed+x.Beside.Failed, other+x.Beside.Other
		for code, text := range x.Beside.Words {
			if code != "ResourceExhausted" {
				words = ": " + code + ", " + text
			}
		}
	}
	return fmt.Errorf("tenants: the neighbour's p99 is %.2f times what it is alone (95%% interval %.2f to %.2f, %.2f is the most), %d of its calls failed; of the hostile tenant's calls %.0f%% were refused and %d failed otherwise%s",
		r.P99.Mean, r.P99.Low, r.P99.High, mostSlower, failed, 100*r.RefusedShare, other, words)
}

func (r *Result) about() string {
	return fmt.Sprintf("Neighbour: %.0f Recommend a second. Hostile tenant: %g times its quota of %.0f a second. %d rounds of two halves of %g s, %d items each; %d cores (%s), shared with both clients, load average %.1f before.",
		r.Rate, r.Times, r.Quota, len(r.Rounds), r.HalfS, r.Items, r.Machine.Cores, r.Machine.Go, r.Machine.Load)
}

func (x Ratio) String() string { return fmt.Sprintf("%.3f (%.3f to %.3f)", x.Mean, x.Low, x.High) }

func (r *Result) rows() [][]string {
	return [][]string{
		{"neighbour alone", fmt.Sprintf("p50 %.2f ms, p99 %.2f ms", r.AloneP50, r.AloneP99)},
		{"beside the flood", fmt.Sprintf("p50 %.2f ms, p99 %.2f ms", r.BesideP50, r.BesideP99)},
		{"ratio of p50", r.P50.String()}, {"ratio of p99", r.P99.String()}, {"alone to alone, p99", r.Noise.String()},
		{"hostile calls refused", fmt.Sprintf("%.1f%%, %.0f a second", 100*r.RefusedShare, r.RefusedRPS)},
		{"server's time for one", fmt.Sprintf("%.0f us", r.RefusedCPU)}, {"verdict", r.Verdict},
	}
}

// WriteTable writes the figures for people.
func (r *Result) WriteTable(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintln(&text, r.about())
	t := tabwriter.NewWriter(&text, 2, 0, 2, ' ', 0)
	for _, row := range r.rows() {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// Page is the result as a report.
func (r *Result) Page() report.Page {
	rounds := &report.Table{Head: []string{"round", "alone p99, ms", "beside p99, ms", "ratio", "refused", "flood's cores"}}
	for i := range r.Rounds {
		x := &r.Rounds[i]
		rounds.Rows = append(rounds.Rows, []string{fmt.Sprint(i + 1), fmt.Sprintf("%.2f", x.Alone.Neighbour.P99), fmt.Sprintf("%.2f", x.Beside.Neighbour.P99),
			fmt.Sprintf("%.2f", x.Beside.Neighbour.P99/x.Alone.Neighbour.P99), fmt.Sprint(x.Beside.Refused), fmt.Sprintf("%.2f", x.Beside.FloodCores)})
	}
	return report.Page{
		Title: "Tenants", Lead: r.about(),
		Facts: []report.Fact{
			{Name: "verdict", Value: r.Verdict}, {Name: "p99, beside to alone", Value: fmt.Sprintf("%.2f", r.P99.Mean), Note: fmt.Sprintf("95%% interval %.2f to %.2f", r.P99.Low, r.P99.High)},
			{Name: "refused", Value: fmt.Sprintf("%.1f%%", 100*r.RefusedShare)},
		},
		Sections: []report.Section{
			{Title: "Figures", Table: &report.Table{Head: []string{"what", "seen"}, Rows: r.rows()}, Wide: true},
			{Title: "Rounds", Table: rounds, Wide: true},
		},
		Foot: fmt.Sprintf("It passes where the interval of the ratio of p99 ends under %.2f, and fails where it begins at or above it.", mostSlower),
	}
}
