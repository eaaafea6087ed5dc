package shop

import (
	"cmp"
	"fmt"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/rerank"
	"github.com/kindred-rec/kindred/server/record"
)

// making is what one list is made by, as the reply and the decision log tell it.
type making struct {
	policy     *policy
	rules      *rerank.Policy // of the policy, those of the surface
	assignment record.Assignment
	filter     string
	limit      int
	ranked     int // slots, where pages may follow; 0: limit
	seen       ranker.SeenPolicy
	diversity  float32
}

// choose finds the policy of a row: the one that the request names, itself or by a
// variant; else that of the variant of an experiment that runs there; else the surface's.
func (c *call) choose(view *tenantView, row *Row, surface record.Surface) (making, error) {
	var made making
	name, err := row.Policy, error(nil)
	switch {
	case name != "":
	case row.Experiment != "":
		name, made.assignment, err = c.shop.variant(row.Experiment, row.Variant)
	default:
		name, made.assignment = view.assigned(c, row.Surface)
	}
	if err != nil {
		return made, err
	}
	name = cmp.Or(name, surface.Policy, DefaultPolicy)
	if made.policy = view.policies.named(name); made.policy == nil {
		return made, &InputError{Field: "policy", Description: fmt.Sprintf(
			"there is no policy %.80q, or its version is not kept any more: see PolicyService.ListPolicies", name)}
	}
	made.rules = made.policy.on(row.Surface)
	return made, nil
}

// variant is the policy of the variant that a request names; "" for the surface's.
func (s *Shop) variant(experiment, variant string) (string, record.Assignment, error) {
	in := record.Assignment{Experiment: experiment, Variant: variant, Kind: record.AssignedByRequest}
	e, err := s.Experiment(experiment)
	if err != nil {
		return "", in, &InputError{Field: "experiment", Description: fmt.Sprintf(
			"there is no experiment %.80q: see ExperimentService.ListExperiments", experiment)}
	}
	policy, ok := policyOf(&e, variant)
	if !ok {
		return "", in, &InputError{Field: "variant", Description: fmt.Sprintf("experiment %q has no variant %.80q", e.Name, variant)}
	}
	return policy, in, nil
}

// assigned is the policy of the variant that a call's subject is in on a surface, "" for
// the surface's. No two experiments have a subject on one surface.
func (v *tenantView) assigned(c *call, surface string) (string, record.Assignment) {
	for _, a := range v.arms {
		if !a.RunsAt(c.now) || !a.On(surface) {
			continue
		}
		if in := a.assign(c.subject); in.Kind != 0 {
			policy, _ := policyOf(&a.Experiment, in.Variant)
			return policy, in
		}
	}
	return "", record.Assignment{}
}
