package shop

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kindred-rec/kindred/server/experiment"
	"github.com/kindred-rec/kindred/server/record"
)

// PutExperiment keeps the next revision of an experiment. expected is the last revision
// that the caller knows, 0 for none, AnyVersion for whatever is. Errors: *InputError,
// ErrPrecondition, record.ErrLimit.
func (s *Shop) PutExperiment(ctx context.Context, e record.Experiment, expected int32) (record.Experiment, error) {
	for _, f := range e.Validate() {
		return e, &InputError{Field: "experiment." + f.Field, Description: f.Description}
	}
	e.Updated = s.config.Now().UTC()
	err := s.amend(ctx, func(next *record.Tenant) error {
		at, found := findExperiment(next.Experiments, e.Name)
		before := record.Experiment{}
		if found {
			before = next.Experiments[at]
		}
		if err := expect("experiment", e.Name, before.Revision, expected); err != nil {
			return err
		}
		if err := checkExperiment(next, &e, &before); err != nil {
			return err
		}
		e.Revision, e.Spans = before.Revision+1, allocate(before.Spans, e.Variants)
		next.Experiments = slices.Clone(next.Experiments)
		if found {
			next.Experiments[at] = e
			return nil
		}
		if len(next.Experiments) == record.MaxExperiments {
			return fmt.Errorf("tenant %q has %d experiments, the most that are kept: delete one: %w", next.Name, record.MaxExperiments, record.ErrLimit)
		}
		next.Experiments = slices.Insert(next.Experiments, at, e)
		return nil
	})
	return e, err
}

func findExperiment(list []record.Experiment, name string) (at int, found bool) {
	return slices.BinarySearchFunc(list, name, func(e record.Experiment, name string) int { return strings.Compare(e.Name, name) })
}

// checkExperiment refuses what does not fit the other settings.
func checkExperiment(t *record.Tenant, e, before *record.Experiment) error {
	for i, v := range e.Variants {
		if v.Policy != "" && lastVersion(t.Policies, v.Policy) == 0 {
			return &InputError{Field: fmt.Sprintf("experiment.variants[%d].policy", i), Description: fmt.Sprintf(
				"there is no policy %.80q: put it first, or leave it out for the surface's own", v.Policy)}
		}
	}
	if before.Revision > 0 && before.SaltOf() != e.SaltOf() {
		return &InputError{Field: "experiment.salt", Description: fmt.Sprintf(
			"is %.63q, it was %.63q: another salt reassigns everybody; make another experiment", e.SaltOf(), before.SaltOf())}
	}
	for i := range t.Experiments {
		other := &t.Experiments[i]
		if other.Name != e.Name && e.Clashes(other) {
			return &InputError{Field: "experiment.layer", Description: fmt.Sprintf(
				"experiment %q runs on a surface of this one at the same time and shares people with it: put both into one layer, with parts that do not overlap",
				other.Name)}
		}
	}
	return nil
}

// allocate gives the variants their buckets.
func allocate(before []record.Span, variants []record.Variant) []record.Span {
	old := make(experiment.Allocation, len(before))
	for i, s := range before {
		old[i] = experiment.Span{From: int(s.From), Until: int(s.Until), Variant: s.Variant}
	}
	shares := make([]experiment.Share, len(variants))
	for i, v := range variants {
		shares[i] = experiment.Share{Variant: v.Name, Buckets: int(record.Steps(v.Share))}
	}
	var out []record.Span
	for _, s := range experiment.Allocate(old, shares) {
		out = append(out, record.Span{From: int32(s.From), Until: int32(s.Until), Variant: s.Variant})
	}
	return out
}

// DeleteExperiment removes an experiment. Errors: record.ErrNotFound, ErrPrecondition.
func (s *Shop) DeleteExperiment(ctx context.Context, name string, expected int32) error {
	return s.amend(ctx, func(next *record.Tenant) error {
		at, found := findExperiment(next.Experiments, name)
		if !found {
			return fmt.Errorf("experiment %.80q: %w", name, record.ErrNotFound)
		}
		if err := expect("experiment", name, next.Experiments[at].Revision, expected); err != nil {
			return err
		}
		next.Experiments = slices.Delete(slices.Clone(next.Experiments), at, at+1)
		return nil
	})
}

// Experiment returns an experiment, or record.ErrNotFound.
func (s *Shop) Experiment(name string) (record.Experiment, error) {
	list := s.settings().Experiments
	at, found := findExperiment(list, name)
	if !found {
		return record.Experiment{}, fmt.Errorf("experiment %.80q: %w", name, record.ErrNotFound)
	}
	return list[at], nil
}

// Experiments returns all by name.
func (s *Shop) Experiments() []record.Experiment { return s.settings().Experiments }

// forgetListed takes an erased user out of the lists of experiments.
func (s *Shop) forgetListed(ctx context.Context, user string) error {
	listed := func(ids []string) bool { return slices.Contains(ids, user) }
	names := func(e record.Experiment) bool {
		return listed(e.Excluded) || slices.ContainsFunc(e.Variants, func(v record.Variant) bool { return listed(v.Users) })
	}
	if user == "" || !slices.ContainsFunc(s.settings().Experiments, names) {
		return nil
	}
	without := func(ids []string) []string {
		return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == user })
	}
	return s.amend(ctx, func(next *record.Tenant) error {
		next.Experiments = slices.Clone(next.Experiments)
		for i := range next.Experiments {
			e := &next.Experiments[i]
			e.Excluded, e.Variants = without(e.Excluded), slices.Clone(e.Variants)
			for k := range e.Variants {
				e.Variants[k].Users = without(e.Variants[k].Users)
			}
		}
		return nil
	})
}

// arm is an experiment as it serves.
type arm struct {
	record.Experiment
	layerSalt   string
	from, until int
	allocation  experiment.Allocation
	listed      map[string]string // variant of each user that is listed
	excluded    map[string]bool
}

// armsOf are the experiments that may run now or later.
func armsOf(list []record.Experiment) []*arm {
	var arms []*arm
	for _, e := range list {
		if e.Status != record.ExperimentRunning {
			continue
		}
		arms = append(arms, armOf(e))
	}
	return arms
}

func armOf(e record.Experiment) *arm {
	from, until := e.Part()
	a := &arm{
		Experiment: e, layerSalt: "layer\x00" + e.LayerOf(), from: int(from), until: int(until),
		listed: map[string]string{}, excluded: map[string]bool{},
	}
	for _, s := range e.Spans {
		a.allocation = append(a.allocation, experiment.Span{From: int(s.From), Until: int(s.Until), Variant: s.Variant})
	}
	for _, v := range e.Variants {
		for _, id := range v.Users {
			a.listed[id] = v.Name
		}
	}
	for _, id := range e.Excluded {
		a.excluded[id] = true
	}
	return a
}

// assign says which variant a subject is in. The zero value: none.
func (a *arm) assign(subject Subject) record.Assignment {
	in := record.Assignment{Experiment: a.Name}
	unit := subject.User
	if unit == "" {
		unit = subject.Session
	}
	switch {
	case unit == "":
		in.Variant, in.Kind = a.Variants[0].Name, record.AssignedAnonymous
		return in
	case subject.User != "" && a.excluded[subject.User]:
		return record.Assignment{}
	case subject.User != "" && a.listed[subject.User] != "":
		in.Variant, in.Kind = a.listed[subject.User], record.AssignedListed
		return in
	}
	if b := experiment.Bucket(a.layerSalt, unit); b < a.from || b >= a.until {
		return record.Assignment{}
	}
	in.Variant, in.Kind = a.allocation.Variant(experiment.Bucket(a.SaltOf(), unit)), record.AssignedByHash
	if in.Variant == "" {
		return record.Assignment{}
	}
	return in
}

// policyOf is the policy that a variant names, "" for the surface's; false: there is no
// such variant.
func policyOf(e *record.Experiment, variant string) (string, bool) {
	for i := range e.Variants {
		if e.Variants[i].Name == variant {
			return e.Variants[i].Policy, true
		}
	}
	return "", false
}
