package ope_test

import (
	"context"
	"fmt"

	"github.com/kindred-rec/kindred/loadtest/ope"
)

// second always takes the second of two actions.
type second struct{ log *ope.Log }

func (t second) Probability(row int) float64 { return float64(t.log.Rows[row].Action) }

// A coin chose between two banners; the second was clicked twice as often. What had it earned alone?
func Example() {
	log := &ope.Log{Actions: 2, Slots: 1, MaxReward: 1}
	for d := range 1000 {
		r := ope.Row{Decision: int32(d), Action: int32(d % 2), Propensity: 0.5}
		if d%20 == 0 || d%20 == 1 || d%20 == 11 { // 10% of the first, 20% of the second
			r.Reward = 1
		}
		log.Rows = append(log.Rows, r)
	}
	result, err := ope.Evaluate(context.Background(), log, second{log}, ope.DefaultOptions())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, by := range []ope.Estimator{ope.Logged, ope.SNIPS} {
		e, _ := result.Estimate(by)
		fmt.Printf("%s: %.3f\n", by, e.Value)
	}
	fmt.Printf("worth %.0f decisions\n", result.Effective)
	// Output:
	// logged: 0.150
	// snips: 0.200
	// worth 500 decisions
}
