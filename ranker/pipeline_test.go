package ranker

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

func TestEachCrowdGetsItsOwn(t *testing.T) {
	world, _ := board(t, boardItems)
	p := must(New(world))
	for _, first := range []uint32{10, 11} {
		res := recommend(t, p, Request{History: touches(first, first+2), UserVector: world.Vectors.Vector(first), Seen: HideInteracted, Limit: 5})
		if res.Tier != Personalized || len(res.Items) != 5 {
			t.Fatalf("%v with %d items, want personalized with 5", res.Tier, len(res.Items))
		}
		if res.Items[0].Item != first+4 {
			t.Errorf("first is %d, want %d, which always comes next", res.Items[0].Item, first+4)
		}
		for _, x := range res.Items {
			if x.Item%2 != first%2 {
				t.Errorf("item %d for a user of the other crowd", x.Item)
			}
		}
	}
}

func TestLadderAndItsReasons(t *testing.T) {
	world, _ := board(t, boardItems)
	p := must(New(world))
	vector := world.Vectors.Vector(4)
	for _, c := range []struct {
		name   string
		req    Request
		tier   Tier
		reason string
	}{
		{"known user", Request{History: touches(4, 6), UserVector: vector}, Personalized, "from the user's vector and 2 events"},
		{"no vector yet", Request{History: touches(4)}, Session, "no vector for this user: answered from 1 event"},
		{"anonymous with clicks", Request{History: touches(4), UserVector: vector, Anonymous: true}, Session, "anonymous session with 1 event"},
		{"a product page", Request{Context: []uint32{4}}, ItemNeighbours, "no event known: answered from 1 item of the page"},
		{"nothing known", Request{}, Popular, "no vector for this user: 0 events known"},
		{"a first visit", Request{Anonymous: true}, Popular, "anonymous session: 0 events known"},
		{"overload", Request{History: touches(4), UserVector: vector, Degraded: Overloaded}, Popular, "past its permit"},
		{"slow store", Request{Context: []uint32{4}, Degraded: ProfileUnavailable}, Popular, "could not be read in time"},
		{"opted out", Request{History: touches(4), UserVector: vector, PersonalizationOff: true}, Popular, "personalization is off"},
		{"opted out on a page", Request{History: touches(4), Context: []uint32{8}, PersonalizationOff: true}, ItemNeighbours, "personalization is off: answered from 1 item"},
		{"history of what is gone", Request{History: touches(1000)}, Popular, "0 events known"},
	} {
		c.req.Limit = 5
		res := recommend(t, p, c.req)
		if res.Tier != c.tier || !strings.Contains(res.Reason.String(), c.reason) {
			t.Errorf("%s: %v (%v), want %v (%s)", c.name, res.Tier, res.Reason, c.tier, c.reason)
		}
		if len(res.Items) != 5 {
			t.Errorf("%s: %d items, want 5", c.name, len(res.Items))
		}
	}
}

func TestItemWithoutAnyConnectionFallsToPopular(t *testing.T) {
	world, table := board(t, boardItems)
	_ = must(0, table.Put(boardItems, catalog.Item{ID: "stranger"}))
	res := recommend(t, must(New(world)), Request{Context: []uint32{boardItems}, Limit: 3})
	if res.Tier != Popular || !strings.Contains(res.Reason.String(), "nothing is connected") {
		t.Errorf("%v: %v, want popular, since nothing is connected", res.Tier, res.Reason)
	}
}

func TestSeenPolicies(t *testing.T) {
	world, _ := board(t, boardItems)
	p := must(New(world))
	history := []Touch{{Item: 4, Kind: Viewed}, {Item: 6, Kind: Purchased}, {Item: 8, Kind: Viewed}}
	for policy, want := range map[SeenPolicy][]uint32{Keep: {4, 6, 8}, HidePurchased: {4, 8}, HideInteracted: nil} {
		res := recommend(t, p, Request{History: history, Seen: policy, Limit: boardItems})
		var got []uint32
		for _, x := range res.Items {
			if x.Item == 4 || x.Item == 6 || x.Item == 8 {
				got = append(got, x.Item)
				if !x.Sources.Has(FromRepeat) {
					t.Errorf("policy %d: item %d does not say that it is a repeat", policy, x.Item)
				}
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("policy %d: %v of the history returned, want %v", policy, got, want)
		}
	}
}

func TestMerchantsChangesCountForTheNextReply(t *testing.T) {
	world, table := board(t, boardItems)
	p := must(New(world))
	req := Request{History: touches(10), Limit: 3, Now: 1000, Seen: HideInteracted}
	first := recommend(t, p, req).Items[0].Item
	for name, patch := range map[string]catalog.Patch{
		"sold out": {Stock: new(int64(0))},
		"hidden":   {Hidden: new(true), Stock: new(int64(catalog.Unlimited))},
	} {
		_ = must(0, table.Patch(first, patch))
		if got := itemsOf(recommend(t, p, req).Items); slices.Contains(got, first) {
			t.Errorf("%s item %d is in %v", name, first, got)
		}
	}
	table.Delete(first)
	if got := itemsOf(recommend(t, p, req).Items); slices.Contains(got, first) {
		t.Errorf("deleted item %d is in %v", first, got)
	}
}

func TestFilterThatLeavesLittleStillFillsThePage(t *testing.T) {
	world, _ := board(t, 1000)
	world.Settings.PopularCandidates = 2
	p := must(New(world))
	// Five items that no source would propose for this user.
	allow := make([]uint64, 16)
	for _, item := range []uint32{501, 503, 601, 701, 999} {
		allow[item/64] |= 1 << (item % 64)
	}
	res := recommend(t, p, Request{History: touches(10), Allow: allow, Limit: 5})
	got := itemsOf(res.Items)
	slices.Sort(got)
	if !slices.Equal(got, []uint32{501, 503, 601, 701, 999}) || res.Reason.Filled == 0 {
		t.Errorf("%v, %v, want the five allowed items and that they were filled up", got, res.Reason)
	}
}

func TestNewItemIsServedByItsTextAtOnce(t *testing.T) {
	world, table := board(t, boardItems)
	now := int64(1e15)
	vectors := append(slices.Clone(world.Vectors.(vectorTable)), world.Vectors.Vector(10))
	world.Vectors, world.Nearest = vectors, exact{vectors}
	_ = must(0, table.Put(boardItems, catalog.Item{ID: "new", Created: now - 1e6}))
	world.Arrivals.Add(boardItems, now-1e6)
	res := recommend(t, must(New(world)), Request{UserVector: vectors[10], History: touches(10), Now: now, Limit: 15, Seen: HideInteracted})
	at := slices.IndexFunc(res.Items, func(x Ranked) bool { return x.Item == boardItems })
	if at < 0 {
		t.Fatalf("%v, want the new item %d among them", itemsOf(res.Items), boardItems)
	}
	if x := res.Items[at]; !x.Sources.Has(FromUserVector) || !x.Sources.Has(FromArrivals) || x.Features[Freshness] < 0.99 || x.Features[ColdSimilarity] < 0.99 {
		t.Errorf("sources %b, freshness %v", x.Sources, x.Features[Freshness])
	}
}

func TestRelations(t *testing.T) {
	world, _ := board(t, boardItems)
	p := must(New(world))
	similar := recommend(t, p, Request{Context: []uint32{10}, Relation: Similar, Limit: 4})
	if got := itemsOf(similar.Items); !slices.Contains(got, 8) || !slices.Contains(got, 12) {
		t.Errorf("similar to 10: %v, want its neighbours 8 and 12 among them", got)
	}
	together := recommend(t, p, Request{Context: []uint32{10}, Relation: BoughtTogether, Limit: 2})
	if got := itemsOf(together.Items); got[0] != 12 {
		t.Errorf("bought together with 10: %v, want 12 first, which comes after it", got)
	}
	if similar.Tier != ItemNeighbours {
		t.Errorf("tier %v, want item_neighbours", similar.Tier)
	}
}

func TestCallersListIsRankedAndTheRestAccountedFor(t *testing.T) {
	world, table := board(t, boardItems)
	_ = must(0, table.Patch(20, catalog.Patch{Stock: new(int64(0))}))
	p := must(New(world))
	var res Response
	req := Request{History: touches(10), Candidates: []uint32{11, 20, 12, 5000, 12}, Limit: 10}
	left, err := p.RankItems(&req, &res, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := itemsOf(res.Items); !slices.Equal(got, []uint32{12, 11}) {
		t.Errorf("%v, want 12, 11", got)
	}
	if want := []LeftOut{{20, OutOfStock}, {5000, NotInCatalog}}; !slices.Equal(left, want) {
		t.Errorf("left out %v, want %v", left, want)
	}
}

func TestDiversityTurnsToTheOtherCrowd(t *testing.T) {
	world, _ := board(t, boardItems)
	p := must(New(world))
	count := func(diversity float32) (odd int) {
		res := recommend(t, p, Request{History: touches(10), UserVector: world.Vectors.Vector(10), Limit: 10, Diversity: diversity})
		for _, x := range res.Items {
			odd += int(x.Item % 2)
		}
		return odd
	}
	if plain, varied := count(0), count(0.7); plain != 0 || varied == 0 {
		t.Errorf("%d of the other crowd without diversity and %d with it, want none and some", plain, varied)
	}
}

func TestWhyNot(t *testing.T) {
	world, table := board(t, boardItems)
	world.Settings = Settings{PopularCandidates: 1, NeighbourCandidates: 3, UserVectorCandidates: 3, CoVisitedCandidates: 3}
	p := must(New(world))
	_ = must(0, table.Patch(14, catalog.Patch{Hidden: new(true)}))
	_ = must(0, table.Patch(16, catalog.Patch{Stock: new(int64(0))}))
	_ = must(0, table.Patch(18, catalog.Patch{AvailableFrom: new(int64(5000))}))
	allow := []uint64{math.MaxUint64 &^ (1 << 22)}
	req := Request{History: touches(10), Exclude: []uint32{24}, Hidden: []uint32{26}, Allow: allow, Seen: HideInteracted, Now: 1000, Limit: 1}
	var res Response
	asked := []uint32{12, 8, 35, 999, 14, 16, 18, 22, 10, 26, 24}
	want := []Verdict{Shown, RankedBelow, NotRetrieved, NotInCatalog, HiddenItem, OutOfStock, Unavailable, Filtered, Seen, Seen, Excluded}
	why, err := p.Explain(&req, asked, &res)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range why {
		if e.Verdict != want[i] || e.Item != asked[i] {
			t.Errorf("item %d: %v, want %v", asked[i], e.Verdict, want[i])
		}
	}
	if why[0].Rank != 1 || why[1].Rank < 2 || len(why[1].Reasons) == 0 || why[2].Rank != 0 {
		t.Errorf("ranks %d, %d, %d, want 1, more, and none", why[0].Rank, why[1].Rank, why[2].Rank)
	}
}

func TestReasonsNameTheItemThatCausedThem(t *testing.T) {
	world, _ := board(t, boardItems)
	p := must(New(world))
	req := Request{History: touches(30, 10), Limit: 1, Seen: HideInteracted}
	res := recommend(t, p, req)
	reasons := p.Reasons(&req, &res, 0, nil)
	at := slices.IndexFunc(reasons, func(r Reason) bool { return r.Feature == CoVisited })
	if at < 0 || !reasons[at].HasBecause || reasons[at].Because != 10 || reasons[at].Text("Item 10") != "Because you bought Item 10" {
		t.Errorf("%+v for item %d, want co_visited because of 10", reasons, res.Items[0].Item)
	}
}

func TestMalformedRequestsAndWorldsAreRefused(t *testing.T) {
	world, _ := board(t, boardItems)
	p := must(New(world))
	nan := float32(math.NaN())
	for i, req := range []Request{{}, {Limit: MaxLimit + 1}, {Limit: 1, Losers: -1}, {Limit: 1, Diversity: nan}, {Limit: 1, Diversity: 2},
		{Limit: 1, Relation: Similar}, {Limit: 1, UserVector: []float32{nan}}, {Limit: 1, History: []Touch{{Weight: nan}}}, {Limit: 1, Seen: 9}} {
		if err := p.Recommend(&req, new(Response)); !errors.Is(err, ErrRequest) {
			t.Errorf("request %d: %v, want ErrRequest", i, err)
		}
	}
	if _, err := New(World{}); !errors.Is(err, ErrWorld) {
		t.Errorf("no catalog: %v, want ErrWorld", err)
	}
	world.Weights = &Weights{CoVisited: math.NaN()}
	if _, err := New(world); !errors.Is(err, ErrWeights) {
		t.Errorf("NaN weight: %v, want ErrWeights", err)
	}
	world.Weights, world.Settings.PositionDecay = nil, 2
	if _, err := New(world); !errors.Is(err, ErrWorld) {
		t.Errorf("decay 2: %v, want ErrWorld", err)
	}
}

func TestFeatureNamesRoundTrip(t *testing.T) {
	for f := range FeatureCount {
		if got, err := ParseFeature(f.String()); err != nil || got != f {
			t.Errorf("%v: %v, %v", f, got, err)
		}
	}
	if _, err := ParseFeature("magic"); !errors.Is(err, ErrWeights) {
		t.Errorf("%v, want ErrWeights", err)
	}
}
