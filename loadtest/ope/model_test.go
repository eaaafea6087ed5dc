package ope

import (
	"math"
	"math/rand/v2"
	"testing"
)

func allRows(log *Log) []int {
	rows := make([]int, len(log.Rows))
	for i := range rows {
		rows[i] = i
	}
	return rows
}

func TestMeansShrinkByHand(t *testing.T) {
	log := &Log{Actions: 3, Slots: 2, Rows: []Row{
		{Decision: 0, Action: 0, Slot: 0, Propensity: 1, Reward: 1}, {Decision: 1, Action: 0, Slot: 0, Propensity: 1, Reward: 1},
		{Decision: 2, Action: 0, Slot: 1, Propensity: 1}, {Decision: 3, Action: 1, Slot: 0, Propensity: 1}}}
	p, err := Means{Strength: 2}.Fit(log, allRows(log))
	if err != nil {
		t.Fatal(err)
	}
	// All rows: 1/2. Action 0: (2 + 2·½)/(3+2) = .6; action 1: (0 + 1)/(1+2) = 1/3; action 2: ½.
	for _, c := range []struct {
		action, slot int32
		want         float64
	}{{0, 0, (2 + 2*0.6) / 4}, {0, 1, 1.2 / 3}, {1, 0, 2.0 / 3 / 3}, {1, 1, 1.0 / 3}, {2, 0, 0.5}} {
		near(t, "expectation", p.Predict(c.action, c.slot, nil), c.want)
	}
}

func TestRidgeFindsALinearReward(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	log := &Log{Actions: 2, Slots: 1, Features: 2}
	for d := range 3000 {
		x := []float32{float32(rng.NormFloat64()), float32(rng.NormFloat64())}
		log.Rows = append(log.Rows, Row{Decision: int32(d), Action: int32(d % 2), Propensity: 0.5, Features: x,
			Reward: 3 + 2*float64(x[0]) - float64(x[1]) + 0.1*rng.NormFloat64()})
	}
	p, err := Ridge{Means: Means{20}, Penalty: 1e-3}.Fit(log, allRows(log))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range [][]float32{{0, 0}, {1, 0}, {0, 1}, {-1, 2}} {
		if got, want := p.Predict(0, 0, x), 3+2*float64(x[0])-float64(x[1]); math.Abs(got-want) > 0.02 {
			t.Errorf("at %v: %v, want %v", x, got, want)
		}
	}
}

// A model that is right narrows the doubly robust estimate: that is what it is for.
func TestAGoodModelNarrowsDR(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	log := &Log{Actions: 2, Slots: 1, Features: 1}
	target := tableTarget{log: log}
	for d := range 2000 {
		x := float32(rng.NormFloat64())
		log.Rows = append(log.Rows, Row{Decision: int32(d), Action: int32(d % 2), Propensity: 0.5, Features: []float32{x}, Reward: 5 + float64(x) + 0.1*rng.NormFloat64()})
		target.p = append(target.p, []float64{0.9, 0.1})
	}
	width := func(m RewardModel) float64 {
		o := DefaultOptions()
		o.Model = m
		r, err := Evaluate(t.Context(), log, sameFeatures{target}, o)
		if err != nil {
			t.Fatal(err)
		}
		e, _ := r.Estimate(DR)
		return e.Interval.High - e.Interval.Low
	}
	if means, ridge := width(Means{20}), width(Ridge{Means{20}, 1}); !(ridge < 0.8*means) {
		t.Errorf("width %v with the right model, %v without", ridge, means)
	}
}

// sameFeatures gives each choice the features of its row: those of the context.
type sameFeatures struct{ tableTarget }

func (t sameFeatures) Choices(row int, dst []Choice) []Choice {
	dst = t.tableTarget.Choices(row, dst)
	for i := range dst {
		dst[i].Features = t.log.Rows[row].Features
	}
	return dst
}
