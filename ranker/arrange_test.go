package ranker

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/rerank"
)

// TestVariantsOfOneProductLeaveNoSlotEmpty: where most that was retrieved is one product,
// the list is filled up with others.
func TestVariantsOfOneProductLeaveNoSlotEmpty(t *testing.T) {
	world, table := board(t, 500)
	world.Settings.PopularCandidates = 5
	for i := range uint32(400) {
		_ = must(0, table.Put(i, catalog.Item{ID: fmt.Sprint("item-", i), Group: "one"}))
	}
	p := must(New(world))
	req := Request{History: touches(10), Now: 1, Limit: 20, Policy: &rerank.Policy{}}
	res := recommend(t, p, req)
	ones := 0
	for _, x := range res.Items {
		if x.Item < 400 {
			ones++
		}
	}
	if len(res.Items) != 20 || ones != 1 {
		t.Errorf("%v: %d items, %d of one product; want 20 and 1", itemsOf(res.Items), len(res.Items), ones)
	}
}

// TestAnExcludedItemIsReplaced: what a rule keeps out leaves no hole.
func TestAnExcludedItemIsReplaced(t *testing.T) {
	world, _ := board(t, boardItems)
	p := must(New(world))
	odd := matching(func(row *catalog.Row) bool { return row.Number > 3 })
	req := Request{History: touches(10), Now: 1, Limit: 4, Policy: rules(rerank.Rule{Action: rerank.Exclude, Match: odd})}
	if res := recommend(t, p, req); len(res.Items) != 4 {
		t.Errorf("%v, want the four items that are left", itemsOf(res.Items))
	}
}

// TestTheRequestsDiversityStandsBeforeThePolicys in all its forms.
func TestTheRequestsDiversityStandsBeforeThePolicys(t *testing.T) {
	policy := &rerank.Policy{Diversity: 0.4}
	for _, c := range []struct {
		req  Request
		want float64
	}{
		{Request{}, 0}, {Request{Diversity: 0.25}, 0.25}, {Request{Policy: policy}, 0.4},
		{Request{Policy: policy, Diversity: 0.25}, 0.25}, {Request{Policy: policy, DiversitySet: true}, 0},
	} {
		if got := c.req.diversity(); got != c.want {
			t.Errorf("%+v: %v, want %v", c.req, got, c.want)
		}
	}
}

// TestALongListBeginsAsAShortOne under diversity and chance, so that a page that is kept
// shows what a request without pages does.
func TestALongListBeginsAsAShortOne(t *testing.T) {
	world, _ := board(t, 300)
	p := must(New(world))
	req := Request{History: touches(10, 22), Now: 1, Seed: 9, Policy: &rerank.Policy{Diversity: 0.4, Explore: rerank.Exploration{Temperature: 0.5}}}
	for _, policy := range []*rerank.Policy{req.Policy, nil} { // nil: by score alone
		req.Policy, req.Limit = policy, 10
		short := recommend(t, p, req)
		for _, limit := range []int{100, 250} {
			req.Limit = limit
			long := recommend(t, p, req)
			if limit == 250 && long.Reason.Filled == 0 {
				t.Error("a list of 250 is not filled up")
			}
			for i := range short.Items {
				if short.Items[i].Item != long.Items[i].Item || short.Items[i].Propensity != long.Items[i].Propensity {
					t.Fatalf("%v, and of %d %v", itemsOf(short.Items), limit, itemsOf(long.Items[:10]))
				}
			}
		}
	}
}

// TestUnderAnyPolicyTheReplyKeepsItsPromises: whatever a policy does, nothing is shown that
// may not be, and a reply is short only where nothing is left.
func TestUnderAnyPolicyTheReplyKeepsItsPromises(t *testing.T) {
	world, table := fair(t)
	p := must(New(world))
	rapid.Check(t, func(t *rapid.T) {
		req := drawRequest(t, world.Vectors.(vectorTable))
		req.Now = 1000
		req.Policy = &rerank.Policy{
			KeepVariants: true, Diversity: rapid.SampledFrom([]float64{0, 0.5}).Draw(t, "policy diversity"),
			Explore:  rerank.Exploration{Temperature: rapid.SampledFrom([]float64{0, 1}).Draw(t, "temperature")},
			NewItems: rerank.NewItems{Share: 0.3, MaxImpressions: 1, Method: rerank.Method(rapid.IntRange(0, 2).Draw(t, "method"))},
			Caps:     []rerank.Cap{{By: rerank.Brand, Most: 2, Within: 6}},
			Fatigue:  rerank.Fatigue{Weight: 1, HalfLife: time.Hour},
			Rules: []rerank.Rule{
				{Name: "pin", Action: rerank.Pin, HasItem: true, Item: rapid.Uint32Range(0, 45).Draw(t, "pinned"), Slot: rapid.IntRange(1, 9).Draw(t, "slot")},
				{Name: "share", Action: rerank.Reserve, Match: byNumber(1, 2, 3), Share: 0.3},
			},
		}
		var res Response
		if err := p.Recommend(&req, &res); err != nil {
			t.Fatal(err)
		}
		for i, x := range res.Items {
			checkServable(t, req, table, x.Item)
			if !(x.Propensity > 0 && x.Propensity <= 1) || x.Sources == 0 || math.IsNaN(x.Value) {
				t.Fatalf("slot %d: %+v", i+1, x)
			}
		}
		checkComplete(t, req, table, &res)
	})
}
