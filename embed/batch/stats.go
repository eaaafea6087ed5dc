package batch

import "time"

// Stats are what a batcher did since it was made, and what waits now.
type Stats struct {
	Interactive, Bulk LaneStats

	// Batches that were computed, with so many texts and tokens in them. Tokens of a
	// plain encoder are estimated.
	Batches, Texts, Tokens uint64
	// PaddedTokens is rows times length of all batches: what the encoder computed.
	// A plain encoder pads nothing that can be seen: it is Tokens there.
	PaddedTokens uint64
	// RowsPossible is the number of texts that the batches could have had.
	RowsPossible uint64
	// Truncated counts texts whose end the model did not read.
	Truncated uint64
	// Failed counts batches for which the encoder returned an error, OutOfMemory
	// those that were too large for its memory.
	Failed, OutOfMemory uint64
	// TokenBound is the present bound on rows times length. It is below
	// Config.Tokens after the encoder ran out of memory.
	TokenBound int
	// Rate is what the encoder does, in tokens a second over all runners; 0 before it is
	// known. BatchBound is the present bound on rows times length by it, at most
	// TokenBound.
	Rate       float64
	BatchBound int
	// Shapes is the number of different shapes that ran, each compiled once by an
	// encoder that compiles; LateShapes of them came first after Warm had ended, or
	// without it, and made a caller wait. Zero for a plain encoder.
	Shapes, LateShapes int

	// Tokenize and Run are the times of the two stages, summed over goroutines.
	Tokenize, Run StageTime
}

// LaneStats are those of one lane.
type LaneStats struct {
	// Texts and Bytes are reserved now by calls that were accepted, Ready are texts
	// in the pool.
	Texts, Bytes, Ready int
	// Waiting is the number of calls that wait for room.
	Waiting int
	// Admitted, Refused and Abandoned count calls: taken in, turned away at once, and
	// left by their callers before they were done.
	Admitted, Refused, Abandoned uint64
}

// StageTime is how often a stage ran and how long in all.
type StageTime struct {
	Count uint64
	Total time.Duration
}

func (s *StageTime) add(d time.Duration) {
	s.Count++
	s.Total += d
}

// Mean is the time of one run of the stage; 0 if it never ran.
func (s StageTime) Mean() time.Duration {
	if s.Count == 0 {
		return 0
	}
	return s.Total / time.Duration(s.Count)
}

// MeanFill is the share of possible rows that held texts, 0 to 1; 0 before the first
// batch.
func (s Stats) MeanFill() float64 { return share(s.Texts, s.RowsPossible) }

// PaddingShare is the share of computed tokens that were padding, 0 to 1.
func (s Stats) PaddingShare() float64 { return share(s.PaddedTokens-s.Tokens, s.PaddedTokens) }

func share(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// counters are the part of Stats that the queue's lock guards.
type counters struct {
	batches, texts, tokens, padded, possible uint64
	truncated, failed, outOfMemory           uint64
	tokenize, run                            StageTime
	seen                                     map[Shape]bool // shapes that ran
	late                                     int
}

func (q *queue) snapshot() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := &q.stats
	return Stats{
		Interactive: q.lanes[Interactive].stats(), Bulk: q.lanes[Bulk].stats(),
		Batches: s.batches, Texts: s.texts, Tokens: s.tokens, PaddedTokens: s.padded, RowsPossible: s.possible,
		Truncated: s.truncated, Failed: s.failed, OutOfMemory: s.outOfMemory,
		TokenBound: q.fits, Rate: q.pace.rate, BatchBound: q.bound(), Shapes: len(s.seen), LateShapes: s.late, Tokenize: s.tokenize, Run: s.run,
	}
}

func (l *lane) stats() LaneStats {
	return LaneStats{
		Texts: l.texts, Bytes: l.bytes, Ready: len(l.pool), Waiting: len(l.waiters),
		Admitted: l.admitted, Refused: l.refused, Abandoned: l.abandoned,
	}
}
