package ranker_test

import (
	"fmt"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/covisit"
)

// A shop of four items, where those who took paper went on to pens.
func Example() {
	table, _ := catalog.New(catalog.Limits{})
	for number, title := range []string{"Paper", "Gel pens", "Desk lamp", "Stapler"} {
		_ = table.Put(uint32(number), catalog.Item{ID: fmt.Sprint(number), Title: title})
	}
	graph, _ := covisit.New(covisit.Options{})
	paper, pens := covisit.Step{Item: 0, Weight: 1}, covisit.Step{Item: 1, Weight: 1}
	_ = graph.Add(nil, paper)
	_ = graph.Add([]covisit.Step{paper}, pens)

	pipeline, _ := ranker.New(ranker.World{Catalog: table, CoVisited: graph})
	request := ranker.Request{
		History: []ranker.Touch{{Item: 0, Kind: ranker.Viewed}},
		Seen:    ranker.HideInteracted, Anonymous: true, Limit: 2,
	}
	var response ranker.Response
	if err := pipeline.Recommend(&request, &response); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%v: %v\n", response.Tier, response.Reason)
	for _, item := range response.Items {
		fmt.Println(table.Row(item.Item).Title)
	}
	reason := pipeline.Reasons(&request, &response, 0, nil)[0]
	fmt.Println(reason.Text(table.Row(reason.Because).Title))
	// Output:
	// session: anonymous session with 1 event; filled up with 1 popular item
	// Gel pens
	// Desk lamp
	// Because you viewed Paper
}
