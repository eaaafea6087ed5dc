package shop

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kindred-rec/kindred/server/record"
)

// AnyVersion expects nothing of what is there.
const AnyVersion = -1

// CheckPolicy returns all that is wrong with a policy, its conditions included.
func (s *Shop) CheckPolicy(p *record.Policy) []record.Violation {
	faults := p.Validate()
	for i := range p.Rules { // a condition that is too long has its fault already
		if len(p.Rules[i].Condition) > record.MaxFilter {
			return faults
		}
	}
	if len(p.Rules) > record.MaxRules {
		return faults
	}
	_, more := s.compile(*p)
	return append(faults, more...)
}

// warnings are what may not work as meant.
func (s *Shop) warnings(p *record.Policy) []string {
	var list []string
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.Item == "" {
			continue
		}
		if n, ok := s.log.ItemNumber(r.Item); !ok || s.table.Row(n) == nil {
			list = append(list, fmt.Sprintf("rules[%d].item_id: item %.40q of rule %.63q is not in the catalog; the rule waits for it", i, r.Item, r.Name))
		}
	}
	return list
}

// PutPolicy keeps the next version of a policy. expected is the last version that the
// caller knows, 0 for none, AnyVersion for whatever is. dry keeps nothing. Errors:
// *InputError, ErrPrecondition, record.ErrLimit.
func (s *Shop) PutPolicy(ctx context.Context, p record.Policy, expected int32, dry bool) (record.Policy, []string, error) {
	for _, f := range s.CheckPolicy(&p) {
		return p, nil, &InputError{Field: "policy." + f.Field, Description: f.Description}
	}
	p.Created, p.Deleted = s.config.Now().UTC(), false
	edit := func(next *record.Tenant) error {
		last := lastVersion(next.Policies, p.Name)
		if err := expect("policy", p.Name, last, expected); err != nil {
			return err
		}
		p.Version = highestVersion(next.Policies, p.Name) + 1
		next.Policies = putVersion(next.Policies, p)
		if n := liveNames(next.Policies); n > record.MaxPolicies {
			return fmt.Errorf("tenant %q would have %d policies, at most %d are kept: delete one: %w", next.Name, n, record.MaxPolicies, record.ErrLimit)
		}
		if dry {
			return errEnough
		}
		return nil
	}
	err := s.amend(ctx, edit)
	if dry && err == errEnough {
		err = nil
	}
	return p, s.warnings(&p), err
}

// DeletePolicy removes a policy that nothing names. Its versions stay a while, so that
// decisions are reproduced. Errors: record.ErrNotFound, ErrPrecondition.
func (s *Shop) DeletePolicy(ctx context.Context, name string, expected int32) error {
	return s.amend(ctx, func(next *record.Tenant) error {
		last := lastVersion(next.Policies, name)
		if last == 0 || name == DefaultPolicy && last == 1 {
			return fmt.Errorf("policy %.80q: %w", name, record.ErrNotFound)
		}
		if err := expect("policy", name, last, expected); err != nil {
			return err
		}
		if who := namers(next, name); len(who) > 0 && name != DefaultPolicy {
			return fmt.Errorf("policy %q is named by %s: have them name another first: %w", name, strings.Join(who, " and "), ErrPrecondition)
		}
		next.Policies = putVersion(next.Policies, record.Policy{
			Name: name, Version: highestVersion(next.Policies, name) + 1, Created: s.config.Now().UTC(), Deleted: true,
		})
		next.Policies = forgetDeleted(next.Policies)
		return nil
	})
}

// Policy returns a policy by "name", the last version, or by "name/version", and the
// versions that are kept, or record.ErrNotFound.
func (s *Shop) Policy(text string) (record.Policy, []int32, error) {
	name, _, ok := splitPolicyID(text)
	found := s.settings().policies.named(text)
	if !ok || found == nil {
		return record.Policy{}, nil, fmt.Errorf("policy %.80q: %w", text, record.ErrNotFound)
	}
	var versions []int32
	if name == DefaultPolicy {
		versions = append(versions, 1)
	}
	for _, p := range s.settings().Policies {
		if p.Name == name && !p.Deleted {
			versions = append(versions, p.Version)
		}
	}
	return found.Policy, versions, nil
}

// Policies returns the last versions by name.
func (s *Shop) Policies() []record.Policy {
	last := s.settings().policies.last
	list := make([]record.Policy, 0, len(last))
	for _, name := range sortedKeys(last) {
		list = append(list, last[name].Policy)
	}
	return list
}

// expect compares what is there with what the caller knows. last is 0 for none.
func expect(what, name string, last, expected int32) error {
	switch {
	case expected == AnyVersion || expected == last:
		return nil
	case last == 0:
		return fmt.Errorf("there is no %s %q by now, version %d is expected: look at it again: %w", what, name, expected, ErrPrecondition)
	}
	return fmt.Errorf("%s %q is at version %d by now, %d is expected: look at it again: %w", what, name, last, expected, ErrPrecondition)
}

// highestVersion is the highest number that a name has had, deleted or not.
func highestVersion(list []record.Policy, name string) int32 {
	highest := int32(0)
	if name == DefaultPolicy {
		highest = 1
	}
	for i := range list {
		if list[i].Name == name {
			highest = max(highest, list[i].Version)
		}
	}
	return highest
}

// lastVersion is the version that serves; 0 for none.
func lastVersion(list []record.Policy, name string) int32 {
	last := int32(0)
	if name == DefaultPolicy {
		last = 1
	}
	for i := range list {
		switch {
		case list[i].Name != name:
		case !list[i].Deleted:
			last = list[i].Version
		case name == DefaultPolicy:
			last = 1
		default:
			last = 0
		}
	}
	return last
}

// putVersion returns the list with a version more, the oldest beyond the bound left out.
func putVersion(list []record.Policy, p record.Policy) []record.Policy {
	list = append(slices.Clone(list), p)
	slices.SortStableFunc(list, func(a, b record.Policy) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return int(a.Version - b.Version)
	})
	kept := 0
	for i := range list {
		if list[i].Name == p.Name {
			kept++
		}
	}
	return slices.DeleteFunc(list, func(x record.Policy) bool {
		drop := x.Name == p.Name && kept > record.KeptVersions
		if drop {
			kept--
		}
		return drop
	})
}

// liveNames counts the policies that were not deleted.
func liveNames(list []record.Policy) int {
	n := 0
	for i := range list {
		if i+1 == len(list) || list[i+1].Name != list[i].Name {
			if !list[i].Deleted {
				n++
			}
		}
	}
	return n
}

// forgetDeleted drops the policies that were deleted first, where more are remembered
// than may be.
func forgetDeleted(list []record.Policy) []record.Policy {
	for {
		var oldest *record.Policy
		n := 0
		for i := range list {
			if p := &list[i]; p.Deleted && (i+1 == len(list) || list[i+1].Name != p.Name) {
				if n++; oldest == nil || p.Created.Before(oldest.Created) {
					oldest = p
				}
			}
		}
		if n <= record.MaxPolicies {
			return list
		}
		name := oldest.Name
		list = slices.DeleteFunc(list, func(p record.Policy) bool { return p.Name == name })
	}
}

// namers says which surfaces and experiments name a policy.
func namers(t *record.Tenant, name string) []string {
	var who []string
	for _, f := range t.Surfaces {
		if f.Policy == name {
			who = append(who, fmt.Sprintf("surface %q", f.Name))
		}
	}
	for i := range t.Experiments {
		for _, v := range t.Experiments[i].Variants {
			if v.Policy == name {
				who = append(who, fmt.Sprintf("variant %q of experiment %q", v.Name, t.Experiments[i].Name))
			}
		}
	}
	return who
}
