package api

import (
	"context"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/shop"
)

type policyService struct {
	kindredv1.UnimplementedPolicyServiceServer
	*Server
}

func (s *policyService) PutPolicy(ctx context.Context, req *kindredv1.PutPolicyRequest) (*kindredv1.PutPolicyResponse, error) {
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if req.Policy == nil {
		return nil, invalid(violation{"policy", "is missing: give the policy to put"})
	}
	policy, faults := policyFromWire(req.Policy)
	if err := faulty("policy", append(faults, sh.CheckPolicy(&policy)...)); err != nil {
		return nil, err
	}
	expected, err := expectation("expected_version", req.ExpectedVersion)
	if err != nil {
		return nil, err
	}
	policy.By = p.KeyID
	made, warnings, err := sh.PutPolicy(ctx, policy, expected, req.DryRun)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.PutPolicyResponse{Policy: policyToWire(&made), Warnings: warnings}, nil
}

// expectation is the version that a caller knows; shop.AnyVersion where it is not said.
func expectation(field string, version *int32) (int32, error) {
	if version == nil {
		return shop.AnyVersion, nil
	}
	if *version < 0 {
		return 0, invalid(violation{field, "is below 0: give the last version, 0 for none yet, or leave it out"})
	}
	return *version, nil
}

func (s *policyService) GetPolicy(ctx context.Context, req *kindredv1.GetPolicyRequest) (*kindredv1.GetPolicyResponse, error) {
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	if req.Name == "" {
		return nil, invalid(violation{"name", "is missing: give a policy's name, or name/version"})
	}
	p, versions, err := sh.Policy(req.Name)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.GetPolicyResponse{Policy: policyToWire(&p), Versions: versions}, nil
}

func (s *policyService) ListPolicies(ctx context.Context, _ *kindredv1.ListPoliciesRequest) (*kindredv1.ListPoliciesResponse, error) {
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	resp := &kindredv1.ListPoliciesResponse{}
	for _, p := range sh.Policies() {
		resp.Policies = append(resp.Policies, policyToWire(&p))
	}
	return resp, nil
}

func (s *policyService) DeletePolicy(ctx context.Context, req *kindredv1.DeletePolicyRequest) (*kindredv1.DeletePolicyResponse, error) {
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	if req.Name == "" {
		return nil, invalid(violation{"name", "is missing: give a policy's name"})
	}
	expected, err := expectation("expected_version", req.ExpectedVersion)
	if err != nil {
		return nil, err
	}
	if err := sh.DeletePolicy(ctx, req.Name, expected); err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.DeletePolicyResponse{}, nil
}
