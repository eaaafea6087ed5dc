package service_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
)

// govern puts a policy that must be taken, and returns it.
func (c *client) govern(p *kindredv1.Policy) *kindredv1.Policy {
	c.t.Helper()
	reply, err := c.policies.PutPolicy(ctx(c.t), &kindredv1.PutPolicyRequest{Policy: p})
	if err != nil {
		c.t.Fatal(err)
	}
	return reply.Policy
}

// surface has a surface name a policy.
func (c *client) surface(name, policy string) {
	c.t.Helper()
	if _, err := c.admin.UpdateTenant(ctx(c.t), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{
		Surfaces: []*kindredv1.SurfaceSettings{{Name: name, Policy: policy}},
	}}); err != nil {
		c.t.Fatal(err)
	}
}

func exclude(name, condition string) *kindredv1.PolicyRule {
	return &kindredv1.PolicyRule{Name: name, Condition: condition, Action: &kindredv1.PolicyRule_Exclude{Exclude: &kindredv1.ExcludeAction{}}}
}

func pin(name, item string, slot int32) *kindredv1.PolicyRule {
	return &kindredv1.PolicyRule{Name: name, ItemId: item, Action: &kindredv1.PolicyRule_Pin{Pin: &kindredv1.PinAction{Slot: slot}}}
}

func boost(name, condition string, factor float64) *kindredv1.PolicyRule {
	return &kindredv1.PolicyRule{Name: name, Condition: condition, Action: &kindredv1.PolicyRule_Boost{Boost: &kindredv1.BoostAction{Factor: factor}}}
}

func dailyCap(name, item string, most int32) *kindredv1.PolicyRule {
	return &kindredv1.PolicyRule{Name: name, ItemId: item, Action: &kindredv1.PolicyRule_DailyCap{DailyCap: &kindredv1.DailyCapAction{Most: most}}}
}

func TestThereIsADefaultPolicyThatCanBeChanged(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	list := s.recommend(&kindredv1.RecommendRequest{Limit: 12})
	if list.Info.Policy != "default/1" || len(list.Items) != 12 {
		t.Errorf("policy %q, %d items", list.Info.Policy, len(list.Items))
	}
	got := must(s.policies.GetPolicy(ctx(t), &kindredv1.GetPolicyRequest{Name: "default"}))
	if got.Policy.Version != 1 || len(got.Policy.Rules) != 0 {
		t.Errorf("the default is %v", got.Policy)
	}
	if made := s.govern(&kindredv1.Policy{Name: "default", Rules: []*kindredv1.PolicyRule{exclude("no pens", `"Pens" in categories`)}}); made.Version != 2 {
		t.Errorf("the changed default is version %d", made.Version)
	}
	list = s.recommend(&kindredv1.RecommendRequest{Limit: 12})
	if list.Info.Policy != "default/2" || len(list.Items) != 6 || has(list.Items, "pen-1") {
		t.Errorf("policy %q shows %v", list.Info.Policy, ids(list.Items))
	}
	// A search obeys what excludes.
	if found := must(s.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{Query: "pen"})); slices.ContainsFunc(ids(found.Items), func(id string) bool { return strings.HasPrefix(id, "pen") }) {
		t.Errorf("a search shows %v", ids(found.Items))
	}
	must(s.policies.DeletePolicy(ctx(t), &kindredv1.DeletePolicyRequest{Name: "default"}))
	if list := s.recommend(&kindredv1.RecommendRequest{Limit: 12}); list.Info.Policy != "default/1" || len(list.Items) != 12 {
		t.Errorf("after it was deleted policy %q serves %d items", list.Info.Policy, len(list.Items))
	}
}

// TestRulesDoWhatTheySay goes through every action over gRPC; the engine's own tests cover
// each at length.
func TestRulesDoWhatTheySay(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.surface("home", "default")
	ask := func(surface string) *kindredv1.RecommendResponse {
		return s.recommend(&kindredv1.RecommendRequest{Surface: surface, Limit: 12, Seed: 1})
	}
	plain := ids(ask("home").Items)
	last := plain[len(plain)-1]
	noon := time.Now().Add(-time.Hour)
	for _, c := range []struct {
		why   string
		rule  *kindredv1.PolicyRule
		holds func(items []*kindredv1.RecommendedItem) bool
	}{
		{"exclude", exclude("x", `"Pens" in categories`), func(l []*kindredv1.RecommendedItem) bool { return len(l) == 6 && !has(l, "pen-1") }},
		{"pin", pin("x", last, 2), func(l []*kindredv1.RecommendedItem) bool {
			return l[1].ItemId == last && l[1].SlotKind == kindredv1.SlotKind_SLOT_KIND_PINNED && l[1].Propensity == 1
		}},
		{"boost", boost("x", fmt.Sprintf("id == %q", last), 1e6), func(l []*kindredv1.RecommendedItem) bool { return l[0].ItemId == last }},
		{"bury", &kindredv1.PolicyRule{Name: "x", ItemId: plain[0], Action: &kindredv1.PolicyRule_Bury{Bury: &kindredv1.BuryAction{}}},
			func(l []*kindredv1.RecommendedItem) bool { return l[len(l)-1].ItemId == plain[0] }},
		{"reserve", &kindredv1.PolicyRule{Name: "x", Condition: `"Tools" in categories`, Action: &kindredv1.PolicyRule_Reserve{Reserve: &kindredv1.ReserveAction{Share: 0.5}}},
			func(l []*kindredv1.RecommendedItem) bool {
				for k := range l {
					n := 0
					for _, it := range l[:k+1] {
						if strings.HasPrefix(it.ItemId, "garden") {
							n++
						}
					}
					if n < (k+1)/2 {
						return false
					}
				}
				return true
			}},
		{"a rule whose time is over", &kindredv1.PolicyRule{Name: "x", Condition: "true", UntilTime: timestamppb.New(noon), Action: exclude("", "").Action},
			func(l []*kindredv1.RecommendedItem) bool { return slices.Equal(ids(l), plain) }},
		{"a rule of another surface", &kindredv1.PolicyRule{Name: "x", Condition: "true", Surfaces: []string{"cart"}, Action: exclude("", "").Action},
			func(l []*kindredv1.RecommendedItem) bool { return slices.Equal(ids(l), plain) }},
		{"a rule of the surface", &kindredv1.PolicyRule{Name: "x", Condition: "true", Surfaces: []string{"cart", "home"}, Action: exclude("", "").Action},
			func(l []*kindredv1.RecommendedItem) bool { return len(l) == 0 }},
		{"a condition on an attribute that no item has is false", exclude("x", `brand == "Acme"`),
			func(l []*kindredv1.RecommendedItem) bool { return slices.Equal(ids(l), plain) }},
	} {
		p := s.govern(&kindredv1.Policy{Name: "default", Rules: []*kindredv1.PolicyRule{c.rule}})
		reply := ask("home")
		if !c.holds(reply.Items) || reply.Info.Policy != fmt.Sprintf("default/%d", p.Version) {
			t.Errorf("%s: policy %q shows %v", c.why, reply.Info.Policy, ids(reply.Items))
		}
	}
}

func TestPolicyIsNamedBySurfaceAndByRequest(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.govern(&kindredv1.Policy{Name: "pens", Rules: []*kindredv1.PolicyRule{exclude("x", `"Tools" in categories`)}})
	s.govern(&kindredv1.Policy{Name: "tools", Rules: []*kindredv1.PolicyRule{exclude("x", `"Pens" in categories`)}})
	s.surface("home", "pens")
	page := s.recommend(&kindredv1.RecommendRequest{Rows: []*kindredv1.RowRequest{{Surface: "home", Limit: 3}, {Surface: "other", Limit: 3}}})
	if page.Rows[0].Policy != "pens/1" || page.Rows[1].Policy != "default/1" || page.Info.Policy != "pens/1" || has(page.Rows[0].Items, "garden-1") {
		t.Errorf("rows have %q and %q", page.Rows[0].Policy, page.Rows[1].Policy)
	}
	list := s.recommend(&kindredv1.RecommendRequest{Surface: "home", Policy: "tools", Limit: 12})
	if list.Info.Policy != "tools/1" || has(list.Items, "pen-1") || len(list.Items) != 6 {
		t.Errorf("policy %q shows %v", list.Info.Policy, ids(list.Items))
	}
	s.govern(&kindredv1.Policy{Name: "tools"})
	if list := s.recommend(&kindredv1.RecommendRequest{Policy: "tools/1", Limit: 12}); list.Info.Policy != "tools/1" || len(list.Items) != 6 {
		t.Errorf("the version before: policy %q, %v", list.Info.Policy, ids(list.Items))
	}
	similar := must(s.SimilarItems(ctx(t), &kindredv1.SimilarItemsRequest{ItemId: "pen-1", Policy: "tools/1"}))
	if similar.Info.Policy != "tools/1" || has(similar.Items, "pen-2") || len(similar.Items) == 0 {
		t.Errorf("similar under %q: %v", similar.Info.Policy, ids(similar.Items))
	}
	ranked := must(s.RankItems(ctx(t), &kindredv1.RankItemsRequest{ItemIds: []string{"pen-1", "garden-1"}, Policy: "pens/1"}))
	if !slices.Equal(ids(ranked.Items), []string{"pen-1"}) || len(ranked.LeftOut) != 1 {
		t.Errorf("ranked %v, left out %v", ids(ranked.Items), ranked.LeftOut)
	}
	_, err := s.policies.DeletePolicy(ctx(t), &kindredv1.DeletePolicyRequest{Name: "pens"})
	code(t, err, codes.FailedPrecondition)
	contains(t, err.Error(), `surface "home"`)
}

// TestPolicyFaultsAreAllListed gives many at once and expects each by its path.
func TestPolicyFaultsAreAllListed(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	two := pin("b", "pen-2", 1)
	bad := &kindredv1.Policy{
		Name: "Bad", Diversity: proto.Float64(math.NaN()), Exploration: &kindredv1.Exploration{Temperature: math.Inf(1)},
		Caps: []*kindredv1.PolicyCap{{Label: 9, Most: 0}}, NewItems: &kindredv1.NewItems{Share: 2, MaxAge: &durationpb.Duration{Seconds: math.MaxInt64}},
		Fatigue: &kindredv1.Fatigue{Weight: -1},
		Rules: []*kindredv1.PolicyRule{
			pin("a", "pen-1", 1), two, boost("c", "price <", math.NaN()), exclude("c", "colour == 1"), nil,
			{Name: "d", Condition: "true", FromTime: &timestamppb.Timestamp{Seconds: math.MaxInt64}, Action: exclude("", "").Action},
		},
	}
	_, err := s.policies.PutPolicy(ctx(t), &kindredv1.PutPolicyRequest{Policy: bad})
	for _, field := range []string{
		"name", "diversity", "exploration.temperature", "caps[0].label", "caps[0].most", "new_items.share", "new_items.max_age",
		"fatigue.weight", "rules[1].pin.slot", "rules[2].boost.factor", "rules[3].name", "rules[4].action", "rules[5].from_time",
	} {
		refused(t, err, "policy."+field)
	}
	contains(t, refused(t, err, "policy.rules[2].condition"), "line 1, column 8")
	contains(t, refused(t, err, "policy.rules[3].condition"), "line 1, column 1")
	if list := must(s.policies.ListPolicies(ctx(t), &kindredv1.ListPoliciesRequest{})); len(list.Policies) != 1 {
		t.Errorf("policies %v", list.Policies)
	}
}

func TestBadPolicyInput(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	_, err := s.policies.PutPolicy(ctx(t), &kindredv1.PutPolicyRequest{})
	refused(t, err, "policy")
	_, err = s.policies.GetPolicy(ctx(t), &kindredv1.GetPolicyRequest{Name: "none"})
	code(t, err, codes.NotFound)
	_, err = s.policies.GetPolicy(ctx(t), &kindredv1.GetPolicyRequest{Name: "default/7"})
	code(t, err, codes.NotFound)
	_, err = s.policies.DeletePolicy(ctx(t), &kindredv1.DeletePolicyRequest{Name: "none"})
	code(t, err, codes.NotFound)
	_, err = s.policies.DeletePolicy(ctx(t), &kindredv1.DeletePolicyRequest{Name: "default"})
	code(t, err, codes.NotFound)
	_, err = s.Recommend(ctx(t), &kindredv1.RecommendRequest{Policy: "none"})
	refused(t, err, "policy")
	_, err = s.Recommend(ctx(t), &kindredv1.RecommendRequest{Policy: "default/01"})
	refused(t, err, "policy")
	_, err = s.Recommend(ctx(t), &kindredv1.RecommendRequest{Experiment: "none"})
	refused(t, err, "variant")
	_, err = s.Recommend(ctx(t), &kindredv1.RecommendRequest{Experiment: "none", Variant: "a"})
	refused(t, err, "experiment")
	_, err = s.Recommend(ctx(t), &kindredv1.RecommendRequest{Experiment: "none", Variant: "a", Policy: "default"})
	refused(t, err, "policy")
	_, err = s.admin.UpdateTenant(ctx(t), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{
		Surfaces: []*kindredv1.SurfaceSettings{{Name: "home", Policy: "none"}},
	}})
	refused(t, err, "tenant.surfaces[0].policy")
	if list := s.recommend(&kindredv1.RecommendRequest{Surface: "never declared", Limit: 3}); list.Info.Policy != "default/1" || len(list.Items) != 3 {
		t.Errorf("an undeclared surface has %q and %d items", list.Info.Policy, len(list.Items))
	}

	// A pin of an item that is not there waits for it, and says so.
	reply := must(s.policies.PutPolicy(ctx(t), &kindredv1.PutPolicyRequest{Policy: &kindredv1.Policy{Name: "default", Rules: []*kindredv1.PolicyRule{pin("star", "late", 1)}}}))
	if len(reply.Warnings) != 1 {
		t.Errorf("warnings %v", reply.Warnings)
	}
	contains(t, strings.Join(reply.Warnings, ""), `"late"`)
	list := s.recommend(&kindredv1.RecommendRequest{Limit: 3})
	if len(list.Items) != 3 || len(list.Info.Conflicts) != 1 {
		t.Errorf("%d items, conflicts %v", len(list.Items), list.Info.Conflicts)
	}
	contains(t, strings.Join(list.Info.Conflicts, ""), `"star"`)
	s.upsert(item("late", "Gold pen", "Office > Pens"))
	if list := s.recommend(&kindredv1.RecommendRequest{Limit: 3}); list.Items[0].ItemId != "late" || len(list.Info.Conflicts) != 0 {
		t.Errorf("after it came: %v, conflicts %v", ids(list.Items), list.Info.Conflicts)
	}

	// All filtered, temperatures at their bounds, lists of none, one and ten thousand.
	s.govern(&kindredv1.Policy{Name: "hot", Exploration: &kindredv1.Exploration{Temperature: 1e6}})
	s.govern(&kindredv1.Policy{Name: "cold", Exploration: &kindredv1.Exploration{Temperature: 0}})
	for _, policy := range []string{"hot", "cold"} {
		if list := s.recommend(&kindredv1.RecommendRequest{Policy: policy, Filter: "price > 1000.0", Limit: 5}); len(list.Items) != 0 {
			t.Errorf("%s: all are filtered, shown %v", policy, ids(list.Items))
		}
		list := s.recommend(&kindredv1.RecommendRequest{Policy: policy, Limit: 5})
		for _, it := range list.Items {
			if !(it.Propensity > 0 && it.Propensity <= 1) || policy == "cold" && it.Propensity != 1 {
				t.Errorf("%s: propensity %v", policy, it.Propensity)
			}
		}
		_, err := s.RankItems(ctx(t), &kindredv1.RankItemsRequest{Policy: policy})
		refused(t, err, "item_ids")
		one := must(s.RankItems(ctx(t), &kindredv1.RankItemsRequest{Policy: policy, ItemIds: []string{"pen-1"}}))
		if len(one.Items) != 1 || one.Items[0].Propensity != 1 {
			t.Errorf("%s: one item is ranked as %v", policy, one.Items)
		}
		many := make([]string, 10_000)
		for i := range many {
			many[i] = fmt.Sprint("none-", i)
		}
		many[9_999], many[0] = "pen-1", "pen-2"
		ranked := must(s.RankItems(ctx(t), &kindredv1.RankItemsRequest{Policy: policy, ItemIds: many}))
		if len(ranked.Items) != 2 || len(ranked.LeftOut) != 9_998 {
			t.Errorf("%s: of ten thousand %d are ranked, %d left out", policy, len(ranked.Items), len(ranked.LeftOut))
		}
	}
}

func TestVersionsAreCheckedAndTheLastTenKept(t *testing.T) {
	s := start(t)
	put := func(expected *int32) error {
		_, err := s.policies.PutPolicy(ctx(t), &kindredv1.PutPolicyRequest{Policy: &kindredv1.Policy{Name: "p", Note: "n"}, ExpectedVersion: expected})
		return err
	}
	if err := put(proto.Int32(0)); err != nil {
		t.Fatal(err)
	}
	code(t, put(proto.Int32(0)), codes.FailedPrecondition)
	code(t, put(proto.Int32(2)), codes.FailedPrecondition)
	refused(t, put(proto.Int32(-3)), "expected_version")
	dry := must(s.policies.PutPolicy(ctx(t), &kindredv1.PutPolicyRequest{Policy: &kindredv1.Policy{Name: "p"}, DryRun: true}))
	if dry.Policy.Version != 2 {
		t.Errorf("a dry run says version %d", dry.Policy.Version)
	}
	for v := int32(1); v < 14; v++ {
		if err := put(&v); err != nil {
			t.Fatal(err)
		}
	}
	got := must(s.policies.GetPolicy(ctx(t), &kindredv1.GetPolicyRequest{Name: "p"}))
	if got.Policy.Version != 14 || len(got.Versions) != 10 || got.Versions[0] != 5 {
		t.Errorf("version %d, kept %v", got.Policy.Version, got.Versions)
	}
	must(s.policies.DeletePolicy(ctx(t), &kindredv1.DeletePolicyRequest{Name: "p", ExpectedVersion: proto.Int32(14)}))
	if again := s.govern(&kindredv1.Policy{Name: "p"}); again.Version != 16 {
		t.Errorf("made again it is version %d: a number must not mean two things", again.Version)
	}
	for i := range 70 {
		_, err := s.policies.PutPolicy(ctx(t), &kindredv1.PutPolicyRequest{Policy: &kindredv1.Policy{Name: fmt.Sprint("p", i)}})
		if i >= 63 {
			code(t, err, codes.ResourceExhausted)
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestPoliciesAreForTheirRoles(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.govern(&kindredv1.Policy{Name: "p"})
	must(s.trials.PutExperiment(ctx(t), &kindredv1.PutExperimentRequest{Experiment: trial("e", "p")}))
	operator := s.operate()
	as := func(role kindredv1.Role) *client {
		return dial(t, s.service.Addr(), must(operator.admin.CreateKey(ctx(t), &kindredv1.CreateKeyRequest{Role: role})).Secret)
	}
	frontend, merchant, scientist := as(kindredv1.Role_ROLE_FRONTEND), as(kindredv1.Role_ROLE_MERCHANT), as(kindredv1.Role_ROLE_SCIENTIST)
	for _, req := range []*kindredv1.RecommendRequest{{Policy: "p"}, {Experiment: "e", Variant: "b"}} {
		_, err := frontend.Recommend(ctx(t), req)
		code(t, err, codes.PermissionDenied)
		if _, err := scientist.Recommend(ctx(t), req); err != nil {
			t.Error(err)
		}
	}
	_, err := frontend.policies.PutPolicy(ctx(t), &kindredv1.PutPolicyRequest{Policy: &kindredv1.Policy{Name: "q"}})
	code(t, err, codes.PermissionDenied)
	made := must(merchant.policies.PutPolicy(ctx(t), &kindredv1.PutPolicyRequest{Policy: &kindredv1.Policy{Name: "q"}}))
	if made.Policy.CreatedBy == "" {
		t.Error("nobody put the policy")
	}
	_, err = merchant.trials.ListExperiments(ctx(t), &kindredv1.ListExperimentsRequest{})
	code(t, err, codes.PermissionDenied)
}

// TestPoliciesSurviveAKill kills the process once what was put is acknowledged.
func TestPoliciesSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	cmd, addr := spawn(t, dir)
	c := dial(t, addr, "")
	c.upsert(shelf()...)
	c.govern(&kindredv1.Policy{Name: "p", Rules: []*kindredv1.PolicyRule{exclude("x", `"Pens" in categories`)}})
	c.surface("home", "p")
	before := must(c.trials.PutExperiment(ctx(t), &kindredv1.PutExperimentRequest{Experiment: trial("e", "p")})).Experiment
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	s := start(t, func(c *service.Config) { c.Data = dir })
	list := s.recommend(&kindredv1.RecommendRequest{Surface: "home", Policy: "p", Limit: 12})
	if list.Info.Policy != "p/1" || len(list.Items) != 6 {
		t.Errorf("after a kill policy %q shows %v", list.Info.Policy, ids(list.Items))
	}
	if after := must(s.trials.GetExperiment(ctx(t), &kindredv1.GetExperimentRequest{Name: "e"})).Experiment; !proto.Equal(before, after) {
		t.Errorf("the experiment was %v and is %v", before, after)
	}
	tenant := must(s.admin.GetTenant(ctx(t), &kindredv1.GetTenantRequest{})).Tenant
	if len(tenant.Surfaces) != 1 || tenant.Surfaces[0].Policy != "p" {
		t.Errorf("surfaces %v", tenant.Surfaces)
	}
}

// TestShowingsOfTheDayAreCountedAcrossARestart caps an item and restarts in between.
func TestShowingsOfTheDayAreCountedAcrossARestart(t *testing.T) {
	if now := time.Now().UTC(); now.Hour() == 23 && now.Minute() > 55 {
		t.Skip("the day ends while this runs")
	}
	s := start(t)
	s.upsert(shelf()...)
	ask := func() bool {
		return has(s.recommend(&kindredv1.RecommendRequest{Surface: "home", Limit: 12}).Items, "pen-1")
	}
	s.surface("home", "default")
	if !ask() {
		t.Fatal("pen-1 is not shown")
	}
	shown := int32(0) // before there is a rule
	for _, d := range s.decisions() {
		for _, it := range d.Items {
			if it.ItemId == "pen-1" {
				shown++
			}
		}
	}
	s.restart()
	s.govern(&kindredv1.Policy{Name: "default", Rules: []*kindredv1.PolicyRule{dailyCap("two more", "pen-1", shown+2)}})
	if !ask() {
		t.Fatal("two showings are left, it is gone")
	}
	s.restart()
	if !ask() {
		t.Fatal("one showing is left, it is gone")
	}
	if ask() {
		t.Error("it is shown once too often")
	}
	s.restart()
	if ask() {
		t.Error("after a restart it is shown again")
	}
}
