package service_test

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// trial is a running experiment: half control, half under a policy.
func trial(name, policy string) *kindredv1.Experiment {
	return &kindredv1.Experiment{
		Name: name, Status: kindredv1.ExperimentStatus_EXPERIMENT_STATUS_RUNNING, Surfaces: []string{"home"},
		Variants: []*kindredv1.Variant{{Name: "control", Share: 0.5}, {Name: "b", Policy: policy, Share: 0.5}},
	}
}

// variant is the one that somebody is in on a surface.
func (c *client) variant(who *kindredv1.Subject) *kindredv1.Assignment {
	return c.recommend(&kindredv1.RecommendRequest{Subject: who, Surface: "home", Limit: 1}).Info.Assignment
}

func TestExperimentGivesPeopleTheirVariants(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.govern(&kindredv1.Policy{Name: "tools", Rules: []*kindredv1.PolicyRule{exclude("x", `"Pens" in categories`)}})
	e := trial("tea", "tools")
	e.ExcludedUserIds, e.Variants[1].UserIds = []string{"nobody"}, []string{"tester"}
	must(s.trials.PutExperiment(ctx(t), &kindredv1.PutExperimentRequest{Experiment: e}))
	counts := map[string]int{}
	for i := range 200 {
		reply := s.recommend(&kindredv1.RecommendRequest{Subject: user(fmt.Sprint("u", i)), Surface: "home", Limit: 12})
		a := reply.Info.Assignment
		if a == nil || a.Experiment != "tea" || a.Kind != kindredv1.AssignmentKind_ASSIGNMENT_KIND_HASH {
			t.Fatalf("u%d is assigned %v", i, a)
		}
		counts[a.Variant]++
		want := map[string]string{"control": "default/1", "b": "tools/1"}[a.Variant]
		if reply.Info.Policy != want || has(reply.Items, "pen-1") != (a.Variant == "control") {
			t.Fatalf("variant %s has policy %s", a.Variant, reply.Info.Policy)
		}
		if again := s.variant(user(fmt.Sprint("u", i))); again.Variant != a.Variant {
			t.Fatalf("u%d changed from %s to %s", i, a.Variant, again.Variant)
		}
	}
	if counts["control"] < 70 || counts["b"] < 70 {
		t.Errorf("of 200 people: %v", counts)
	}
	if a := s.variant(user("tester")); a.GetVariant() != "b" || a.Kind != kindredv1.AssignmentKind_ASSIGNMENT_KIND_LISTED {
		t.Errorf("somebody listed is assigned %v", a)
	}
	if a := s.variant(user("nobody")); a != nil {
		t.Errorf("somebody excluded is assigned %v", a)
	}
	if a := s.variant(nil); a.GetVariant() != "control" || a.Kind != kindredv1.AssignmentKind_ASSIGNMENT_KIND_ANONYMOUS {
		t.Errorf("an anonymous visitor is assigned %v", a)
	}
	if a := s.variant(session("s")); a.GetKind() != kindredv1.AssignmentKind_ASSIGNMENT_KIND_HASH {
		t.Errorf("a session is assigned %v", a)
	}
	if reply := s.recommend(&kindredv1.RecommendRequest{Subject: user("u1"), Surface: "cart"}); reply.Info.Assignment != nil {
		t.Errorf("on another surface: %v", reply.Info.Assignment)
	}
	forced := s.recommend(&kindredv1.RecommendRequest{Subject: user("u1"), Surface: "cart", Experiment: "tea", Variant: "b"})
	if a := forced.Info.Assignment; a.GetVariant() != "b" || a.Kind != kindredv1.AssignmentKind_ASSIGNMENT_KIND_REQUEST || forced.Info.Policy != "tools/1" {
		t.Errorf("named by the request: %v, policy %s", a, forced.Info.Policy)
	}
	logged := map[string]int{}
	for _, d := range s.decisions() {
		logged[d.Assignment.GetVariant()+" "+d.Assignment.GetKind().String()+" "+d.Policy]++
	}
	if n := logged["b ASSIGNMENT_KIND_HASH tools/1"]; n < 2*70 {
		t.Errorf("the log has %v", logged)
	}
}

// TestAGrowingVariantTakesFromOutsideAlone changes shares of a running experiment.
func TestAGrowingVariantTakesFromOutsideAlone(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.govern(&kindredv1.Policy{Name: "p"})
	e := trial("tea", "p")
	e.Variants[0].Share, e.Variants[1].Share = 0.4, 0.2
	must(s.trials.PutExperiment(ctx(t), &kindredv1.PutExperimentRequest{Experiment: e, ExpectedRevision: proto.Int32(0)}))
	in := func() map[string]string {
		got := map[string]string{}
		for i := range 200 {
			u := fmt.Sprint("u", i)
			got[u] = s.variant(user(u)).GetVariant()
		}
		return got
	}
	before := in()
	e.Variants[1].Share = 0.6
	must(s.trials.PutExperiment(ctx(t), &kindredv1.PutExperimentRequest{Experiment: e, ExpectedRevision: proto.Int32(1)}))
	grown := 0
	for u, now := range in() {
		if before[u] != now {
			if grown++; before[u] != "" || now != "b" {
				t.Errorf("%s moved from %q to %q", u, before[u], now)
			}
		}
	}
	if grown < 40 {
		t.Errorf("%d of 200 moved into a share that grew by 0.4", grown)
	}
	s.restart()
	for u, now := range in() {
		if before[u] != "" && before[u] != now {
			t.Errorf("a restart moved %s from %q to %q", u, before[u], now)
		}
	}
}

func TestExperimentsThatWouldShareAListAreRefused(t *testing.T) {
	s := start(t)
	s.govern(&kindredv1.Policy{Name: "p"})
	must(s.trials.PutExperiment(ctx(t), &kindredv1.PutExperimentRequest{Experiment: trial("a", "p")}))
	_, err := s.trials.PutExperiment(ctx(t), &kindredv1.PutExperimentRequest{Experiment: trial("b", "p")})
	contains(t, refused(t, err, "experiment.layer"), `"a"`)
	a, b := trial("a", "p"), trial("b", "p")
	a.Layer, a.LayerUntil, b.Layer, b.LayerFrom, b.LayerUntil = "l", 0.5, "l", 0.5, 1
	must(s.trials.PutExperiment(ctx(t), &kindredv1.PutExperimentRequest{Experiment: a}))
	must(s.trials.PutExperiment(ctx(t), &kindredv1.PutExperimentRequest{Experiment: b}))
	counts := map[string]int{}
	s.upsert(shelf()...)
	for i := range 200 {
		counts[s.variant(user(fmt.Sprint("u", i))).GetExperiment()]++
	}
	if counts[""] != 0 || counts["a"] < 70 || counts["b"] < 70 {
		t.Errorf("people by experiment: %v", counts)
	}

	e := trial("c", "none")
	e.Status = kindredv1.ExperimentStatus_EXPERIMENT_STATUS_DRAFT
	_, err = s.trials.PutExperiment(ctx(t), &kindredv1.PutExperimentRequest{Experiment: e})
	refused(t, err, "experiment.variants[1].policy")
	a.Salt = "other"
	_, err = s.trials.PutExperiment(ctx(t), &kindredv1.PutExperimentRequest{Experiment: a})
	refused(t, err, "experiment.salt")
	_, err = s.trials.PutExperiment(ctx(t), &kindredv1.PutExperimentRequest{Experiment: b, ExpectedRevision: proto.Int32(7)})
	code(t, err, codes.FailedPrecondition)
	_, err = s.trials.PutExperiment(ctx(t), &kindredv1.PutExperimentRequest{Experiment: &kindredv1.Experiment{Name: "x", Status: 77}})
	refused(t, err, "experiment.variants")
	refused(t, err, "experiment.status")
	must(s.trials.DeleteExperiment(ctx(t), &kindredv1.DeleteExperimentRequest{Name: "b"}))
	_, err = s.trials.GetExperiment(ctx(t), &kindredv1.GetExperimentRequest{Name: "b"})
	code(t, err, codes.NotFound)
	if list := must(s.trials.ListExperiments(ctx(t), &kindredv1.ListExperimentsRequest{})); len(list.Experiments) != 1 {
		t.Errorf("experiments %v", list.Experiments)
	}
}

// TestAnErasedUserLeavesTheLists looks for a raw id where a merchant put it.
func TestAnErasedUserLeavesTheLists(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.govern(&kindredv1.Policy{Name: "p"})
	e := trial("tea", "p")
	e.Variants[1].UserIds = []string{"ann", "bob"}
	must(s.trials.PutExperiment(ctx(t), &kindredv1.PutExperimentRequest{Experiment: e}))
	s.applied(s.write(view("1", "ann", "pen-1")).WriteToken)
	must(s.profiles.EraseProfile(ctx(t), &kindredv1.EraseProfileRequest{Subject: user("ann")}))
	got := must(s.trials.GetExperiment(ctx(t), &kindredv1.GetExperimentRequest{Name: "tea"}))
	if list := got.Experiment.Variants[1].UserIds; len(list) != 1 || list[0] != "bob" {
		t.Errorf("listed are %v", list)
	}
}
