package ope

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// evenLog has n single decisions of two actions, taken by turns with propensity p.
func evenLog(n int, p float64) *Log {
	log := &Log{Actions: 3, Slots: 1, Closed: true, MaxReward: 1}
	for d := range n {
		log.Rows = append(log.Rows, Row{Decision: int32(d), Action: int32(d % 2), Propensity: p, Reward: float64(d / 2 % 2)})
	}
	return log
}

// always takes each action with a fixed probability.
func always(log *Log, p ...float64) tableTarget {
	t := tableTarget{log: log}
	for range log.Rows {
		t.p = append(t.p, p)
	}
	return t
}

func TestThinSupportIsRefusedWithItsShare(t *testing.T) {
	log := evenLog(400, 0.5)
	certain := evenLog(400, 1) // nothing left to chance
	for _, c := range []struct {
		name   string
		log    *Log
		target Target
		says   string
	}{
		{"never overlaps", log, logged{always(log, 0, 0, 1)}, "100% of its choices are unexplored"},
		{"an action the log never took", log, always(log, 0.4, 0.4, 0.2), "20.0% of the target's choices were never tried in the log; at most 5.0%"},
		{"slots without chance", certain, logged{always(certain, 0.5, 0.5, 0)}, "50.0% of the target's choices were never tried"},
		{"missing weight", log, logged{always(log, 0.4, 0.4, 0.2)}, "the mean weight is 0.800 ± 0.000: at least 20.0%"},
		{"few decisions", evenLog(60, 0.5), always(evenLog(60, 0.5), 0.5, 0.5, 0), "worth 60.0 decisions to the target; at least 100"},
	} {
		r, err := Evaluate(t.Context(), c.log, c.target, DefaultOptions())
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q", c.name, err, c.says)
			continue
		}
		if r == nil || r.Refused == "" || len(r.Estimates) != 1 || r.Estimates[0].Estimator != Logged {
			t.Errorf("%s: a refusal has the log's own value alone: %+v", c.name, r)
		}
	}
	o := DefaultOptions()
	o.MaxUnexplored = 0.21
	if _, err := Evaluate(t.Context(), log, always(log, 0.4, 0.4, 0.2), o); err != nil {
		t.Errorf("a share within the bound: %v", err)
	}
}

func TestSupportByHand(t *testing.T) {
	log := evenLog(4, 0.5)
	target := given{1, 0.25, 1, 0.25} // weights 2, .5, 2, .5
	w, err := newWeights(log, target, Cascade, 1)
	if err != nil {
		t.Fatal(err)
	}
	s, err := support(log, target, w, Cascade)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "mean weight", s.MeanWeight, 1.25)
	near(t, "its error", s.MeanWeightSE, math.Sqrt(4*0.75*0.75/3/4))
	near(t, "largest weight", s.MaxWeight, 2)
	near(t, "clipped rows", s.ClippedShare, 0.5)
	near(t, "clipped weight", s.ClippedWeight, 0.4)
	near(t, "effective decisions", s.Effective, 9/2.5) // of weights 1, .5, 1, .5
	near(t, "effective rewards", s.Rewards, 1.5*1.5/1.25)
}

// With clipped weights at 1 an estimate leans towards the log; the result says so.
func TestClippingIsTold(t *testing.T) {
	log, target := randomLog(rand.New(rand.NewPCG(8, 8)), 500, 1)
	o := DefaultOptions()
	o.Clip = 1
	r, err := Evaluate(t.Context(), log, target, o)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(r.Notes, "\n"), "weights are clipped at 1") || r.ClippedShare == 0 {
		t.Errorf("notes %q, share %v", r.Notes, r.ClippedShare)
	}
}

func TestWeightsThatDoNotAverageOneAreNoted(t *testing.T) {
	log := evenLog(400, 0.25) // wrong: each action came half of the time
	r, err := Evaluate(t.Context(), log, logged{always(log, 0.5, 0.5, 0)}, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(r.Notes, "\n"), "the propensities are not those of the log's policy") {
		t.Errorf("notes %q", r.Notes)
	}
}
