package sequence_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/train/sequence"
)

// A shop of ten items, in which people buy one after the other.
func Example() {
	var bought [][]sequence.Event
	for user := range uint32(60) {
		first := user % 10
		bought = append(bought, sequence.Items(first, (first+1)%10, (first+2)%10, (first+3)%10))
	}
	o := sequence.DefaultOptions(causal.Config{Items: 10, Dim: 16, Layers: 1, Heads: 2, FeedForward: 32, Window: 8, Epsilon: 1e-5})
	o.Epochs, o.Batch, o.LearningRate, o.Dropout = 20, 16, 0.02, 0
	cases := []sequence.Case{{History: sequence.Items(7, 8), Target: 9}, {History: sequence.Items(8, 9), Target: 0}}
	r, err := sequence.Train(context.Background(), sequence.Data{Sequences: slices.Values(bought), Valid: cases}, o)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := sequence.Evaluate(context.Background(), []causal.Tower{{Config: r.Config, Weights: r.Weights}}, nil, cases, true, 1)
	fmt.Println(m.MRR, err)
	// Output: 1 <nil>
}
