package service_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

const (
	purchase = kindredv1.EventType_EVENT_TYPE_PURCHASE
	rating   = kindredv1.EventType_EVENT_TYPE_RATING
	dislike  = kindredv1.EventType_EVENT_TYPE_DISLIKE
	hide     = kindredv1.EventType_EVENT_TYPE_HIDE
)

func rated(id, who, item string, value float64) *kindredv1.Event {
	e := act(id, who, rating, item)
	e.Value = proto.Float64(value)
	return e
}

func TestSeenPoliciesLeaveOutWhatTheySay(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.applied(s.write(
		view("1", "u", "pen-1"), act("2", "u", purchase, "pen-2"), rated("3", "u", "pen-3", 5), rated("4", "u", "pen-4", 1),
		rated("5", "u", "pen-5", 2.5), act("6", "u", dislike, "garden-1"), act("7", "u", hide, "garden-2"),
	).WriteToken)
	for _, c := range []struct {
		policy kindredv1.SeenPolicy
		out    []string
	}{
		{kindredv1.SeenPolicy_SEEN_POLICY_KEEP, []string{"garden-2"}},
		{kindredv1.SeenPolicy_SEEN_POLICY_HIDE_PURCHASED, []string{"pen-2", "garden-2"}},
		{kindredv1.SeenPolicy_SEEN_POLICY_UNSPECIFIED, []string{"pen-2", "garden-2"}},
		{kindredv1.SeenPolicy_SEEN_POLICY_HIDE_INTERACTED, []string{"pen-1", "pen-2", "pen-3", "pen-4", "pen-5", "garden-1", "garden-2"}},
	} {
		got := ids(s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), SeenPolicy: c.policy, Limit: 50}).Items)
		for _, it := range shelf() {
			if want := !slices.Contains(c.out, it.Id); slices.Contains(got, it.Id) != want {
				t.Errorf("%v: %s shown %v, want %v", c.policy, it.Id, !want, want)
			}
		}
	}
	must(s.admin.UpdateTenant(ctx(t), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{
		Surfaces: []*kindredv1.SurfaceSettings{{Name: "home", SeenPolicy: "hide_interacted", Limit: 4}},
	}}))
	home := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Surface: "home"})
	if has(home.Items, "pen-1") || len(home.Items) != 4 {
		t.Errorf("the surface's policy and limit: %v", ids(home.Items))
	}
}

func TestExcludedAndFilteredItemsNeverCome(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	list := s.recommend(&kindredv1.RecommendRequest{Limit: 50, ExcludeItemIds: []string{"pen-1", "nowhere"}, ContextItemIds: []string{"pen-2"}})
	if has(list.Items, "pen-1") || has(list.Items, "pen-2") || len(list.Items) != 10 {
		t.Errorf("excluded: %v", ids(list.Items))
	}
	list = s.recommend(&kindredv1.RecommendRequest{Limit: 50, Filter: `price < 5.0 && "Pens" in categories`})
	if got := ids(list.Items); len(got) != 3 {
		t.Errorf("filtered: %v, want the three pens below 5", got)
	}
	must(s.admin.UpdateTenant(ctx(t), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{
		Surfaces: []*kindredv1.SurfaceSettings{{Name: "pens", Filter: `"Pens" in categories // no tools`}},
	}}))
	list = s.recommend(&kindredv1.RecommendRequest{Limit: 50, Surface: "pens", Filter: "price > 5.0 // dear"})
	if got := ids(list.Items); len(got) != 2 || !has(list.Items, "pen-6") {
		t.Errorf("a surface's filter and the request's: %v, want the pens above 5", got)
	}
	listed := must(s.ListItems(ctx(t), &kindredv1.ListItemsRequest{Filter: "price < 5.0"}))
	if len(listed.Items) != 3 || listed.CatalogItems != 12 {
		t.Errorf("ListItems: %d of %d", len(listed.Items), listed.CatalogItems)
	}
}

func TestSurfaceWithABrokenFilterIsRefused(t *testing.T) {
	s := start(t)
	broken := []*kindredv1.SurfaceSettings{{Name: "home", Filter: "prise < 5.0"}}
	_, err := s.admin.UpdateTenant(ctx(t), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{Surfaces: broken}})
	refused(t, err, "tenant.surfaces[0].filter")
	_, err = s.admin.CreateTenant(ctx(t), &kindredv1.CreateTenantRequest{Tenant: &kindredv1.Tenant{Name: "other", Surfaces: broken}})
	refused(t, err, "tenant.surfaces[0].filter")
	_, err = s.admin.UpdateTenant(ctx(t), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{
		Attributes: []*kindredv1.AttributeDeclaration{{Name: "size", Kind: kindredv1.AttributeKind_ATTRIBUTE_KIND_NUMBER}},
		Surfaces:   []*kindredv1.SurfaceSettings{{Name: "home", Filter: "attributes.size > 3.0"}},
	}})
	if err != nil {
		t.Errorf("a filter over an attribute of the same change: %v", err)
	}
	_, err = s.admin.UpdateTenant(ctx(t), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{
		Attributes: []*kindredv1.AttributeDeclaration{{Name: "weight", Kind: 257}},
	}})
	refused(t, err, "tenant.attributes[0].kind")
	_, err = s.admin.UpdateTenant(ctx(t), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{Clock: 7}})
	refused(t, err, "tenant.clock")
	_, err = s.admin.UpdateTenant(ctx(t), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{
		Attributes: []*kindredv1.AttributeDeclaration{{Name: "size", Kind: kindredv1.AttributeKind_ATTRIBUTE_KIND_BOOL}},
	}})
	refused(t, err, "tenant.attributes[0]")
}

func TestRowsOfOnePageRepeatNothing(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	reply := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Rows: []*kindredv1.RowRequest{
		{Surface: "top", Limit: 4}, {Surface: "pens", Limit: 4, Filter: `"Pens" in categories`}, {Surface: "rest", Limit: 50},
	}})
	seen := map[string]string{}
	for _, row := range reply.Rows {
		for _, it := range row.Items {
			if other, twice := seen[it.ItemId]; twice {
				t.Errorf("%s stands in %s and in %s", it.ItemId, other, row.Surface)
			}
			seen[it.ItemId] = row.Surface
		}
		if row.Tier == 0 || row.TierReason == "" {
			t.Errorf("row %s has no tier", row.Surface)
		}
	}
	if len(reply.Rows) != 3 || len(reply.Items) != 0 || len(seen) != 12 || len(reply.Rows[0].Items) != 4 {
		t.Errorf("%d rows with %d items in all", len(reply.Rows), len(seen))
	}
	// Rows without a limit of their own have their surface's; the bound counts it.
	must(s.admin.UpdateTenant(ctx(t), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{
		Surfaces: []*kindredv1.SurfaceSettings{{Name: "long", Limit: 600}},
	}}))
	_, err := s.Recommend(ctx(t), &kindredv1.RecommendRequest{Rows: []*kindredv1.RowRequest{{Surface: "long"}, {Surface: "long"}}})
	refused(t, err, "rows")
}

func TestSimilarAndSearchHaveSurfacesOfTheirOwn(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	must(s.admin.UpdateTenant(ctx(t), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{
		Surfaces: []*kindredv1.SurfaceSettings{{Name: "similar", Limit: 2}, {Name: "search", Limit: 3}},
	}}))
	if n := len(must(s.SimilarItems(ctx(t), &kindredv1.SimilarItemsRequest{ItemId: "pen-1"})).Items); n != 2 {
		t.Errorf("similar: %d items, want its surface's 2", n)
	}
	if n := len(must(s.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{Query: "pen"})).Items); n != 3 {
		t.Errorf("search: %d items, want its surface's 3", n)
	}
}

func TestSearchFindsByMeaningAndSimilarStaysOnTheShelf(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	found := must(s.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{Query: "watering the garden", Limit: 3, Explain: true, IncludeItems: true}))
	if found.Items[0].ItemId[:6] != "garden" || found.Items[0].Item.GetTitle() == "" || len(found.Items[0].Reasons) == 0 {
		t.Errorf("search: %v", found.Items[0])
	}
	if found.Items[0].Sources[0] != kindredv1.Source_SOURCE_TEXT || found.Method != "lexical and text vector" {
		t.Errorf("search says %v, %q", found.Items[0].Sources, found.Method)
	}
	similar := must(s.SimilarItems(ctx(t), &kindredv1.SimilarItemsRequest{ItemId: "pen-1", Limit: 3}))
	if similar.Tier != kindredv1.Tier_TIER_ITEM_NEIGHBOURS || similar.Items[0].ItemId != "pen-2" {
		t.Errorf("similar to a gel pen: %v %v", similar.Tier, ids(similar.Items))
	}
	for i := range 6 {
		who := fmt.Sprint("b", i)
		s.write(act(who+"1", who, purchase, "pen-1"), act(who+"2", who, purchase, "garden-5"))
	}
	s.applied(s.write(view("x", "x", "pen-6")).WriteToken)
	together := must(s.SimilarItems(ctx(t), &kindredv1.SimilarItemsRequest{ItemId: "pen-1", Limit: 3, Relation: kindredv1.Relation_RELATION_BOUGHT_TOGETHER}))
	if together.Items[0].ItemId != "garden-5" {
		t.Errorf("bought together with pen-1: %v", ids(together.Items))
	}
}

func TestRankItemsOrdersAndSaysWhatIsLeftOut(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.applied(s.write(view("1", "u", "pen-1"), act("2", "u", hide, "pen-6")).WriteToken)
	must(s.PatchItems(ctx(t), &kindredv1.PatchItemsRequest{Patches: []*kindredv1.ItemPatch{
		{Id: "pen-3", Hidden: true, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"hidden"}}},
		{Id: "pen-4", Stock: proto.Int64(0), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"stock"}}},
		{Id: "pen-5", AvailableFrom: timestamppb.New(time.Now().Add(time.Hour)), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"available_from"}}},
	}}))
	asked := []string{"nowhere", "garden-1", "pen-3", "pen-4", "pen-5", "pen-6", "garden-2", "pen-2", "pen-1"}
	reply := must(s.RankItems(ctx(t), &kindredv1.RankItemsRequest{
		Subject: user("u"), ItemIds: asked, Filter: "id != 'garden-1'", ContextItemIds: []string{"pen-1"}, Explain: true,
	}))
	if got := ids(reply.Items); !slices.Equal(got, []string{"pen-2", "garden-2"}) {
		t.Errorf("order %v, want the pen first for one who looks at pens", got)
	}
	want := []kindredv1.LeftOut{
		{ItemId: "nowhere", Verdict: kindredv1.Verdict_VERDICT_UNKNOWN}, {ItemId: "garden-1", Verdict: kindredv1.Verdict_VERDICT_FILTERED},
		{ItemId: "pen-3", Verdict: kindredv1.Verdict_VERDICT_HIDDEN}, {ItemId: "pen-4", Verdict: kindredv1.Verdict_VERDICT_OUT_OF_STOCK},
		{ItemId: "pen-5", Verdict: kindredv1.Verdict_VERDICT_UNAVAILABLE}, {ItemId: "pen-6", Verdict: kindredv1.Verdict_VERDICT_SEEN},
		{ItemId: "pen-1", Verdict: kindredv1.Verdict_VERDICT_EXCLUDED},
	}
	if len(reply.LeftOut) != len(want) {
		t.Fatalf("left out: %v", reply.LeftOut)
	}
	for i := range want {
		if got := reply.LeftOut[i]; got.ItemId != want[i].ItemId || got.Verdict != want[i].Verdict || got.Text == "" {
			t.Errorf("left out %d is %v, want %s %v", i, got, want[i].ItemId, want[i].Verdict)
		}
	}
	short := must(s.RankItems(ctx(t), &kindredv1.RankItemsRequest{ItemIds: []string{"pen-1", "pen-2", "garden-1"}, Limit: 1}))
	if len(short.Items) != 1 || len(short.LeftOut) != 0 {
		t.Errorf("those past the limit are listed: %v", short.LeftOut)
	}
}

func TestExplainAgreesWithRecommendAndHasEveryVerdict(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	for i := range 300 { // enough that no source proposes some
		s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{item(fmt.Sprint("bolt-", i), fmt.Sprint("Steel bolt M", i), "Hardware")}})
		if i == 150 {
			s.write(view("seed", "w", "bolt-1"))
		}
	}
	s.applied(s.write(view("1", "u", "pen-1"), act("2", "u", purchase, "pen-2")).WriteToken)
	must(s.PatchItems(ctx(t), &kindredv1.PatchItemsRequest{Patches: []*kindredv1.ItemPatch{
		{Id: "pen-3", Hidden: true, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"hidden"}}},
		{Id: "pen-4", Stock: proto.Int64(0), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"stock"}}},
		{Id: "pen-5", AvailableUntil: timestamppb.New(time.Now().Add(-time.Hour)), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"available_until"}}},
	}}))
	req := &kindredv1.RecommendRequest{
		Subject: user("u"), Limit: 3, Seed: 7, ExcludeItemIds: []string{"garden-1"}, Filter: "id != 'garden-2'", Explain: true,
	}
	list := s.recommend(req)
	asked := []string{list.Items[0].ItemId, list.Items[2].ItemId, "pen-2", "pen-3", "pen-4", "pen-5", "garden-1", "garden-2", "nowhere"}
	for i := range 91 {
		asked = append(asked, fmt.Sprint("bolt-", 3*i))
	}
	reply := must(s.Explain(ctx(t), &kindredv1.ExplainRequest{Request: req, ItemIds: asked}))
	got := map[kindredv1.Verdict]int{}
	for i, e := range reply.Explanations {
		got[e.Verdict]++
		if e.ItemId != asked[i] || e.Text == "" {
			t.Errorf("explanation %d is %v, want one of %s", i, e, asked[i])
		}
		at := slices.Index(ids(list.Items), e.ItemId)
		if (at >= 0) != (e.Verdict == kindredv1.Verdict_VERDICT_SHOWN) {
			t.Errorf("%s stands at %d of the reply, Explain says %v", e.ItemId, at, e.Verdict)
		}
		if at < 0 {
			continue
		}
		shown, sum := list.Items[at], 0.0
		for _, r := range e.Reasons {
			sum += r.Contribution
		}
		if int(e.Rank) != at+1 || math.Abs(e.Score-shown.Score) > 1e-6 || // what trends decays between the two
			math.Abs(sum-e.Score) > 1e-6 {
			t.Errorf("%s: rank %d, score %v, reasons add up to %v; the reply has place %d, score %v", e.ItemId, e.Rank, e.Score, sum, at+1, shown.Score)
		}
		if len(shown.Reasons) == 0 || shown.Reasons[0].Text == "" || shown.Reasons[0].Feature != e.Reasons[0].Feature {
			t.Errorf("%s: the reply's reasons %v are not Explain's %v", e.ItemId, shown.Reasons, e.Reasons)
		}
	}
	for v := range kindredv1.Verdict_name {
		v := kindredv1.Verdict(v)
		ofPolicy := v > kindredv1.Verdict_VERDICT_EXCLUDED // those have a test of their own
		if v != kindredv1.Verdict_VERDICT_UNSPECIFIED && !ofPolicy && got[v] == 0 {
			t.Errorf("no item with %v among %v", v, got)
		}
	}
	if reply.Tier != list.Tier || reply.Info.Seed != 7 {
		t.Errorf("Explain answers from %v with seed %d, Recommend from %v", reply.Tier, reply.Info.Seed, list.Tier)
	}
	_, err := s.Explain(ctx(t), &kindredv1.ExplainRequest{ItemIds: []string{"a"}})
	refused(t, err, "request")
	_, err = s.Explain(ctx(t), &kindredv1.ExplainRequest{Request: &kindredv1.RecommendRequest{PageToken: "x"}, ItemIds: []string{"a"}})
	refused(t, err, "request")
}

func TestSameSeedGivesTheSameReply(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.applied(s.write(view("1", "u", "pen-1"), view("2", "v", "pen-2")).WriteToken)
	req := &kindredv1.RecommendRequest{Subject: user("u"), Limit: 8, Seed: 42, Diversity: proto.Float64(0.4), AsOf: timestamppb.Now()}
	first := s.recommend(req)
	for range 3 {
		again := s.recommend(req)
		for i, it := range again.Items {
			if !proto.Equal(it, first.Items[i]) {
				t.Errorf("item %d is %v, was %v", i, it, first.Items[i])
			}
		}
		if again.Info.Seed != 42 || again.Info.Generation != first.Info.Generation || again.RecommendationId == first.RecommendationId {
			t.Errorf("info %v after %v", again.Info, first.Info)
		}
	}
	if drawn := s.recommend(&kindredv1.RecommendRequest{}); drawn.Info.Seed == 0 {
		t.Error("a drawn seed is not named")
	}
}

func TestReplyNamesWhatMadeIt(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	info := s.recommend(&kindredv1.RecommendRequest{Subject: user("u")}).Info
	times := info.StageTimes
	if info.Generation == "" || info.Policy == "" || !info.DecisionLogged || info.Candidates < 10 || times.TotalUs <= 0 ||
		times.TotalUs < times.RetrieveUs+times.RankUs {
		t.Errorf("info %v", info)
	}
	status := must(s.admin.GetTenant(ctx(t), &kindredv1.GetTenantRequest{})).Status
	if status.Items != 12 || status.EncodedItems != 12 || status.Generation != info.Generation || status.LogApplied != status.LogHead {
		t.Errorf("status %v", status)
	}
}

func TestAsOfLooksBack(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	at := func(id, it string, ago time.Duration) *kindredv1.Event {
		e := view(id, "u", it)
		e.Time = timestamppb.New(time.Now().Add(-ago))
		return e
	}
	s.applied(s.write(at("1", "garden-1", 48*time.Hour), at("2", "garden-2", 47*time.Hour), at("3", "pen-1", time.Hour)).WriteToken)
	now := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Limit: 3})
	then := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Limit: 3, AsOf: timestamppb.New(time.Now().Add(-24 * time.Hour))})
	before := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Limit: 3, AsOf: timestamppb.New(time.Now().Add(-100 * time.Hour))})
	if now.Items[0].ItemId[:3] != "pen" || then.Items[0].ItemId[:6] != "garden" {
		t.Errorf("now %v, a day ago %v", ids(now.Items), ids(then.Items))
	}
	if before.Tier != kindredv1.Tier_TIER_POPULAR {
		t.Errorf("before the first event: %v", before.Tier)
	}
}

func TestUpsertAndDeleteInOneBatchLeaveNoVectorBehind(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	dim := must(s.admin.GetTenant(ctx(t), &kindredv1.GetTenantRequest{})).Status.VectorDimension
	own := item("own", "Gel pen, black", "Office > Pens")
	own.Vector = make([]float32, dim)
	own.Vector[0] = 2
	text := proto.Clone(own).(*kindredv1.Item)
	text.Vector = nil
	s.upsert(text, own) // the later row stands, and its vector
	got := must(s.GetItem(ctx(t), &kindredv1.GetItemRequest{Id: "own"}))
	if len(got.Item.Vector) != int(dim) || !got.Encoded {
		t.Fatalf("the later row does not stand: %v", got)
	}
	similar := must(s.SimilarItems(ctx(t), &kindredv1.SimilarItemsRequest{ItemId: "pen-1", Limit: 1}))
	if similar.Items[0].ItemId == "own" {
		t.Error("the vector is that of the text, which a later row of the batch replaced")
	}
	_, err := s.GetItem(ctx(t), &kindredv1.GetItemRequest{Id: ""})
	refused(t, err, "id")
	code(t, func() error { _, err := s.GetItem(ctx(t), &kindredv1.GetItemRequest{Id: "x"}); return err }(), codes.NotFound)
}
