package service_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"google.golang.org/grpc/codes"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// try tries a policy and returns the result, which must come last.
func (c *client) try(req *kindredv1.TryPolicyRequest) *kindredv1.PolicyTrial {
	c.t.Helper()
	stream, err := c.policies.TryPolicy(ctx(c.t), req)
	replies := all(c.t, stream, err)
	for i, r := range replies {
		if (r.Result != nil) != (i == len(replies)-1) {
			c.t.Fatalf("message %d of %d: %v", i, len(replies), r)
		}
	}
	return replies[len(replies)-1].Result
}

// labelled is the shelf with a seller of each half.
func labelled() []*kindredv1.Item {
	items := shelf()
	for i, it := range items {
		it.Seller = []string{"Nib & Co", "Green Ltd"}[i/6]
	}
	return items
}

func TestPolicyIsTriedOnLoggedRequestsBeforeItServes(t *testing.T) {
	s := start(t)
	s.upsert(labelled()...)
	var token string
	for i := range 8 {
		token = s.write(view(fmt.Sprint(i), fmt.Sprint("user-", i%4), fmt.Sprint("garden-", 1+i%6))).WriteToken
	}
	s.applied(token)
	for i := range 60 {
		s.recommend(&kindredv1.RecommendRequest{Subject: user(fmt.Sprint("user-", i%4)), Limit: 4, Surface: []string{"home", "cart"}[i%2], Seed: uint64(i + 1)})
	}
	same := s.try(&kindredv1.TryPolicyRequest{Policy: &kindredv1.Policy{Name: "trial"}})
	if same.Logged < 60 || int64(same.Requests) != same.Logged || same.ChangedShare != 0 || same.DisplacedMean != 0 || len(same.Items) != 0 {
		t.Errorf("a policy that does nothing: %v", same)
	}
	contains(t, same.Effect.Refusal, "chance had a part in 0 of")
	tried := s.try(&kindredv1.TryPolicyRequest{
		Policy:  &kindredv1.Policy{Name: "trial", Rules: []*kindredv1.PolicyRule{exclude("no tools", `"Tools" in categories || "Garden > Tools" in categories`)}},
		Surface: "home", Requests: 20,
	})
	if tried.Logged != 30 || tried.Requests != 20 || tried.ChangedShare != 1 || tried.DisplacedMean <= 0 {
		t.Errorf("a policy that excludes half: %v", tried)
	}
	for _, x := range tried.Sellers {
		if (x.Name == "Green Ltd") != (x.Tried == 0) || (x.Name == "Nib & Co") != (x.Tried > x.Base) {
			t.Errorf("seller %v", x)
		}
	}
	if len(tried.Sellers) != 2 || tried.Base.Places != 80 || tried.Tried.Places != 80 || tried.Base.NewShare != 1 {
		t.Errorf("sides %v and %v, sellers %v", tried.Base, tried.Tried, tried.Sellers)
	}
	if again := s.try(&kindredv1.TryPolicyRequest{Policy: &kindredv1.Policy{Name: "trial"}}); again.Logged != same.Logged {
		t.Errorf("a trial was logged: %d lists, %d before", again.Logged, same.Logged)
	}
	if list := s.recommend(&kindredv1.RecommendRequest{Limit: 12}); len(list.Items) != 12 {
		t.Errorf("after a trial %d items serve", len(list.Items))
	}
	if none := s.try(&kindredv1.TryPolicyRequest{Policy: &kindredv1.Policy{Name: "trial"}, UntilTime: timestamppb.New(time.Now().Add(-time.Hour))}); none.Logged != 0 || none.Requests != 0 {
		t.Errorf("an empty window: %v", none)
	}
}

func TestTrialEstimatesClicksWhereChanceGivesSharedLists(t *testing.T) {
	s := start(t)
	s.upsert(shelf()[:3]...)
	s.govern(&kindredv1.Policy{Name: "default", Exploration: &kindredv1.Exploration{Temperature: 1000}})
	var token string
	// Whoever sees pen-1 first clicks on it, nobody else does.
	for i := range 300 {
		list := s.recommend(&kindredv1.RecommendRequest{Subject: user(fmt.Sprint("u", i)), Limit: 1, Seed: uint64(i + 1)})
		if list.Items[0].ItemId == "pen-1" {
			click := act(fmt.Sprint("c", i), fmt.Sprint("u", i), kindredv1.EventType_EVENT_TYPE_CLICK, "pen-1")
			click.RecommendationId, click.Position = list.RecommendationId, 1
			token = s.write(click).WriteToken
		}
	}
	s.applied(token)
	r := s.try(&kindredv1.TryPolicyRequest{Policy: &kindredv1.Policy{Name: "trial", Rules: []*kindredv1.PolicyRule{pin("hero", "pen-1", 1)}}})
	e := r.Effect
	if e.Refusal != "" || e.Lists < 300 || e.Shared < 60 || e.EffectiveSample < 30 {
		t.Fatalf("effect %v", e)
	}
	if e.TriedClicks < 0.99 || e.LoggedClicks > 0.5 || e.StandardError > 0.01 {
		t.Errorf("everybody clicks on what is pinned, a third did: %v", e)
	}
	long := s.try(&kindredv1.TryPolicyRequest{Policy: &kindredv1.Policy{Name: "trial", Rules: []*kindredv1.PolicyRule{exclude("nothing left", "true")}}})
	contains(t, long.Effect.Refusal, "makes 0 of")
}

func TestTrialRefusesWhatItCannotTry(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	ask := func(req *kindredv1.TryPolicyRequest) error {
		stream := must(s.policies.TryPolicy(ctx(t), req))
		_, err := stream.Recv()
		return err
	}
	refused(t, ask(&kindredv1.TryPolicyRequest{}), "policy")
	refused(t, ask(&kindredv1.TryPolicyRequest{Policy: &kindredv1.Policy{Name: "trial"}, Requests: 5001}), "requests")
	refused(t, ask(&kindredv1.TryPolicyRequest{Policy: &kindredv1.Policy{Name: "trial"}, Against: "none"}), "against")
	refused(t, ask(&kindredv1.TryPolicyRequest{Policy: &kindredv1.Policy{Name: "trial", Rules: []*kindredv1.PolicyRule{exclude("x", "title >")}}}), "policy.rules[0].condition")
	refused(t, ask(&kindredv1.TryPolicyRequest{Policy: &kindredv1.Policy{Name: "trial"}, FromTime: timestamppb.Now(), UntilTime: timestamppb.New(time.Now().Add(-time.Hour))}), "from_time")
	op := s.operate()
	front := s.tenant(op, "alpha", kindredv1.Role_ROLE_FRONTEND)
	stream := must(front.policies.TryPolicy(ctx(t), &kindredv1.TryPolicyRequest{Policy: &kindredv1.Policy{Name: "trial"}}))
	_, err := stream.Recv()
	code(t, err, codes.PermissionDenied)
}
