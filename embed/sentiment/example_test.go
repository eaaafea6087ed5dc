package sentiment_test

import (
	"context"
	"fmt"

	"github.com/kindred-rec/kindred/embed/sentiment"
	"github.com/kindred-rec/kindred/embed/static"
)

func Example() {
	enc, err := static.Default()
	if err != nil {
		panic(err)
	}
	head, err := sentiment.Default()
	if err != nil {
		panic(err)
	}
	model, err := head.With(enc)
	if err != nil {
		panic(err)
	}
	comments := []string{"I love it, works great.", "Arrived broken. Avoid."}
	out := make([]float64, len(comments))
	if err := model.Score(context.Background(), comments, out); err != nil {
		panic(err)
	}
	for i, c := range comments {
		fmt.Println(c, out[i] > 0)
	}
	// Output:
	// I love it, works great. true
	// Arrived broken. Avoid. false
}
