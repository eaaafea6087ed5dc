package service_test

import (
	"fmt"
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// TestExplainAgreesWithRecommend asks both under one seed, policies of all kinds: what is
// shown is explained as shown, in its slot and for its reasons, and what is not is not.
func TestExplainAgreesWithRecommend(t *testing.T) {
	s := start(t)
	items := shelf()
	for i, it := range items {
		it.VariantGroup = fmt.Sprint("g", i/2)
	}
	s.upsert(items...)
	s.applied(s.write(view("1", "ann", "pen-1"), view("2", "ann", "pen-2"), view("3", "bob", "garden-1")).WriteToken)
	var passed []*kindredv1.Event
	for i, id := range []string{"pen-3", "pen-4", "pen-5"} {
		for k := range 5 {
			passed = append(passed, act(fmt.Sprint("i", i, k), "ann", kindredv1.EventType_EVENT_TYPE_IMPRESSION, id))
		}
	}
	s.applied(s.write(passed...).WriteToken)
	verdicts := map[kindredv1.Verdict]bool{}
	all := make([]string, len(items))
	for i, it := range items {
		all[i] = it.Id
	}
	for _, p := range []*kindredv1.Policy{
		{Name: "plain", KeepVariants: true},
		{Name: "variants"},
		{Name: "bold", Exploration: &kindredv1.Exploration{Temperature: 1}, KeepVariants: true},
		{Name: "varied", Diversity: proto.Float64(0.7), KeepVariants: true},
		{Name: "capped", Caps: []*kindredv1.PolicyCap{{Label: kindredv1.CapLabel_CAP_LABEL_CATEGORY, Most: 1}}, KeepVariants: true},
		{Name: "ruled", Rules: []*kindredv1.PolicyRule{
			exclude("out", `id == "pen-6"`), pin("in", "garden-6", 2), boost("up", `"Tools" in categories`, 3), dailyCap("few", "garden-2", 1),
		}},
		{Name: "tired", Fatigue: &kindredv1.Fatigue{Weight: 50}, KeepVariants: true},
		{Name: "fresh", NewItems: &kindredv1.NewItems{Share: 0.5, MaxImpressions: 5, Method: kindredv1.NewItemMethod_NEW_ITEM_METHOD_THOMPSON}, KeepVariants: true},
	} {
		s.govern(p)
		for seed := range uint64(10) {
			req := &kindredv1.RecommendRequest{Subject: user("ann"), Policy: p.Name, Limit: 4, Seed: seed + 1}
			why := must(s.Explain(ctx(t), &kindredv1.ExplainRequest{Request: req, ItemIds: all}))
			list := s.recommend(req)
			if why.Info.Policy != list.Info.Policy || why.Tier != list.Tier {
				t.Errorf("%s: explained under %q, answered under %q", p.Name, why.Info.Policy, list.Info.Policy)
			}
			place := map[string]int{}
			for k, it := range list.Items {
				place[it.ItemId] = k + 1
			}
			for _, e := range why.Explanations {
				k, shown := place[e.ItemId]
				verdicts[e.Verdict] = true
				if (e.Verdict == kindredv1.Verdict_VERDICT_SHOWN) != shown {
					t.Fatalf("%s, seed %d: %s is %v (%s), shown are %v", p.Name, seed+1, e.ItemId, e.Verdict, e.Text, ids(list.Items))
				}
				if !shown {
					continue
				}
				it := list.Items[k-1]
				if int(e.Rank) != k || e.SlotKind != it.SlotKind || math.Abs(e.Propensity-it.Propensity) > 1e-6 ||
					math.Abs(e.Score-it.Score) > 1e-6*max(1, math.Abs(it.Score)) { // what trends decays between the two
					t.Errorf("%s, seed %d: %s is explained at %d as %v with %v, shown at %d as %v with %v", p.Name, seed+1,
						e.ItemId, e.Rank, e.SlotKind, e.Propensity, k, it.SlotKind, it.Propensity)
				}
				sum := e.Rest
				for _, r := range e.Reasons {
					sum += r.Contribution
				}
				if math.Abs(sum-e.Score) > 1e-6*max(1, math.Abs(e.Score)) {
					t.Errorf("%s: reasons of %s add up to %v of %v", p.Name, e.ItemId, sum, e.Score)
				}
			}
		}
	}
	for _, v := range []kindredv1.Verdict{
		kindredv1.Verdict_VERDICT_EXCLUDED_BY_RULE, kindredv1.Verdict_VERDICT_OVER_CAP, kindredv1.Verdict_VERDICT_ANOTHER_VARIANT,
		kindredv1.Verdict_VERDICT_LOST_DRAW, kindredv1.Verdict_VERDICT_PUSHED_BY_DIVERSITY, kindredv1.Verdict_VERDICT_PUSHED_BY_FATIGUE,
	} {
		if !verdicts[v] {
			t.Errorf("no item is %v: %v", v, verdicts)
		}
	}
}

// TestExplainNamesWhatKeptAnItemOut has one case for each verdict of a policy.
func TestExplainNamesWhatKeptAnItemOut(t *testing.T) {
	s := start(t)
	items := shelf()
	items[0].VariantGroup, items[1].VariantGroup = "gel", "gel"
	s.upsert(items...)
	s.applied(s.write(view("1", "ann", "pen-1"), view("2", "ann", "pen-3")).WriteToken)
	explain := func(p *kindredv1.Policy, req *kindredv1.RecommendRequest, item string) *kindredv1.Explanation {
		p.Name = "default"
		s.govern(p)
		if req.Limit == 0 {
			req.Limit = 12
		}
		return must(s.Explain(ctx(t), &kindredv1.ExplainRequest{Request: req, ItemIds: []string{item}})).Explanations[0]
	}
	expect := func(e *kindredv1.Explanation, verdict kindredv1.Verdict, says string) {
		t.Helper()
		if e.Verdict != verdict {
			t.Errorf("%s is %v (%s), want %v", e.ItemId, e.Verdict, e.Text, verdict)
		}
		contains(t, e.Text, says)
	}
	e := explain(&kindredv1.Policy{Rules: []*kindredv1.PolicyRule{exclude("no pens", `"Pens" in categories`)}}, &kindredv1.RecommendRequest{}, "pen-2")
	expect(e, kindredv1.Verdict_VERDICT_EXCLUDED_BY_RULE, `"no pens"`)
	if len(e.Effects) != 1 || e.Effects[0].Rule != "no pens" || e.Effects[0].Action != "exclude" {
		t.Errorf("effects %v", e.Effects)
	}
	e = explain(&kindredv1.Policy{Rules: []*kindredv1.PolicyRule{boost("up", "true", 2)}}, &kindredv1.RecommendRequest{}, "pen-3")
	if len(e.Effects) != 1 || math.Abs(e.Effects[0].Change-math.Ln2) > 1e-9 || math.Abs(e.Value-e.Score-math.Ln2) > 1e-9 {
		t.Errorf("a boost by 2: effects %v, value %v of score %v", e.Effects, e.Value, e.Score)
	}
	for range 3 {
		s.recommend(&kindredv1.RecommendRequest{Limit: 12})
	}
	e = explain(&kindredv1.Policy{Rules: []*kindredv1.PolicyRule{dailyCap("once", "pen-3", 1)}}, &kindredv1.RecommendRequest{}, "pen-3")
	expect(e, kindredv1.Verdict_VERDICT_DAILY_CAP_REACHED, `"once"`)
	variants := explain(&kindredv1.Policy{}, &kindredv1.RecommendRequest{Subject: user("ann")}, "pen-1")
	if variants.Verdict == kindredv1.Verdict_VERDICT_SHOWN {
		variants = explain(&kindredv1.Policy{}, &kindredv1.RecommendRequest{Subject: user("ann")}, "pen-2")
	}
	expect(variants, kindredv1.Verdict_VERDICT_ANOTHER_VARIANT, "another variant")
	if variants.InsteadItemId == "" || variants.InsteadItemId == variants.ItemId {
		t.Errorf("instead of %s stands %q", variants.ItemId, variants.InsteadItemId)
	}
	e = explain(&kindredv1.Policy{}, &kindredv1.RecommendRequest{Filter: "in_stock && price > 100.0"}, "pen-3")
	expect(e, kindredv1.Verdict_VERDICT_FILTERED, "price")
	contains(t, e.FilterClause, "price > 100.0")
	rules := []*kindredv1.PolicyRule{pin("a", "garden-1", 1), pin("b", "garden-2", 2)}
	best := s.recommend(&kindredv1.RecommendRequest{Subject: user("ann"), Policy: "default/1", Limit: 1}).Items[0].ItemId
	e = explain(&kindredv1.Policy{Rules: rules}, &kindredv1.RecommendRequest{Subject: user("ann"), Limit: 2}, best)
	expect(e, kindredv1.Verdict_VERDICT_PUSHED_BY_RULE, "pushed down by rules")
	if e.PlaceByScore != 1 {
		t.Errorf("the best by score is at place %d", e.PlaceByScore)
	}
	e = explain(&kindredv1.Policy{Rules: rules}, &kindredv1.RecommendRequest{Limit: 2}, "garden-2")
	expect(e, kindredv1.Verdict_VERDICT_SHOWN, "pinned")
}
