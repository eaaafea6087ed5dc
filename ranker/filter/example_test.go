package filter_test

import (
	"fmt"
	"log"

	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/filter"
)

func Example() {
	table, err := catalog.New(catalog.Limits{})
	if err != nil {
		log.Fatal(err)
	}
	for number, item := range []catalog.Item{
		{ID: "a4", Price: new(4.99), Categories: []string{"Office > Paper"}},
		{ID: "a3", Price: new(89.0), Categories: []string{"Office > Paper"}},
		{ID: "pen", Price: new(1.5), Categories: []string{"Office > Pens"}},
	} {
		if err := table.Put(uint32(number), item); err != nil {
			log.Fatal(err)
		}
	}
	cache, err := filter.NewCache(table, filter.Limits{})
	if err != nil {
		log.Fatal(err)
	}
	cheap, err := cache.Filter(`price < 50 && in_stock && "Paper" in categories`)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%b\n", cheap.Bitmap().Words)

	if err := table.Patch(0, catalog.Patch{Stock: new(int64(0))}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(cheap.Match(table.Row(0)), cheap.Bitmap().Cardinality)

	_, err = cache.Filter(`price < "50"`)
	fmt.Println(err)
	// Output:
	// [1]
	// false 0
	// filter, line 1, column 9: price is a number and "50" is text; write for example price < 9.5
}
