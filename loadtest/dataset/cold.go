package dataset

import (
	"fmt"
	"math/rand/v2"
)

// coldStream separates this use of a seed from others.
const coldStream = 0xc01d

// Cold gives the same split with a fraction of the catalog unknown to training: the events of floor(fraction × items)
// items, drawn with the seed, are taken out of Train (a sequence that loses all is dropped), and queries that ask for one of
// them are flagged. Histories stay whole, since at serving time such events are seen. The receiver is left as it was.
func (s *Split) Cold(fraction float64, seed uint64) (*Split, error) {
	if !(fraction >= 0 && fraction < 1) {
		return nil, fmt.Errorf("dataset: cold fraction %v: must be at least 0 and below 1", fraction)
	}
	cold := *s
	cold.ColdItem = make([]bool, len(s.Items))
	order := rand.New(rand.NewPCG(seed, coldStream)).Perm(len(s.Items))
	for _, i := range order[:int(fraction*float64(len(s.Items)))] {
		cold.ColdItem[i] = true
	}
	cold.Train = nil
	for _, seq := range s.Train {
		if kept := warm(seq.Events, cold.ColdItem); len(kept) > 0 {
			cold.Train = append(cold.Train, Sequence{User: seq.User, Events: kept})
		}
	}
	cold.Valid = append([]Query(nil), s.Valid...)
	cold.flag(cold.Valid)
	return &cold, nil
}

func warm(events []Interaction, cold []bool) []Interaction {
	kept := make([]Interaction, 0, len(events))
	for _, e := range events {
		if !cold[e.Item] {
			kept = append(kept, e)
		}
	}
	return kept
}

func (s *Split) flag(queries []Query) {
	for i := range queries {
		queries[i].Cold = s.ColdItem != nil && s.ColdItem[queries[i].Target]
	}
}
