package service_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
)

// again asks twice and reports whether the second reply used the ranking of the first.
func (s *shop) again(req *kindredv1.RecommendRequest) (first, second *kindredv1.RecommendResponse, reused bool) {
	s.t.Helper()
	first, second = s.recommend(req), s.recommend(req)
	return first, second, second.Info.RankingAgeUs > 0
}

func reader(s *shop) *kindredv1.RecommendRequest {
	token := s.write(view("1", "u", "pen-3"), view("2", "u", "pen-4"), view("3", "v", "pen-1")).WriteToken
	s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), MinWriteToken: token})
	return &kindredv1.RecommendRequest{Subject: user("u"), Limit: 5}
}

func TestRankingIsUsedAgainUntilSomethingChanges(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	req := reader(s)
	first, second, reused := s.again(req)
	if !reused || !slices.Equal(ids(first.Items), ids(second.Items)) || second.Info.Seed != first.Info.Seed ||
		second.Info.Candidates != first.Info.Candidates || second.RecommendationId == first.RecommendationId || !second.Info.DecisionLogged {
		t.Fatalf("not used again: %v, then %v", first, second)
	}
	patch := func(id string, p *kindredv1.ItemPatch, field string) {
		t.Helper()
		p.Id, p.UpdateMask = id, &fieldmaskpb.FieldMask{Paths: []string{field}}
		must(s.PatchItems(ctx(t), &kindredv1.PatchItemsRequest{Patches: []*kindredv1.ItemPatch{p}}))
	}
	shown := ids(second.Items)
	n := 0
	for what, change := range map[string]func(){
		"an event of theirs": func() {
			n++
			s.applied(s.write(view(fmt.Sprint("own", n), "u", "garden-2")).WriteToken)
		},
		"an item that goes out of stock": func() { patch(shown[0], &kindredv1.ItemPatch{Stock: proto.Int64(0)}, "stock") },
		"an item that comes in": func() {
			s.upsert(item("late-1", "Gel pen, gold", "Office > Pens"))
		},
	} {
		s.again(req)
		change()
		if got := s.recommend(req); got.Info.RankingAgeUs != 0 {
			t.Errorf("%s: a ranking of %d us ago is used", what, got.Info.RankingAgeUs)
		}
		patch(shown[0], &kindredv1.ItemPatch{Stock: proto.Int64(3)}, "stock")
	}
	s.again(req)
	token := s.write(view("other", "w", "pen-1")).WriteToken
	later := proto.Clone(req).(*kindredv1.RecommendRequest)
	later.MinWriteToken = token
	if got := s.recommend(later); got.Info.RankingAgeUs != 0 || got.Info.Lag != 0 {
		t.Errorf("another's event, asked for by its token, is not reflected: %v", got.Info)
	}
	patch("pen-1", &kindredv1.ItemPatch{Price: &kindredv1.Money{CurrencyCode: "EUR", Units: 5}}, "price")
	if got := s.recommend(req); got.Info.RankingAgeUs == 0 {
		t.Error("a changed price ended a ranking without a filter")
	}
	filtered := &kindredv1.RecommendRequest{Subject: user("u"), Limit: 5, Filter: "price < 90.0"}
	if _, _, reused := s.again(filtered); !reused {
		t.Error("a filtered ranking is not used again")
	}
	patch("pen-1", &kindredv1.ItemPatch{Price: &kindredv1.Money{CurrencyCode: "EUR", Units: 6}}, "price")
	if got := s.recommend(filtered); got.Info.RankingAgeUs != 0 {
		t.Error("a filter is not asked again after a change of the catalog")
	}
}

func TestRankingIsNotUsedForAnotherRequest(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	base := reader(s)
	for what, change := range map[string]func(*kindredv1.RecommendRequest){
		"another limit":      func(r *kindredv1.RecommendRequest) { r.Limit = 4 },
		"a filter":           func(r *kindredv1.RecommendRequest) { r.Filter = "price < 90.0" },
		"an item excluded":   func(r *kindredv1.RecommendRequest) { r.ExcludeItemIds = []string{"pen-1"} },
		"an item of context": func(r *kindredv1.RecommendRequest) { r.ContextItemIds = []string{"pen-1"} },
		"another policy for what was seen": func(r *kindredv1.RecommendRequest) {
			r.SeenPolicy = kindredv1.SeenPolicy_SEEN_POLICY_HIDE_INTERACTED
		},
		"diversity":      func(r *kindredv1.RecommendRequest) { r.Diversity = proto.Float64(0.5) },
		"a seed":         func(r *kindredv1.RecommendRequest) { r.Seed = 7 },
		"paging":         func(r *kindredv1.RecommendRequest) { r.Paginate = true },
		"another person": func(r *kindredv1.RecommendRequest) { r.Subject = user("v") },
		"several rows": func(r *kindredv1.RecommendRequest) {
			r.Limit, r.Rows = 0, []*kindredv1.RowRequest{{Limit: 5}, {Limit: 5}}
		},
		"nobody":          func(r *kindredv1.RecommendRequest) { r.Subject = nil },
		"another session": func(r *kindredv1.RecommendRequest) { r.Subject = session("elsewhere") },
	} {
		s.again(base)
		other := proto.Clone(base).(*kindredv1.RecommendRequest)
		change(other)
		if got := s.recommend(other); got.Info.RankingAgeUs != 0 {
			t.Errorf("%s: a ranking of %d us ago is used", what, got.Info.RankingAgeUs)
		}
		if other.Seed != 0 || other.Paginate {
			if _, _, reused := s.again(other); reused {
				t.Errorf("%s: used again", what)
			}
		}
	}
}

func TestRankingAgeBoundsReuse(t *testing.T) {
	for _, c := range []struct {
		age    time.Duration
		reused bool
	}{{-1, false}, {time.Nanosecond, false}, {time.Minute, true}} {
		s := start(t, func(c2 *service.Config) { c2.Shop.RankingAge = c.age })
		s.upsert(shelf()...)
		if _, _, reused := s.again(reader(s)); reused != c.reused {
			t.Errorf("an age of %v: used again is %v", c.age, reused)
		}
		tenant := must(s.admin.GetTenant(ctx(t), &kindredv1.GetTenantRequest{Name: "default"}))
		if n := tenant.Status.RankingsReused; (n > 0) != c.reused {
			t.Errorf("an age of %v: the status counts %d", c.age, n)
		}
	}
}

// TestAListThatIsShownAgainIsLoggedWhole: what the decision log keeps once is read with each of its showings.
func TestAListThatIsShownAgainIsLoggedWhole(t *testing.T) {
	s := start(t, func(c *service.Config) { c.Shop.RankingAge = time.Minute })
	s.upsert(shelf()...)
	req := reader(s)
	first := s.recommend(req)
	s.decisions() // it is on disk now
	second := s.recommend(req)
	if second.Info.RankingAgeUs == 0 {
		t.Fatal("the ranking is not used again")
	}
	var logged []*kindredv1.Decision
	for _, d := range s.decisions() {
		if d.RecommendationId == first.RecommendationId || d.RecommendationId == second.RecommendationId {
			logged = append(logged, d)
		}
	}
	if len(logged) != 2 || logged[1].RecommendationId != second.RecommendationId {
		t.Fatalf("the log has %v", logged)
	}
	a, b := logged[0], logged[1]
	if len(b.Items) != len(second.Items) || len(b.Items[0].Features) != len(b.FeatureNames) || len(b.Losers) == 0 {
		t.Errorf("the second showing is logged as %v", b)
	}
	if !a.Time.AsTime().Before(b.Time.AsTime()) {
		t.Errorf("the second was shown at %v, the first at %v", b.Time, a.Time)
	}
	again := proto.Clone(a).(*kindredv1.Decision)
	again.RecommendationId, again.Time, again.ClockTime = b.RecommendationId, b.Time, b.ClockTime
	if !proto.Equal(again, b) {
		t.Errorf("shown again it is\n%v, not\n%v", b, again)
	}
	made := must(s.Reproduce(ctx(t), &kindredv1.ReproduceRequest{RecommendationId: second.RecommendationId}))
	if !slices.Equal(made.LoggedItemIds, ids(second.Items)) || !slices.Equal(made.ItemIds, made.LoggedItemIds) {
		t.Errorf("made again it differs: %v", made)
	}
}
