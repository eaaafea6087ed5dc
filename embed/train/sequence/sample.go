package sequence

import (
	"math"
	"math/rand/v2"
	"slices"
)

// sampler chooses the items of a step when there are too many for all to take part: those
// of its events, and others that stand for the rest.
//
// Half of the draws are uniform, half by how often an item occurs. An item that is in a
// step with probability p counts 1/p times in the softmax, so that the sum over those
// there is, on the mean, that over all; a row's own target, which is always there, counts
// once. The items of the batch's own events count as drawn by how often they occur.
type sampler struct {
	draws  int
	events []Event   // of all sequences
	often  []float64 // [items]: the share of the events
	seed   uint64

	chosen []uint32
	bias   []float32 // [chosen]: -log of the probability of being there
}

func newSampler(o Options, c *corpus) *sampler {
	if !o.samples() {
		return nil
	}
	s := &sampler{draws: o.Negatives, events: c.events, often: make([]float64, o.Config.Items), seed: o.Seed}
	for _, e := range c.events {
		s.often[e.Item] += 1 / float64(len(c.events))
	}
	return s
}

// choose sets what takes part in a step on a batch.
func (s *sampler) choose(b *batch, step uint64) {
	rng := rand.New(rand.NewPCG(s.seed^0x3c3c3c3c3c3c3c3c, step))
	s.chosen = s.chosen[:0]
	for _, e := range b.events {
		s.chosen = append(s.chosen, e.Item)
	}
	for _, t := range b.targets {
		s.chosen = append(s.chosen, t.item)
	}
	for i := range s.draws {
		if i%2 == 0 {
			s.chosen = append(s.chosen, rng.Uint32N(uint32(len(s.often))))
		} else {
			s.chosen = append(s.chosen, s.events[rng.IntN(len(s.events))].Item)
		}
	}
	slices.Sort(s.chosen)
	s.chosen = slices.Compact(s.chosen)
	s.bias = s.bias[:0]
	half, own := float64(s.draws)/2, float64(len(b.events)+sequencesOf(b))
	uniform := (float64(s.draws) - math.Floor(half)) * math.Log1p(-1/float64(len(s.often)))
	for _, item := range s.chosen {
		absent := uniform + (math.Floor(half)+own)*math.Log1p(-s.often[item])
		s.bias = append(s.bias, float32(-math.Log(-math.Expm1(absent))))
	}
}

// sequencesOf is the number of sequences, each of which has one event more than its inputs.
func sequencesOf(b *batch) (n int) {
	for row, start := range b.starts {
		if int(start) == row {
			n++
		}
	}
	return n
}
