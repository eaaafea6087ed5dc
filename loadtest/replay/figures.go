package replay

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/kindred-rec/kindred/loadtest/load"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// cutoff is the rank that HR@10, NDCG@10 and coverage go to.
const cutoff = 10

// Figures are the quality of a stretch of the log.
type Figures struct {
	Asks int64   `json:"asks"`
	HR   float64 `json:"hr_at_10"`
	NDCG float64 `json:"ndcg_at_10"`
	MRR  float64 `json:"mrr"`
	// RepeatShare is the share of asks whose item the user had before in the log.
	RepeatShare float64 `json:"repeat_share"`
	// TierShares by rung, such as "personalized".
	TierShares map[string]float64 `json:"tier_shares"`
	// LagShare is the share of replies that did not reflect all that was written before; LagMax is the furthest, in log entries.
	LagShare float64 `json:"lag_share"`
	LagMax   int64   `json:"lag_max"`
	// Ask times as the client sees them, and how long the server waited for the last write to count, milliseconds.
	AskP50  float64 `json:"ask_p50_ms"`
	AskP99  float64 `json:"ask_p99_ms"`
	WaitP99 float64 `json:"wait_p99_ms"`
}

// answer is what one ask gave.
type answer struct {
	rank             int // of the item that came next, from 1; 0: not in the list
	repeat           bool
	tier             kindredv1.Tier
	lag              int64
	wait, took       time.Duration
	recommendationID string
	shown            []string // the first ten
}

// sums adds answers up. Not safe for concurrent use.
type sums struct {
	asks, hits, repeats, lagging, lagMax int64
	ndcg, reciprocal                     float64
	tiers                                [kindredv1.Tier_TIER_POPULAR + 1]int64
	took, wait                           *hdrhistogram.Histogram // microseconds
}

func newSums() *sums {
	return &sums{took: hdrhistogram.New(1, time.Minute.Microseconds(), 2), wait: hdrhistogram.New(1, time.Minute.Microseconds(), 2)}
}

func (s *sums) add(a answer) {
	s.asks++
	if a.rank > 0 {
		s.reciprocal += 1 / float64(a.rank)
	}
	if a.rank > 0 && a.rank <= cutoff {
		s.hits++
		s.ndcg += 1 / math.Log2(1+float64(a.rank))
	}
	if a.repeat {
		s.repeats++
	}
	if a.lag > 0 {
		s.lagging++
		s.lagMax = max(s.lagMax, a.lag)
	}
	s.tiers[a.tier]++
	recordMicros(s.took, a.took)
	recordMicros(s.wait, a.wait)
}

func recordMicros(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), 0), h.HighestTrackableValue())) // in range: cannot fail
}

func (s *sums) figures() Figures {
	f := Figures{Asks: s.asks, LagMax: s.lagMax, TierShares: map[string]float64{}}
	if s.asks == 0 {
		return f
	}
	n := float64(s.asks)
	f.HR, f.NDCG, f.MRR = float64(s.hits)/n, s.ndcg/n, s.reciprocal/n
	f.RepeatShare, f.LagShare = float64(s.repeats)/n, float64(s.lagging)/n
	for t, count := range s.tiers {
		if count > 0 {
			f.TierShares[load.TierName(kindredv1.Tier(t))] = float64(count) / n
		}
	}
	f.AskP50, f.AskP99, f.WaitP99 = millis(s.took, 50), millis(s.took, 99), millis(s.wait, 99)
	return f
}

func millis(h *hdrhistogram.Histogram, percent float64) float64 {
	return float64(h.ValueAtQuantile(percent)) / 1000
}
