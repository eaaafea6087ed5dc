package dataset_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

func ExampleOpen() {
	src, err := dataset.Open(dataset.RecBole, "testdata/recbole", dataset.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for event, err := range src.Events() {
		var row *dataset.RowError
		switch {
		case errors.As(err, &row):
			fmt.Printf("line %d: %s\n", row.Row, row.Reason)
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Printf("%s gave %s %v\n", event.User, event.Item, event.Value)
		}
	}
	// Output:
	// u1 gave p1 4
	// line 3: must be a finite number
	// line 4: row has 2 fields, the header 4
	// line 5: time must lie between 1970 and 9999
	// line 6: must be a finite number
	// u2 gave p1 5
}

func ExampleNewSplit() {
	src, err := dataset.Open(dataset.MovieLens, "testdata/movielens", dataset.Options{})
	if err != nil {
		log.Fatal(err)
	}
	bad := 0
	split, err := dataset.NewSplit(src, dataset.SplitOptions{OnRowError: func(*dataset.RowError) error {
		if bad++; bad > 100 {
			return errors.New("more than 100 bad rows")
		}
		return nil
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(split.Items), "items,", len(split.Train), "users,", bad, "bad rows")
	// Output: 5 items, 2 users, 13 bad rows
}
