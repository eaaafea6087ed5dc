package history_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/kindred-rec/kindred/embed/sentiment"
	"github.com/kindred-rec/kindred/embed/train/history"
)

func Example() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	day := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	acts := func(yield func(history.Act, error) bool) {
		for i, a := range []history.Act{
			{User: "ann", Item: "printer", Type: "view"},
			{User: "ann", Item: "printer", Type: "view"}, // a double click
			{User: "ann", Item: "paper", Type: "comment", Text: "Great paper, I love it."},
			{User: "ann", Item: "ink", Type: "comment", Text: "Terrible, it leaked."},
		} {
			a.Time = day.Add(time.Duration(i) * 20 * time.Second)
			if !yield(a, nil) {
				return
			}
		}
	}
	log, err := history.Build(context.Background(), acts, history.Options{Dir: dir, Sentiment: sentiment.Lexicon{},
		Types: []history.Type{{Name: "view", Weight: 1}, {Name: "comment", Weight: 2, Comment: true}}})
	if err != nil {
		panic(err)
	}
	defer log.Close()
	for h, err := range log.Shuffled(1, 0) {
		if err != nil {
			panic(err)
		}
		for _, e := range h.Events {
			fmt.Println(h.User, log.Items()[e.Item], e.Attracts())
		}
	}
	fmt.Println(log.Report().DuplicateActs, "repeated")
	// Output:
	// ann printer true
	// ann paper true
	// ann ink false
	// 1 repeated
}
