package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Latency is a distribution in a few numbers, milliseconds.
type Latency struct {
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p999_ms"`
	Max  float64 `json:"max_ms"`
	Mean float64 `json:"mean_ms"`
}

// StageTime is what the server says of one stage of Recommend, microseconds.
type StageTime struct {
	P50 float64 `json:"p50_us"`
	P99 float64 `json:"p99_us"`
}

// CallStats is one sort of call of a run.
type CallStats struct {
	Count int64   `json:"count"` // succeeded
	RPS   float64 `json:"rps"`
	Latency
}

// Step is the outcome of one run at a constant rate. All counts are of the measured part.
type Step struct {
	// Rate is what was asked for; OfferedRPS is how many arrivals a second the schedule then held.
	Rate       float64 `json:"rate"`
	OfferedRPS float64 `json:"offered_rps"`
	// AchievedRPS is calls that succeeded, a second, from the first measured arrival to the last answer.
	AchievedRPS float64 `json:"achieved_rps"`
	// Latency of calls that succeeded, from when they were due.
	Latency
	// Errors counts calls that failed, by gRPC code; ErrorSamples has one message for each code.
	Errors       map[string]int64  `json:"errors"`
	ErrorSamples map[string]string `json:"error_samples,omitempty"`
	// ClientLimited counts arrivals that were not sent, since as many calls as allowed were under way.
	ClientLimited int64 `json:"client_limited"`
	// RowErrors counts rows that the server refused in writes that it answered.
	RowErrors int64 `json:"row_errors"`
	// Calls by sort, Stages of Recommend by stage, Tiers of all replies that name one.
	Calls  map[string]CallStats `json:"calls"`
	Stages map[string]StageTime `json:"stages,omitempty"`
	Tiers  map[string]int64     `json:"tiers,omitempty"`
	// ItemsMean is the mean length of the lists, EmptyLists how many held nothing.
	ItemsMean  float64 `json:"items_mean"`
	EmptyLists int64   `json:"empty_lists"`
	// LateP99 is by how much the client itself sent calls late; it is part of Latency.
	LateP99 float64 `json:"client_late_p99_ms"`
	// ClientCores is how many cores the client kept busy; 0 where the system does not say.
	ClientCores float64 `json:"client_cores"`
	// ServerLostS is when the server was last heard, seconds since the start of the run with its warm-up, if it stopped
	// answering; the run then ended early, and all figures are of the time until it did.
	ServerLostS *float64 `json:"server_lost_s,omitempty"`
	// Spike is how a spike was taken.
	Spike *SpikeStats `json:"spike,omitempty"`
	// Held is whether the bounds of a search for saturation were kept.
	Held *bool `json:"held,omitempty"`

	Points    []Point                 `json:"-"` // over time
	Histogram *hdrhistogram.Histogram `json:"-"` // of Latency, microseconds
}

func newStep(plan Plan, scheduled int64, t *tally, points []Point, cores float64) *Step {
	span := max(plan.Duration, t.lastEnd-plan.WarmUp, time.Millisecond).Seconds()
	all := t.all()
	s := &Step{
		Rate: plan.Rate, OfferedRPS: float64(scheduled) / max(plan.Duration, time.Millisecond).Seconds(), AchievedRPS: float64(t.ok) / span,
		Latency: latencyOf(all), Errors: map[string]int64{}, ClientLimited: t.limited, RowErrors: t.rows,
		Calls: map[string]CallStats{}, EmptyLists: t.empty, LateP99: millis(quantile(t.late, 99)), ClientCores: cores,
		Points: points, Histogram: all,
	}
	for code, n := range t.errors {
		s.Errors[code.String()] = n
		if s.ErrorSamples == nil {
			s.ErrorSamples = map[string]string{}
		}
		s.ErrorSamples[code.String()] = t.samples[code]
	}
	for k, h := range t.latency {
		if h != nil {
			s.Calls[Kind(k).String()] = CallStats{Count: h.TotalCount(), RPS: float64(h.TotalCount()) / span, Latency: latencyOf(h)}
		}
	}
	if t.lists > 0 {
		s.ItemsMean = float64(t.items) / float64(t.lists)
	}
	s.addStages(t)
	return s
}

func (s *Step) addStages(t *tally) {
	if t.stage[StageTotal].TotalCount() > 0 {
		s.Stages = map[string]StageTime{}
		for i, h := range t.stage {
			s.Stages[Stage(i).String()] = StageTime{P50: float64(h.ValueAtQuantile(50)), P99: float64(h.ValueAtQuantile(99))}
		}
	}
	for i, n := range t.tier {
		if n > 0 {
			if s.Tiers == nil {
				s.Tiers = map[string]int64{}
			}
			s.Tiers[TierName(kindredv1.Tier(i))] = n
		}
	}
}

// failed is how many calls failed.
func (s *Step) failed() int64 {
	var sum int64
	for _, n := range s.Errors {
		sum += n
	}
	return sum
}

func latencyOf(h *hdrhistogram.Histogram) Latency {
	if h.TotalCount() == 0 {
		return Latency{}
	}
	return Latency{
		P50: millis(quantile(h, 50)), P90: millis(quantile(h, 90)), P99: millis(quantile(h, 99)), P999: millis(quantile(h, 99.9)),
		Max: millis(micros(h.Max())), Mean: h.Mean() / 1000,
	}
}

func quantile(h *hdrhistogram.Histogram, percent float64) time.Duration {
	return micros(h.ValueAtQuantile(percent))
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
