package api

import (
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/shop"
)

// triedPerReply is how many requests are ranked between two messages of progress.
const triedPerReply = 25

func (s *policyService) TryPolicy(req *kindredv1.TryPolicyRequest, stream kindredv1.PolicyService_TryPolicyServer) error {
	ctx := stream.Context()
	sh, err := s.shop(ctx)
	if err != nil {
		return err
	}
	if req.Policy == nil {
		return invalid(violation{"policy", "is missing: give the policy to try"})
	}
	policy, faults := policyFromWire(req.Policy)
	if err := faulty("policy", append(faults, sh.CheckPolicy(&policy)...)); err != nil {
		return err
	}
	q := &shop.TrialQuery{
		Policy: policy, Against: req.Against, From: timeOf(req.FromTime), Until: timeOf(req.UntilTime), Surface: req.Surface,
		Requests: int(req.Requests), Seed: req.Seed,
	}
	total := 0
	done, err := sh.TryPolicy(ctx, q, func(n, of int) error {
		if total = of; n%triedPerReply != 0 {
			return nil
		}
		return stream.Send(&kindredv1.TryPolicyResponse{Done: int32(n), Total: int32(of)})
	})
	if err != nil {
		return s.statusOf(ctx, err)
	}
	return stream.Send(&kindredv1.TryPolicyResponse{Done: int32(total), Total: int32(total), Result: trialToWire(done)})
}

func trialToWire(t *shop.Trial) *kindredv1.PolicyTrial {
	lists := max(1, t.Requests)
	out := &kindredv1.PolicyTrial{
		Logged: t.Logged, Requests: int32(t.Requests), Skipped: map[string]int32{},
		ChangedShare: float64(t.Changed) / float64(lists), DisplacedMean: float64(t.Displaced) / float64(lists),
		MovedMean: float64(t.Moved) / float64(max(1, t.Both)),
		Base:      sideToWire(&t.Base, lists), Tried: sideToWire(&t.Tried, lists),
		Items: shiftsToWire(t.Items), Sellers: shiftsToWire(t.Sellers), Brands: shiftsToWire(t.Brands), Categories: shiftsToWire(t.Categories),
		Effect: &kindredv1.TrialEffect{
			Refusal: t.Effect.Refusal, Lists: int32(t.Effect.Lists), Shared: int32(t.Effect.Shared), EffectiveSample: t.Effect.Effective,
			LoggedClicks: t.Effect.Logged, TriedClicks: t.Effect.Tried, StandardError: t.Effect.StandardError,
		},
	}
	for why, n := range t.Skipped {
		out.Skipped[why] = int32(n)
	}
	return out
}

func sideToWire(s *shop.TrialSide, lists int) *kindredv1.TrialSide {
	return &kindredv1.TrialSide{
		Places: int64(s.Places), NewShare: float64(s.New) / float64(max(1, s.Places)),
		CategoriesMean: float64(s.Categories) / float64(lists), Items: int64(s.Items),
	}
}

func shiftsToWire(list []shop.Shift) []*kindredv1.ExposureShift {
	out := make([]*kindredv1.ExposureShift, len(list))
	for i, x := range list {
		out[i] = &kindredv1.ExposureShift{Name: x.Name, Base: int64(x.Base), Tried: int64(x.Tried)}
	}
	return out
}
