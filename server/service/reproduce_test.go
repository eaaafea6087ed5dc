package service_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func (c *client) reproduce(id string) *kindredv1.ReproduceResponse {
	c.t.Helper()
	reply, err := c.Reproduce(ctx(c.t), &kindredv1.ReproduceRequest{RecommendationId: id})
	if err != nil {
		c.t.Fatal(err)
	}
	return reply
}

// states are the inputs that are not as they were: "policy gone".
func states(r *kindredv1.ReproduceResponse) string {
	var list []string
	for _, in := range r.Inputs {
		switch in.State {
		case kindredv1.InputState_INPUT_STATE_CHANGED:
			list = append(list, in.Name+" changed")
		case kindredv1.InputState_INPUT_STATE_GONE:
			list = append(list, in.Name+" gone")
		}
		if in.Text == "" {
			list = append(list, in.Name+" without a word")
		}
	}
	return strings.Join(list, ", ")
}

const (
	madeSame  = kindredv1.Reproduction_REPRODUCTION_SAME
	madeOther = kindredv1.Reproduction_REPRODUCTION_DIFFERENT
	madeSure  = kindredv1.Reproduction_REPRODUCTION_VERIFIED
	madeGone  = kindredv1.Reproduction_REPRODUCTION_GONE
)

// explored is a policy whose lists are drawn.
func explored() *kindredv1.Policy {
	return &kindredv1.Policy{Name: "bold", Exploration: &kindredv1.Exploration{Temperature: 0.7}, Rules: []*kindredv1.PolicyRule{pin("p", "garden-1", 2)}}
}

// TestDecisionsAreMadeAgain draws lists of every kind and asks for each again.
func TestDecisionsAreMadeAgain(t *testing.T) {
	s := start(t)
	items := shelf()
	items[6].VariantGroup, items[7].VariantGroup = "g", "g"
	s.upsert(items...)
	s.govern(explored())
	s.surface("home", "bold")
	s.applied(s.write(view("1", "ann", "pen-1"), view("2", "ann", "pen-2"), view("3", "bob", "garden-1")).WriteToken)
	var list []string
	add := func(id string) { list = append(list, id) }
	for range 20 {
		add(s.recommend(&kindredv1.RecommendRequest{
			Subject: user("ann"), Surface: "home", Limit: 5, Filter: "price < 25.0", ContextItemIds: []string{"pen-3"}, ExcludeItemIds: []string{"pen-4"},
			SeenPolicy: kindredv1.SeenPolicy_SEEN_POLICY_HIDE_INTERACTED,
		}).RecommendationId)
	}
	add(s.recommend(&kindredv1.RecommendRequest{Limit: 4}).RecommendationId)
	add(s.recommend(&kindredv1.RecommendRequest{Subject: session("nobody"), Limit: 4, Policy: "bold"}).RecommendationId)
	rows := s.recommend(&kindredv1.RecommendRequest{Subject: user("bob"), Policy: "bold", Rows: []*kindredv1.RowRequest{{Surface: "a", Limit: 3}, {Surface: "b", Limit: 3}, {Surface: "c", Limit: 3}}})
	add(rows.RecommendationId)
	add(rows.RecommendationId + ".1")
	add(rows.RecommendationId + ".2")
	first := s.recommend(&kindredv1.RecommendRequest{Subject: user("ann"), Surface: "home", Limit: 3, Paginate: true})
	add(first.RecommendationId)
	second := s.recommend(&kindredv1.RecommendRequest{Subject: user("ann"), PageToken: first.NextPageToken, Limit: 4})
	add(second.RecommendationId)
	add(s.recommend(&kindredv1.RecommendRequest{Subject: user("ann"), PageToken: second.NextPageToken, Limit: 4}).RecommendationId)
	for _, relation := range []kindredv1.Relation{kindredv1.Relation_RELATION_SIMILAR, kindredv1.Relation_RELATION_BOUGHT_TOGETHER} {
		add(must(s.SimilarItems(ctx(t), &kindredv1.SimilarItemsRequest{ItemId: "pen-1", Relation: relation, Limit: 4})).RecommendationId)
	}
	results, _ := s.bulk(&kindredv1.RecommendBulkRequest{Request: &kindredv1.RecommendRequest{Limit: 4, Surface: "home"}, Subjects: []*kindredv1.Subject{user("ann"), user("bob")}})
	for _, r := range results {
		add(r.RecommendationId)
	}
	orders := map[string]bool{}
	for _, id := range list {
		r := s.reproduce(id)
		if r.Reproduction != madeSame || !slices.Equal(r.ItemIds, r.LoggedItemIds) || len(r.ItemIds) == 0 || !(r.ListPropensity > 0 && r.ListPropensity <= 1) {
			t.Errorf("%s: %v %q (%s)\nlogged %v\nmade   %v", id, r.Reproduction, r.Text, states(r), r.LoggedItemIds, r.ItemIds)
		}
		orders[fmt.Sprint(r.ItemIds)] = true
	}
	if len(orders) < 10 {
		t.Errorf("%d different lists: chance was to make more", len(orders))
	}
	// Nothing of this was served.
	for _, d := range s.decisions() {
		if !slices.Contains(list, d.RecommendationId) && d.Limit != 1 { // those of limit 1 are the harness's
			t.Errorf("decision %s of limit %d was not asked for", d.RecommendationId, d.Limit)
		}
	}
}

// TestReproductionNamesWhatIsGone takes the inputs away one after the other.
func TestReproductionNamesWhatIsGone(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.govern(explored())
	s.applied(s.write(view("1", "ann", "pen-1"), view("2", "ann", "pen-2"), view("3", "bob", "pen-2")).WriteToken)
	ask := func(who string) string {
		return s.recommend(&kindredv1.RecommendRequest{Subject: user(who), Policy: "bold", Limit: 6}).RecommendationId
	}
	ann, bob := ask("ann"), ask("bob")

	_, err := s.Reproduce(ctx(t), &kindredv1.ReproduceRequest{RecommendationId: ann[:len(ann)-3] + "VVG"})
	code(t, err, codes.NotFound)
	_, err = s.Reproduce(ctx(t), &kindredv1.ReproduceRequest{})
	refused(t, err, "recommendation_id")

	s.applied(s.write(view("4", "bob", "garden-3"), view("5", "carl", "garden-4")).WriteToken)
	if r := s.reproduce(bob); states(r) != "counters changed" || r.Reproduction != madeSame && r.Reproduction != madeOther {
		t.Errorf("after events: %v %q (%s)", r.Reproduction, r.Text, states(r))
	} else {
		contains(t, fmt.Sprint(r.Inputs), "2 events")
	}
	must(s.DeleteItems(ctx(t), &kindredv1.DeleteItemsRequest{Ids: []string{"garden-1"}}))
	s.upsert(item("x", "X", "X"))
	if r := s.reproduce(bob); r.Reproduction != madeOther || states(r) != "items changed, counters changed" {
		t.Errorf("after an item was deleted: %v %q (%s)", r.Reproduction, r.Text, states(r))
	} else {
		contains(t, r.Text, "items, counters changed; the logged features give the logged scores")
	}
	search := must(s.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{Query: "pen"})).RecommendationId
	if r := s.reproduce(search); r.Reproduction != madeGone || states(r) != "request gone" {
		t.Errorf("a search: %v %q (%s)", r.Reproduction, r.Text, states(r))
	}
	ranked := must(s.RankItems(ctx(t), &kindredv1.RankItemsRequest{Subject: user("bob"), ItemIds: []string{"pen-1", "pen-2", "garden-2"}})).RecommendationId
	if r := s.reproduce(ranked); r.Reproduction != madeSure || states(r) != "request gone" {
		t.Errorf("a list of the caller's: %v %q (%s)", r.Reproduction, r.Text, states(r))
	}

	for range 10 {
		s.govern(explored())
	}
	if r := s.reproduce(bob); r.Reproduction != madeSure || !strings.Contains(states(r), "policy gone") {
		t.Errorf("after ten versions: %v %q (%s)", r.Reproduction, r.Text, states(r))
	}
	s.applied(must(s.profiles.EraseProfile(ctx(t), &kindredv1.EraseProfileRequest{Subject: user("ann")})).WriteToken)
	_, err = s.Reproduce(ctx(t), &kindredv1.ReproduceRequest{RecommendationId: ann})
	code(t, err, codes.NotFound)
	contains(t, err.Error(), "erased")
}

// TestDecisionsAreMadeAgainAfterARestart has all that decisions rest on come from disk.
func TestDecisionsAreMadeAgainAfterARestart(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.govern(explored())
	s.applied(s.write(view("1", "ann", "pen-1"), view("2", "ann", "pen-2")).WriteToken)
	var list []string
	for range 10 {
		list = append(list, s.recommend(&kindredv1.RecommendRequest{Subject: user("ann"), Policy: "bold", Limit: 6}).RecommendationId)
	}
	s.restart()
	for _, id := range list {
		if r := s.reproduce(id); r.Reproduction != madeSame || states(r) != "" {
			t.Errorf("%v %q (%s)", r.Reproduction, r.Text, states(r))
		}
	}
}

// TestReproductionNamesAModelThatIsGone promotes another model, and goes back.
func TestReproductionNamesAModelThatIsGone(t *testing.T) {
	s := visited(t)
	ask := func() string {
		return s.recommend(&kindredv1.RecommendRequest{Subject: user("user-1"), Limit: 6, Seed: 4}).RecommendationId
	}
	s.promoted(s.uploaded(testModel{Size: 8, Favourite: "garden-3"}))
	first := ask()
	if r := s.reproduce(first); r.Reproduction != madeSame {
		t.Errorf("under its own model: %v %q (%s)", r.Reproduction, r.Text, states(r))
	}
	s.promoted(s.uploaded(testModel{Size: 8, Favourite: "garden-5"}))
	if r := s.reproduce(first); r.Reproduction != madeGone || states(r) != "generation gone" {
		t.Errorf("under another model: %v %q (%s)", r.Reproduction, r.Text, states(r))
	} else {
		contains(t, r.Text, "the models that made it are gone")
	}
	must(s.models.RollbackModel(ctx(t), &kindredv1.RollbackModelRequest{MaxWait: durationpb.New(10 * time.Second)}))
	if r := s.reproduce(first); r.Reproduction != madeSame || states(r) != "generation changed" {
		t.Errorf("under its own model again: %v %q (%s)", r.Reproduction, r.Text, states(r))
	}
}
