package shop

import (
	"math"
	"sync/atomic"
)

// strength turns weights of events into strengths that mean the same in every shop: an
// act of the tenant's average weight has strength 1. What the ranker counts and
// adds up is tuned for acts of strength 1; a shop whose log has purchases alone
// would otherwise look four times as sure of itself as one that logs views.
//
// The applier adds, requests read.
type strength struct {
	sum  float64 // of the weights that speak for an item
	acts int64
	mean atomic.Uint32 // float32 bits of sum/acts; 0: no act yet
}

// add takes a weight above 0 in.
func (s *strength) add(weight float32) {
	s.sum += float64(weight)
	s.acts++
	s.mean.Store(math.Float32bits(float32(s.sum / float64(s.acts))))
}

// restore sets what a checkpoint held.
func (s *strength) restore(sum float64, acts int64) {
	s.sum, s.acts = sum, acts
	if acts > 0 {
		s.mean.Store(math.Float32bits(float32(sum / float64(acts))))
	}
}

// of returns the strength of a weight.
func (s *strength) of(weight float32) float32 {
	if mean := math.Float32frombits(s.mean.Load()); mean > 0 {
		return weight / mean
	}
	return 1
}
