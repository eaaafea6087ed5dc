package replay

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/kindred-rec/kindred/loadtest/load"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// cutoff is the rank that HR@10, NDCG@10, novelty and coverage go to.
const cutoff = 10

// Quality is how well a set of asks was answered. All but Asks are 0 where there are none.
type Quality struct {
	Asks int64   `json:"asks"`
	HR   float64 `json:"hr_at_10"`
	NDCG float64 `json:"ndcg_at_10"`
	MRR  float64 `json:"mrr"`
	// Novelty is the mean of -log2 of the popularity of what stood in the first tens, in bits: the higher, the less known.
	Novelty float64 `json:"novelty_bits"`
	// RepeatShare is the share of asks whose item the user had before in the log.
	RepeatShare float64 `json:"repeat_share"`
	// TierShares by rung, such as "personalized".
	TierShares map[string]float64 `json:"tier_shares"`
}

// Figures are quality, lag and speed of a stretch of the log.
type Figures struct {
	Quality
	// LagShare is the share of replies that did not reflect all that was written before; LagMax is the furthest, in log entries.
	LagShare float64 `json:"lag_share"`
	LagMax   int64   `json:"lag_max"`
	// Ask times as the client sees them, and how long the server waited for the last write to count, milliseconds.
	AskP50  float64 `json:"ask_p50_ms"`
	AskP99  float64 `json:"ask_p99_ms"`
	WaitP99 float64 `json:"wait_p99_ms"`
}

// answer is what one ask gave. The zero value: nothing was asked.
type answer struct {
	asked            bool
	rank             int // of the item that came next, from 1; 0: not in the list
	tier             kindredv1.Tier
	lag              int64
	wait, took       time.Duration // whole microseconds
	recommendationID string
	shown            []string // the first ten
}

// judged is an answer with what the log says about it.
type judged struct {
	answer
	repeat  bool
	novelty float64 // summed over the items shown, bits
}

// tally adds up quality. Not safe for concurrent use.
type tally struct {
	asks, hits, repeats, slots int64
	ndcg, reciprocal, novelty  float64
	tiers                      [kindredv1.Tier_TIER_POPULAR + 1]int64
}

func (t *tally) add(a judged) {
	t.asks++
	if a.rank > 0 {
		t.reciprocal += 1 / float64(a.rank)
	}
	if a.rank > 0 && a.rank <= cutoff {
		t.hits++
		t.ndcg += 1 / math.Log2(1+float64(a.rank))
	}
	if a.repeat {
		t.repeats++
	}
	t.slots += int64(len(a.shown))
	t.novelty += a.novelty
	t.tiers[a.tier]++
}

func (t *tally) quality() Quality {
	q := Quality{Asks: t.asks, TierShares: map[string]float64{}}
	if t.asks == 0 {
		return q
	}
	n := float64(t.asks)
	q.HR, q.NDCG, q.MRR, q.RepeatShare = float64(t.hits)/n, t.ndcg/n, t.reciprocal/n, float64(t.repeats)/n
	if t.slots > 0 {
		q.Novelty = t.novelty / float64(t.slots)
	}
	for tier, count := range t.tiers {
		if count > 0 {
			q.TierShares[load.TierName(kindredv1.Tier(tier))] = float64(count) / n
		}
	}
	return q
}

// sums adds answers up, with their lag and their times. Not safe for concurrent use.
type sums struct {
	tally
	lagging, lagMax int64
	took, wait      *hdrhistogram.Histogram // microseconds
}

func newSums() *sums {
	return &sums{took: hdrhistogram.New(1, time.Minute.Microseconds(), 2), wait: hdrhistogram.New(1, time.Minute.Microseconds(), 2)}
}

func (s *sums) add(a judged) {
	s.tally.add(a)
	if a.lag != 0 { // -1: not known
		s.lagging++
		s.lagMax = max(s.lagMax, a.lag)
	}
	recordMicros(s.took, a.took)
	recordMicros(s.wait, a.wait)
}

func recordMicros(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), 0), h.HighestTrackableValue())) // in range: cannot fail
}

func (s *sums) figures() Figures {
	f := Figures{Quality: s.quality(), LagMax: s.lagMax}
	if s.asks == 0 {
		return f
	}
	f.LagShare = float64(s.lagging) / float64(s.asks)
	f.AskP50, f.AskP99, f.WaitP99 = millis(s.took, 50), millis(s.took, 99), millis(s.wait, 99)
	return f
}

func millis(h *hdrhistogram.Histogram, percent float64) float64 {
	return float64(h.ValueAtQuantile(percent)) / 1000
}
