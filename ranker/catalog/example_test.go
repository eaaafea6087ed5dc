package catalog_test

import (
	"fmt"
	"log"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

func Example() {
	table, err := catalog.New(catalog.Limits{MaxItems: 1000})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := table.Declare("sheets", catalog.KindNumber, false); err != nil {
		log.Fatal(err)
	}
	err = table.Put(0, catalog.Item{
		ID:         "paper-1",
		Title:      "A4 copy paper",
		Price:      new(4.99),
		Categories: []string{"Office > Paper > A4"},
		Attributes: []catalog.Attribute{{Name: "sheets", Value: catalog.Number(500)}},
	})
	if err != nil {
		log.Fatal(err)
	}
	row := table.Row(0)
	for _, code := range row.Categories {
		fmt.Println(table.Categories.Text(code))
	}
	fmt.Println(row.Withheld(0))

	if err := table.Patch(0, catalog.Patch{Stock: new(int64(0))}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(table.Row(0).Withheld(0))
	fmt.Println(table.Put(1, catalog.Item{Price: new(-1.0)}))
	// Output:
	// Office
	// Office > Paper
	// Office > Paper > A4
	// A4
	// none
	// out of stock
	// id: invalid value: it is empty; give every item an id; price: invalid value: -1; give a finite number of at least 0, or none
}
