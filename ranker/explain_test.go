package ranker

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/conversion"
	"github.com/kindred-rec/kindred/ranker/exposure"
	"github.com/kindred-rec/kindred/ranker/filter"
	"github.com/kindred-rec/kindred/ranker/rerank"
)

// fair is the board with what policies look at: brands a and b by turns of two, and
// variants 12 and 16, which share a group.
func fair(t testing.TB) (World, *catalog.Table) {
	world, table := board(t, boardItems)
	world.Settings = Settings{PopularCandidates: 2, NeighbourCandidates: 12, UserVectorCandidates: 12, CoVisitedCandidates: 12}
	world.Conversion, world.Exposures = must(conversion.New(conversion.Options{})), must(exposure.New(boardItems))
	for i := range uint32(boardItems) {
		item := catalog.Item{ID: fmt.Sprint("item-", i), Title: fmt.Sprint("Item ", i), Brand: []string{"a", "b"}[i/2%2], Price: new(float64(i)), Tags: []string{fmt.Sprint("tag ", i%2)}}
		if i == 12 || i == 16 {
			item.Group = "shirt"
		}
		if err := table.Put(i, item); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		table.Patch(30, catalog.Patch{Hidden: new(true)}), table.Patch(31, catalog.Patch{Stock: new(int64(0))}),
		table.Patch(32, catalog.Patch{AvailableFrom: new(int64(5000))}), table.Patch(33, catalog.Patch{AvailableUntil: new(int64(500))}),
		world.Exposures.(*exposure.Counter).Add(18, 7, 1000),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return world, table
}

func byNumber(numbers ...uint32) matching {
	return func(row *catalog.Row) bool { return slices.Contains(numbers, row.Number) }
}

type matching func(row *catalog.Row) bool

func (m matching) Match(row *catalog.Row) bool { return m(row) }

func rules(r ...rerank.Rule) *rerank.Policy {
	for i := range r {
		r[i].Name = fmt.Sprint("r", i)
	}
	return &rerank.Policy{Rules: r, KeepVariants: true}
}

// TestWhyAndWhyNot holds cases made by hand. The user bought item 10: without a policy the
// list of three is 12, 14, 16 and the next are 18, 6, 8.
func TestWhyAndWhyNot(t *testing.T) {
	world, table := fair(t)
	p := must(New(world))
	cheap := must(must(filter.NewCompiler(table, filter.Limits{})).Compile(`price < 15.0 && brand == "b"`))
	kept := &rerank.Policy{KeepVariants: true}
	for _, c := range []struct {
		name    string
		change  func(q *Request)
		item    uint32
		verdict Verdict
		says    string
	}{
		{"the best", nil, 12, Shown, "shown at place 1"},
		{"the last of the list", nil, 16, Shown, "shown at place 3"},
		{"the first that is not in it", nil, 18, RankedBelow, "ranked at place 4"},
		{"far from all that is known", nil, 35, NotRetrieved, "item_neighbour: not among the first"},
		{"how far from the vector", func(q *Request) { q.UserVector = world.Vectors.Vector(10) }, 37, NotRetrieved, "it takes 12"},
		{"unknown", nil, 999, NotInCatalog, "not in the catalog"},
		{"hidden", nil, 30, HiddenItem, "hidden by the merchant"},
		{"sold out", nil, 31, OutOfStock, "out of stock"},
		{"not yet", nil, 32, Unavailable, "outside its dates"},
		{"no longer", nil, 33, Unavailable, "outside its dates"},
		{"filtered by its first clause", func(q *Request) { q.Match = cheap }, 18, Filtered, "refused by the filter: price < 15.0"},
		{"filtered by its second clause", func(q *Request) { q.Match = cheap }, 12, Filtered, `refused by the filter: brand == "b"`},
		{"filtered by a bitmap", func(q *Request) { q.Allow = []uint64{math.MaxUint64 &^ (1 << 12)} }, 12, Filtered, "refused by the filter"},
		{"bought before", nil, 10, Seen, "seen by the user"},
		{"hidden by the user", func(q *Request) { q.Hidden = []uint32{12} }, 12, Seen, "hidden by them"},
		{"excluded", func(q *Request) { q.Exclude = []uint32{12} }, 12, Excluded, "excluded by the request"},
		{"on the page", func(q *Request) { q.Context = []uint32{12} }, 12, Excluded, "an item of the page"},
		{"excluded by a rule", func(q *Request) { q.Policy = rules(rerank.Rule{Action: rerank.Exclude, Match: byNumber(12)}) }, 12, ExcludedByRule, `rule "r0" (exclude)`},
		{"shown enough today", func(q *Request) {
			q.Policy = rules(rerank.Rule{Action: rerank.CapPerDay, Match: byNumber(18), PerDay: 7})
		}, 18, DailyCapReached, `rule "r0" (daily cap)`},
		{"not shown enough today", func(q *Request) {
			q.Policy = rules(rerank.Rule{Action: rerank.CapPerDay, Match: byNumber(18), PerDay: 8})
			q.Limit = 6
		}, 18, Shown, "shown at place"},
		{"capped", func(q *Request) {
			q.Limit, q.Policy = 2, rules(rerank.Rule{Action: rerank.Boost, Match: byNumber(12, 16), Factor: 100})
			q.Policy.Caps = []rerank.Cap{{By: rerank.Brand, Most: 1}}
		}, 16, OverCap, "at most 1 by brand"},
		{"another variant", func(q *Request) { q.Policy = &rerank.Policy{}; q.Limit = 5 }, 16, AnotherVariant, "another variant of it is shown"},
		{"variants are kept", func(q *Request) { q.Policy = kept; q.Limit = 5 }, 16, Shown, "shown at place 3"},
		{"pinned", func(q *Request) { q.Policy = rules(rerank.Rule{Action: rerank.Pin, HasItem: true, Item: 35, Slot: 2}) }, 35, Shown, "shown at place 2, pinned"},
		{"pushed out by a pin", func(q *Request) { q.Policy = rules(rerank.Rule{Action: rerank.Pin, HasItem: true, Item: 35, Slot: 1}) }, 16, PushedByRule, "pushed down by rules"},
		{"boosted", func(q *Request) {
			q.Policy = rules(rerank.Rule{Action: rerank.Boost, Match: byNumber(18), Factor: 1e6})
		}, 18, Shown, "adds +13.8 to the score"},
		{"lowered", func(q *Request) {
			q.Policy = rules(rerank.Rule{Action: rerank.Boost, Match: byNumber(12), Factor: 1e-6})
		}, 12, PushedByRule, "adds -13.8 to the score"},
		{"buried", func(q *Request) { q.Policy = rules(rerank.Rule{Action: rerank.Bury, Match: byNumber(12)}) }, 12, PushedByRule, "behind all that is not buried"},
		{"reserved", func(q *Request) {
			q.UserVector = world.Vectors.Vector(10)
			q.Policy = rules(rerank.Rule{Action: rerank.Reserve, Match: byNumber(4), Share: 0.4})
		}, 4, Shown, "reserved"},
		{"passed over", func(q *Request) {
			q.Policy = &rerank.Policy{Fatigue: rerank.Fatigue{Weight: 10, HalfLife: time.Hour}, KeepVariants: true}
			q.Impressions = []Showing{{Item: 12, Time: 1000}, {Item: 12}}
		}, 12, PushedByFatigue, "passed over by the user"},
		{"pushed down by diversity", func(q *Request) { q.Diversity = 0.95 }, 16, PushedByDiversity, "pushed down by diversity, at place 3 by score"},
		{"brought up by diversity", func(q *Request) { q.Diversity = 0.8; q.Limit = 5 }, 1, Shown, "diversity took"},
		{"lost the draw", func(q *Request) {
			q.Policy = &rerank.Policy{Explore: rerank.Exploration{Temperature: 1e6}}
			q.Limit = 1
		}, 12, LostDraw, "lost the draw"},
	} {
		req := Request{History: touches(10), Seen: HideInteracted, Now: 1000, Limit: 3, Seed: 1}
		if c.change != nil {
			c.change(&req)
		}
		var res Response
		why, err := p.Explain(&req, []uint32{c.item}, &res)
		if err != nil {
			t.Fatal(err)
		}
		if e := why[0]; e.Verdict != c.verdict || !strings.Contains(e.Text(), c.says) {
			t.Errorf("%s: item %d: %v: %s\nwant %v: %s\nlist %v", c.name, c.item, e.Verdict, e.Text(), c.verdict, c.says, itemsOf(res.Items))
		}
		plain := recommend(t, p, req)
		if !reflect.DeepEqual(plain.Items, res.Items) {
			t.Errorf("%s: explained %v, recommended %v", c.name, itemsOf(res.Items), itemsOf(plain.Items))
		}
	}
}

// TestContributionsAddUp over 10,000 random rows of a linear model.
func TestContributionsAddUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 10_000 {
		var w Weights
		var x Features
		var parts Parts
		for f := range w {
			w[f], x[f] = 20*rng.NormFloat64(), float32(3*rng.NormFloat64())
		}
		sum := w.Attribute(&x, &parts)
		for _, part := range parts {
			sum += part
		}
		var columns Columns
		var score [1]float64
		for f := range x {
			columns[f] = x[f : f+1]
		}
		w.Score(&columns, score[:])
		if math.Abs(sum-score[0]) > 1e-6*max(1, math.Abs(score[0])) {
			t.Fatalf("contributions add up to %v, the score is %v", sum, score[0])
		}
	}
}

// TestExplainedReasonsAddUp in whole answers, with what no feature brought.
func TestExplainedReasonsAddUp(t *testing.T) {
	world, _ := fair(t)
	p := must(New(world))
	for seed := range uint64(50) {
		item := uint32(seed % boardItems)
		req := Request{History: touches(item, (item+2)%boardItems), UserVector: world.Vectors.Vector(item), Now: 1000, Limit: 8, Seed: seed}
		var res Response
		why, err := p.Explain(&req, itemsOf(recommend(t, p, req).Items), &res)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range why {
			sum := e.Rest
			for _, r := range e.Reasons {
				sum += r.Contribution
			}
			if math.Abs(sum-e.Score) > 1e-6*max(1, math.Abs(e.Score)) || e.Verdict != Shown {
				t.Fatalf("item %d: reasons add up to %v, the score is %v", e.Item, sum, e.Score)
			}
		}
	}
}

func TestTasteNamesTheClosestItemOfTheHistory(t *testing.T) {
	world, _ := fair(t)
	world.Weights = &Weights{UserSimilarity: 5}
	p := must(New(world))
	req := Request{History: touches(11, 30, 20), UserVector: world.Vectors.Vector(20), Now: 1000, Limit: 1, Seen: HideInteracted}
	res := recommend(t, p, req)
	reasons := p.Reasons(&req, &res, 0, nil)
	if got := reasons[0].Text("Item 20"); res.Items[0].Item%2 != 0 || reasons[0].Because != 20 || got != "Because you bought Item 20" {
		t.Errorf("%q for item %d because of %d, want the item of the history that is closest, 20", got, res.Items[0].Item, reasons[0].Because)
	}
	// Items of the other crowd are at right angles: none is close enough to be named.
	req.History = touches(11, 13)
	if reasons = p.Reasons(&req, &res, 0, nil); reasons[0].HasBecause || reasons[0].Text("") != "Close to your taste" {
		t.Errorf("%+v, want no item named", reasons[0])
	}
}

func TestRankItemsTellsOfVariantsAndRules(t *testing.T) {
	world, _ := fair(t)
	p := must(New(world))
	req := Request{History: touches(10), Candidates: []uint32{12, 16, 8, 14}, Now: 1000, Limit: 4,
		Policy: rules(rerank.Rule{Action: rerank.Exclude, Match: byNumber(8)}, rerank.Rule{Action: rerank.Pin, HasItem: true, Item: 2, Slot: 1})}
	req.Policy.KeepVariants = false
	var res Response
	left, err := p.RankItems(&req, &res, nil)
	if want := []LeftOut{{16, AnotherVariant}, {8, ExcludedByRule}}; err != nil || !slices.Equal(left, want) {
		t.Errorf("%v, %v, want %v", left, err, want)
	}
	if got := itemsOf(res.Items); !slices.Equal(got, []uint32{12, 14}) || len(res.Conflicts) != 1 || res.Conflicts[0].Why != rerank.PinMissing {
		t.Errorf("%v with %v, want 12 and 14: a pin adds nothing to the caller's list, and says so", got, res.Conflicts)
	}
}
