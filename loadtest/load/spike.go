package load

import (
	"fmt"
	"time"
)

// Spike raises the rate of a plan for a time, as a mailing or a television spot does.
type Spike struct {
	// After the start of the measured part, above 0, so that there is a calm to compare with.
	After time.Duration
	// For how long, above 0. After and For together are less than the plan's duration: recovery needs time to be seen.
	For time.Duration
	// Factor on the rate, above 1 to 1,000.
	Factor float64
}

func (s *Spike) validate(plan Plan) error {
	if s == nil {
		return nil
	}
	if s.After <= 0 || s.For <= 0 || s.After+s.For >= plan.Duration {
		return fmt.Errorf("load: spike after %v for %v in a run of %v: both must be above 0, and time must be left to recover; raise --duration",
			s.After, s.For, plan.Duration)
	}
	if !(s.Factor > 1 && s.Factor <= 1000) || s.Factor*plan.Rate > maxRate {
		return fmt.Errorf("load: spike of %v times %v a second: the factor must be above 1 and at most 1,000, the rate at most 10,000,000",
			s.Factor, plan.Rate)
	}
	return nil
}

// curve is the rate over time, from seconds since the start of the run.
func (s *Spike) curve(rate, from float64, warmUp time.Duration) []stretch {
	calm := []stretch{{from, rate}}
	if s == nil {
		return calm
	}
	at := warmUp + s.After
	return append(calm, stretch{at.Seconds(), rate * s.Factor}, stretch{(at + s.For).Seconds(), rate})
}

// phase is a part of a run with a spike.
type phase uint8

const (
	phaseBefore phase = iota
	phaseSpike
	phaseAfter
	phases
)

// phase of an arrival that is due that long after the start of the measured part.
func (s *Spike) phase(due time.Duration) phase {
	switch {
	case due < s.After:
		return phaseBefore
	case due < s.After+s.For:
		return phaseSpike
	}
	return phaseAfter
}

// PhaseStats is one part of a run with a spike, by when calls were due.
type PhaseStats struct {
	Count int64 `json:"count"` // succeeded
	// Failed counts calls that failed; arrivals that were not sent are in ClientLimited of the step.
	Failed int64 `json:"failed"`
	Latency
}

// SpikeStats is how a server took a spike.
type SpikeStats struct {
	Factor float64 `json:"factor"`
	AfterS float64 `json:"after_s"` // since the start of the measured part
	ForS   float64 `json:"for_s"`
	// Before, During and After the spike.
	Before PhaseStats `json:"before"`
	During PhaseStats `json:"during"`
	After  PhaseStats `json:"after"`
	// CalmP99 is the worst p99 of any interval before the spike, CalmFailed the most failures of one: what counts as
	// recovered is no worse.
	CalmP99    float64 `json:"calm_p99_ms"`
	CalmFailed int64   `json:"calm_failed"`
	// RecoveryS is how long after the end of the spike the first three intervals in a row began that were as calm as before,
	// by when calls were answered and as fine as IntervalS. Recovered says whether there were such.
	Recovered bool    `json:"recovered"`
	RecoveryS float64 `json:"recovery_s"`
	IntervalS float64 `json:"interval_s"`
}

func newSpikeStats(plan Plan, t *tally, points []Point) *SpikeStats {
	s := plan.Spike
	stats := &SpikeStats{Factor: s.Factor, AfterS: s.After.Seconds(), ForS: s.For.Seconds(),
		Before: t.phaseStats(phaseBefore), During: t.phaseStats(phaseSpike), After: t.phaseStats(phaseAfter),
		IntervalS: interval(plan).Seconds()}
	start := plan.WarmUp + s.After
	stats.recovery(points, plan.WarmUp, start, start+s.For)
	return stats
}

// recovery compares the intervals that end after the spike with those between the warm-up and it.
func (s *SpikeStats) recovery(points []Point, warmUp, start, end time.Duration) {
	width := time.Duration(s.IntervalS * float64(time.Second))
	calm := 0 // intervals in a row
	for _, p := range points {
		began := p.At - width
		switch {
		case began >= warmUp && p.At <= start:
			s.CalmP99, s.CalmFailed = max(s.CalmP99, millis(p.P99)), max(s.CalmFailed, p.Failed)
		case began >= end && p.Count > 0 && millis(p.P99) <= s.CalmP99 && p.Failed <= s.CalmFailed:
			if calm++; calm == calmIntervals {
				s.Recovered, s.RecoveryS = true, (began - end - (calmIntervals-1)*width).Seconds()
				return
			}
		default:
			calm = 0
		}
	}
}

// calmIntervals in a row are a recovery: one may be calm by chance.
const calmIntervals = 3

func (t *tally) phaseStats(p phase) PhaseStats {
	s := PhaseStats{Failed: t.phaseFailed[p]}
	if h := t.phase[p]; h != nil {
		s.Count, s.Latency = h.TotalCount(), latencyOf(h)
	}
	return s
}

// addPhase counts a call to its part of the run. Runs without a spike are all phaseBefore and keep no second histogram.
func (t *tally) addPhase(p phase, latency time.Duration) {
	if t.phase[p] == nil {
		t.phase[p] = newHistogram()
	}
	record(t.phase[p], latency)
}

// rows are the parts as text: name, calls, failed, p50, p99 and slowest in milliseconds.
func (s *SpikeStats) rows() [][]string {
	var rows [][]string
	for i, p := range []PhaseStats{s.Before, s.During, s.After} {
		name := [phases]string{"before", fmt.Sprintf("spike, %gx for %g s", s.Factor, s.ForS), "after"}[i]
		rows = append(rows, []string{name, fmt.Sprint(p.Count), fmt.Sprint(p.Failed), fmt.Sprintf("%.2f", p.P50), fmt.Sprintf("%.2f", p.P99), fmt.Sprintf("%.2f", p.Max)})
	}
	return rows
}

// verdict says in a sentence how the spike was taken.
func (s *SpikeStats) verdict() string {
	if !s.Recovered {
		return fmt.Sprintf("the server had not recovered by the end of the run: no three intervals of %.2f s in a row had a p99 of at most %.1f ms again", s.IntervalS, s.CalmP99)
	}
	return fmt.Sprintf("the server recovered %.2f s after the end of the spike: p99 was again at most %.1f ms, the worst interval before it (intervals of %.2f s)",
		s.RecoveryS, s.CalmP99, s.IntervalS)
}
