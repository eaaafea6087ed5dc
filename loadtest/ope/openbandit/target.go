package openbandit

import (
	"fmt"

	"github.com/kindred-rec/kindred/loadtest/ope"
)

// table is a target whose choice depends on the position alone.
type table struct {
	log     *Log
	actions int
	p       []float64 // [slots, actions]
}

func (t *table) Probability(row int) float64 {
	r := &t.log.Rows[row]
	return t.p[int(r.Slot)*t.actions+int(r.Action)]
}

func (t *table) Choices(row int, dst []ope.Choice) []ope.Choice {
	r := &t.log.Rows[row]
	for a, p := range t.p[int(r.Slot)*t.actions : int(r.Slot+1)*t.actions] {
		dst = append(dst, ope.Choice{Action: int32(a), Probability: p, Features: r.Features})
	}
	return dst
}

// Uniform is the policy that shows each of the log's items as often as any other, for a log to judge.
func Uniform(log *Log) ope.Chooser {
	t := &table{log: log, actions: log.Actions, p: make([]float64, log.Slots*log.Actions)}
	for i := range t.p {
		t.p[i] = 1 / float64(log.Actions)
	}
	return t
}

// Average is the policy of another log as it was on average: each item in each position as often as that log has it. An
// approximation; see the package comment.
func Average(log, of *Log) (ope.Chooser, error) {
	if of.Actions > log.Actions || of.Slots > log.Slots {
		return nil, fmt.Errorf("openbandit: %s has %d items in %d positions, %s %d in %d: the items of a campaign must be the same in both logs",
			of.File, of.Actions, of.Slots, log.File, log.Actions, log.Slots)
	}
	t := &table{log: log, actions: log.Actions, p: make([]float64, log.Slots*log.Actions)}
	rows := make([]float64, log.Slots)
	for i := range of.Rows {
		r := &of.Rows[i]
		rows[r.Slot]++
		t.p[int(r.Slot)*t.actions+int(r.Action)]++
	}
	for slot, n := range rows {
		if n == 0 {
			return nil, fmt.Errorf("openbandit: %s has no row in position %d; what its policy does there is unknown", of.File, slot+1)
		}
		for a := range t.actions {
			t.p[slot*t.actions+a] /= n
		}
	}
	return t, nil
}
