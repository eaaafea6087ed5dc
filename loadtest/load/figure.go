package load

import (
	"fmt"

	"gonum.org/v1/gonum/stat/distuv"
)

// figure is a number of a result that repetitions and comparisons are about.
type figure struct {
	name   string // as in JSON
	value  float64
	higher bool // whether more is better
	share  bool // a share in percent, which may be 0: compared by difference, not by ratio
}

// figures are the result's numbers, in the order of a table.
func (r *Result) figures() []figure {
	var all []figure
	if r.Step != nil {
		all = append(all, stepFigures("", r.Step.Latency, r.AchievedRPS, r.lostShare(summarize(r.Step)))...)
	}
	for _, s := range r.Steps {
		if r.Mode == ModeStepped { // in a search the rates are the outcome, not what is held still
			at := fmt.Sprintf(" at %g/s", s.Rate)
			all = append(all, stepFigures(at, Latency{P50: s.P50, P99: s.P99}, s.AchievedRPS, r.lostShare(s))...)
		}
	}
	add := func(name string, value float64, higher bool) {
		if value > 0 {
			all = append(all, figure{name: name, value: value, higher: higher})
		}
	}
	add("saturation_rps", r.SaturationRPS, true)
	if r.Half != nil {
		add("half_saturation.p50_ms", r.Half.P50, false)
		add("half_saturation.p99_ms", r.Half.P99, false)
	}
	if r.Step != nil && r.Step.Spike != nil {
		add("spike.during.p99_ms", r.Step.Spike.During.P99, false)
	}
	if r.Empty != nil {
		add("empty_rps", r.Empty.RPS, true)
		add("ratio", r.Ratio, true)
	}
	if r.Events != nil {
		add("events_per_s", r.Events.PerSecond, true)
		add("batch_p99_ms", r.Events.BatchP99, false)
	}
	return all
}

func stepFigures(at string, l Latency, rps, lost float64) []figure {
	return []figure{{name: "achieved_rps" + at, value: rps, higher: true}, {name: "p50_ms" + at, value: l.P50},
		{name: "p99_ms" + at, value: l.P99}, {name: "failed_percent" + at, value: lost, share: true}}
}

// lostShare is the share of the calls that failed or were not sent, in percent.
func (r *Result) lostShare(s StepSummary) float64 {
	if s.OfferedRPS <= 0 || r.DurationS <= 0 {
		return 0
	}
	return 100 * float64(s.Failed+s.ClientLimited) / (s.OfferedRPS * r.DurationS)
}

// moments are what a t interval needs.
type moments struct {
	n              float64
	mean, variance float64 // of the values; the variance is unbiased, 0 for one value
}

func momentsOf(values []float64) moments {
	m := moments{n: float64(len(values))}
	for _, v := range values {
		m.mean += v / m.n
	}
	for _, v := range values {
		if m.n > 1 {
			m.variance += (v - m.mean) * (v - m.mean) / (m.n - 1)
		}
	}
	return m
}

// tQuantile is how many standard errors a two-sided interval of Student's t goes to each side.
func tQuantile(confidence, freedom float64) float64 {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: freedom}.Quantile(1 - (1-confidence)/2)
}
