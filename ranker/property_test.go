package ranker

import (
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// evens lets the items with an even number pass.
type evens struct{}

func (evens) Match(row *catalog.Row) bool { return row.Number%2 == 0 }

func drawRequest(t *rapid.T, vectors vectorTable) Request {
	item := rapid.Uint32Range(0, boardItems+5)
	items := func(name string, most int) []uint32 { return rapid.SliceOfN(item, 0, most).Draw(t, name) }
	req := Request{
		Context: items("context", 3), Exclude: items("exclude", 10), Hidden: items("hidden", 5),
		Limit: rapid.IntRange(1, 60).Draw(t, "limit"), Losers: rapid.IntRange(0, 10).Draw(t, "losers"),
		Seed: rapid.Uint64().Draw(t, "seed"), Now: rapid.Int64Range(0, 1e6).Draw(t, "now"),
		Diversity: rapid.SampledFrom([]float32{0, 0.3, 1}).Draw(t, "diversity"),
		Seen:      SeenPolicy(rapid.IntRange(0, 2).Draw(t, "seen")),
		Degraded:  Degradation(rapid.IntRange(0, 1).Draw(t, "degraded")),
		Anonymous: rapid.Bool().Draw(t, "anonymous"),
	}
	for _, i := range items("history", 12) {
		req.History = append(req.History, Touch{Item: i, Kind: Kind(rapid.IntRange(0, 7).Draw(t, "kind")), Weight: rapid.Float32Range(0, 3).Draw(t, "weight")})
	}
	if rapid.Bool().Draw(t, "has vector") {
		req.UserVector = vectors[rapid.IntRange(0, boardItems-1).Draw(t, "vector")]
	}
	if rapid.Bool().Draw(t, "has bitmap") {
		req.Allow = []uint64{rapid.Uint64().Draw(t, "allow")}
	}
	if rapid.Bool().Draw(t, "has match") {
		req.Match = evens{}
	}
	if rapid.IntRange(0, 3).Draw(t, "is caller's list") == 0 {
		req.Candidates = items("candidates", 20)
	}
	return req
}

func TestWhateverIsAskedTheReplyKeepsItsPromises(t *testing.T) {
	world, table := board(t, boardItems)
	_ = must(0, table.Patch(7, catalog.Patch{Stock: new(int64(0))}))
	_ = must(0, table.Patch(8, catalog.Patch{Hidden: new(true)}))
	_ = must(0, table.Patch(9, catalog.Patch{AvailableUntil: new(int64(5e5))}))
	table.Delete(11)
	p := must(New(world))
	rapid.Check(t, func(t *rapid.T) {
		req := drawRequest(t, world.Vectors.(vectorTable))
		var res, again Response
		if err := p.Recommend(&req, &res); err != nil {
			t.Fatal(err)
		}
		if err := p.Recommend(&req, &again); err != nil {
			t.Fatal(err)
		}
		again.Retrieve, again.Rank = res.Retrieve, res.Rank
		if !reflect.DeepEqual(res, again) {
			t.Fatalf("the same request gave %v, then %v", res.Items, again.Items)
		}
		met, fillers := map[uint32]bool{}, 0
		for i, x := range slices.Concat(res.Items, res.Losers) {
			if met[x.Item] {
				t.Fatalf("item %d stands twice", x.Item)
			}
			met[x.Item] = true
			checkServable(t, req, table, x.Item)
			if sum := sumOf(res.Model, &x.Features); math.Abs(sum-x.Score) > 1e-9 {
				t.Fatalf("contributions add up to %v, the score is %v", sum, x.Score)
			}
			if x.Sources == 0 || x.Propensity != 1 {
				t.Fatalf("item %d: sources %b, propensity %v", x.Item, x.Sources, x.Propensity)
			}
			if i > 0 && i < len(res.Items) && req.Diversity == 0 && order(entryOf(res.Items[i-1]), entryOf(x)) >= 0 {
				if fillers > 0 || len(res.Items)-i > res.Reason.Filled {
					t.Fatalf("%v is out of order at %d", res.Items, i)
				}
				fillers = len(res.Items) - i
			}
		}
		checkComplete(t, req, table, &res)
	})
}

func entryOf(x Ranked) entry { return entry{score: x.Score, item: x.Item} }

func forbidden(req Request, item uint32) bool {
	for _, touch := range req.History {
		if touch.Item == item && (req.Seen == HideInteracted || req.Seen == HidePurchased && touch.Kind == Purchased) {
			return true
		}
	}
	return slices.Contains(req.Context, item) || slices.Contains(req.Exclude, item) || slices.Contains(req.Hidden, item) ||
		req.Allow != nil && (item >= 64 || req.Allow[0]&(1<<item) == 0) || req.Match != nil && item%2 != 0
}

func checkServable(t *rapid.T, req Request, table *catalog.Table, item uint32) {
	if forbidden(req, item) {
		t.Fatalf("item %d is one the request forbids", item)
	}
	if why := table.Row(item).Withheld(req.Now); why != catalog.None {
		t.Fatalf("item %d is %v", item, why)
	}
}

// checkComplete: a reply is short only when there is nothing left to show.
func checkComplete(t *rapid.T, req Request, table *catalog.Table, res *Response) {
	left := 0
	for item := range table.Len() {
		if table.Row(item).Servable(req.Now) && !forbidden(req, item) && (req.Candidates == nil || slices.Contains(req.Candidates, item)) {
			left++
		}
	}
	if len(res.Items) != min(left, req.Limit) {
		t.Fatalf("%d items, want %d of the %d that may be shown", len(res.Items), min(left, req.Limit), left)
	}
	if res.Candidates < len(res.Items)+len(res.Losers) || len(res.Losers) != min(req.Losers, res.Candidates-len(res.Items)) {
		t.Fatalf("%d candidates, %d items, %d losers of %d wanted", res.Candidates, len(res.Items), len(res.Losers), req.Losers)
	}
}

func TestBestKeepsWhatSortingKeeps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b best
		b.reset(rapid.IntRange(0, 8).Draw(t, "most"))
		var all []entry
		for i, score := range rapid.SliceOfN(rapid.IntRange(0, 5), 0, 40).Draw(t, "scores") {
			all = append(all, entry{score: float64(score), item: uint32(i * 7 % 40)})
			b.offer(all[i])
		}
		sortEntries(all)
		if got := b.sorted(); !slices.Equal(got, all[:min(len(all), b.most)]) {
			t.Fatalf("%v, want %v", got, all[:min(len(all), b.most)])
		}
	})
}

func TestRequestsRunSideBySide(t *testing.T) {
	world, _ := board(t, boardItems)
	p := must(New(world))
	want := recommend(t, p, Request{History: touches(10, 12), Limit: 5})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if got := recommend(t, p, Request{History: touches(10, 12), Limit: 5}); !slices.Equal(got.Items, want.Items) {
					t.Errorf("%v, want %v", got.Items, want.Items)
				}
			}
		})
	}
	wg.Wait()
}

// sumOf adds up what a model attributes.
func sumOf(m Model, x *Features) float64 {
	var parts Parts
	sum := m.Attribute(x, &parts)
	for _, part := range parts {
		sum += part
	}
	return sum
}
