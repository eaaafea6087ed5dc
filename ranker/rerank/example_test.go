package rerank_test

import (
	"fmt"

	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/rerank"
)

// named is a condition; in service it is a compiled filter.
type named string

func (n named) Match(row *catalog.Row) bool { return row.Title == string(n) }

// A shop keeps its lamp in the second slot and lets one item of a brand stand.
func Example() {
	table, _ := catalog.New(catalog.Limits{})
	for number, item := range []catalog.Item{
		{ID: "a", Title: "Paper", Brand: "Leaf"}, {ID: "b", Title: "Thick paper", Brand: "Leaf"}, {ID: "c", Title: "Lamp"}, {ID: "d", Title: "Pen"},
	} {
		_ = table.Put(uint32(number), item)
	}
	policy := &rerank.Policy{
		Caps:  []rerank.Cap{{By: rerank.Brand, Most: 1}},
		Rules: []rerank.Rule{{Name: "light", Action: rerank.Pin, Match: named("Lamp"), Slot: 2}, {Name: "also", Action: rerank.Pin, Match: named("Desk"), Slot: 3}},
	}
	if err := policy.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	var engine rerank.Engine
	var list rerank.List
	engine.Rerank(&rerank.Input{
		Candidates: []rerank.Candidate{{Item: 0, Score: 4}, {Item: 1, Score: 3}, {Item: 2, Score: 1}, {Item: 3, Score: 2}},
		Policy:     policy, Limit: 3, Rows: table,
	}, &list)
	for _, slot := range list.Slots {
		fmt.Printf("%s, %v\n", table.Row(slot.Item).Title, slot.Fill)
	}
	for _, conflict := range list.Conflicts {
		fmt.Println(conflict.Text(policy))
	}
	// Output:
	// Paper, ranked
	// Lamp, pinned
	// Pen, ranked
	// rule "also" (pin) at slot 3: no item that may be shown meets it
}
