package service_test

import (
	"fmt"
	"slices"
	"testing"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// TestPagesGoOnWhateverHappens takes a first page, changes something, and takes the rest:
// all pages are one list, with no item twice and none left out, and each is logged with the
// propensities of its slots.
func TestPagesGoOnWhateverHappens(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(s *shop)
	}{
		{"nothing", func(*shop) {}},
		{"another policy", func(s *shop) {
			s.govern(&kindredv1.Policy{Name: "bold", Rules: []*kindredv1.PolicyRule{boost("b", `"Tools" in categories`, 1e6)}})
		}},
		{"the policy is deleted", func(s *shop) {
			s.surface("home", "default")
			must(s.policies.DeletePolicy(ctx(s.t), &kindredv1.DeletePolicyRequest{Name: "bold"}))
		}},
		{"an experiment begins", func(s *shop) {
			must(s.trials.PutExperiment(ctx(s.t), &kindredv1.PutExperimentRequest{Experiment: trial("e", "default")}))
		}},
		{"another generation", func(s *shop) {
			must(s.admin.RefreshGeneration(ctx(s.t), &kindredv1.RefreshGenerationRequest{}))
		}},
		{"new events", func(s *shop) {
			s.applied(s.write(view("11", "ann", "garden-1"), view("12", "ann", "garden-2"), view("13", "bob", "garden-3")).WriteToken)
		}},
		{"new items", func(s *shop) { s.upsert(item("pen-7", "Gel pen, red", "Office > Pens")) }},
		{"a restart", func(s *shop) { s.restart() }},
	} {
		s := start(t)
		s.upsert(shelf()...)
		s.govern(explored())
		s.surface("home", "bold")
		s.applied(s.write(view("1", "ann", "pen-1"), view("2", "ann", "pen-2")).WriteToken)
		page := s.recommend(&kindredv1.RecommendRequest{Subject: user("ann"), Surface: "home", Limit: 3, Paginate: true, Seed: 3})
		first := page
		shown := ids(page.Items)
		chances := map[string]float64{}
		for k := 0; page.NextPageToken != ""; k++ {
			for _, it := range page.Items {
				chances[it.ItemId] = it.Propensity
			}
			if k == 0 {
				c.change(s)
			}
			page = s.recommend(&kindredv1.RecommendRequest{Subject: user("ann"), PageToken: page.NextPageToken, Limit: 3})
			shown = append(shown, ids(page.Items)...)
			if page.Info.Policy != first.Info.Policy || page.Info.Seed != 3 || page.Info.Generation != first.Info.Generation {
				t.Errorf("%s: page %d says policy %q, seed %d, generation %q", c.why, k+2, page.Info.Policy, page.Info.Seed, page.Info.Generation)
			}
		}
		for _, it := range page.Items {
			chances[it.ItemId] = it.Propensity
		}
		sorted := slices.Clone(shown)
		slices.Sort(sorted)
		if len(sorted) != 12 || len(slices.Compact(sorted)) != 12 {
			t.Errorf("%s: the pages show %v", c.why, shown)
		}
		drawn := 0
		for _, d := range s.decisions() {
			if d.FirstPageId != first.RecommendationId {
				continue
			}
			for i, it := range d.Items {
				if it.Propensity != float64(float32(chances[it.ItemId])) || it.ItemId != shown[int(d.Offset)+i] || len(it.Features) != len(d.FeatureNames) || len(it.Features) == 0 {
					t.Errorf("%s: slot %d is logged as %v, shown was %s with %v", c.why, int(d.Offset)+i+1, it, shown[int(d.Offset)+i], chances[it.ItemId])
				}
				if it.Propensity < 1 {
					drawn++
				}
			}
			if d.Kind != kindredv1.DecisionKind_DECISION_KIND_PAGE || d.Policy != first.Info.Policy || d.Surface != "home" {
				t.Errorf("%s: a page is logged as %v of %q on %q", c.why, d.Kind, d.Policy, d.Surface)
			}
		}
		if drawn < 5 {
			t.Errorf("%s: %d slots of later pages are logged as drawn", c.why, drawn)
		}
		s.stop()
	}
}

// TestRowsOfAPageShareNoVariant has variants of one product compete for the rows of a page.
func TestRowsOfAPageShareNoVariant(t *testing.T) {
	s := start(t)
	items := shelf()
	for i, it := range items {
		it.VariantGroup = fmt.Sprint("g", i/2)
	}
	s.upsert(items...)
	reply := s.recommend(&kindredv1.RecommendRequest{Rows: []*kindredv1.RowRequest{{Surface: "a", Limit: 2}, {Surface: "b", Limit: 2}, {Surface: "c", Limit: 10}}})
	groups := map[string]int{}
	n := 0
	for _, row := range reply.Rows {
		for _, it := range row.Items {
			n++
			groups[items[slices.IndexFunc(items, func(x *kindredv1.Item) bool { return x.Id == it.ItemId })].VariantGroup]++
		}
	}
	if n != 6 || len(groups) != 6 {
		t.Errorf("%d items of %d products: %v", n, len(groups), reply.Rows)
	}
	s.govern(&kindredv1.Policy{Name: "default", KeepVariants: true})
	if list := s.recommend(&kindredv1.RecommendRequest{Limit: 12}); len(list.Items) != 12 {
		t.Errorf("with variants kept %d items are shown", len(list.Items))
	}
	// A thing does not go with its own variants, but is like them.
	var events []*kindredv1.Event
	for u := range 6 {
		for k, id := range []string{"pen-1", "pen-2", "pen-3"} {
			events = append(events, view(fmt.Sprint(u, "-", k), fmt.Sprint("user", u), id))
		}
	}
	s.applied(s.write(events...).WriteToken)
	ask := func(relation kindredv1.Relation) *kindredv1.SimilarItemsResponse {
		return must(s.SimilarItems(ctx(t), &kindredv1.SimilarItemsRequest{ItemId: "pen-1", Relation: relation, Limit: 12}))
	}
	together, similar := ask(kindredv1.Relation_RELATION_BOUGHT_TOGETHER), ask(kindredv1.Relation_RELATION_SIMILAR)
	if has(together.Items, "pen-2") || together.Items[0].ItemId != "pen-3" || !has(similar.Items, "pen-2") {
		t.Errorf("with pen-1 goes %v, like it are %v", ids(together.Items), ids(similar.Items))
	}
	if r := s.reproduce(together.RecommendationId); r.Reproduction != madeSame {
		t.Errorf("made again: %v %q (%s)", r.Reproduction, r.Text, states(r))
	}
	// A caller's own list keeps them all.
	s.govern(&kindredv1.Policy{Name: "default"})
	ranked := must(s.RankItems(ctx(t), &kindredv1.RankItemsRequest{ItemIds: []string{"pen-1", "pen-2", "pen-3"}}))
	if len(ranked.Items) != 3 {
		t.Errorf("of the caller's three variants %v are ranked", ids(ranked.Items))
	}
}
