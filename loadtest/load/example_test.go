package load_test

import (
	"fmt"

	"github.com/kindred-rec/kindred/loadtest/load"
)

func ExampleParseMix() {
	mix, err := load.ParseMix("recommend=4,event=1")
	fmt.Println(mix, err)
	_, err = load.ParseMix("browse=1")
	fmt.Println(err)
	// Output:
	// recommend=80,event=20 <nil>
	// load: mix "browse=1": "browse=1" is not kind=weight with a kind of recommend, event, similar, search, rank, patch, add, empty
}
